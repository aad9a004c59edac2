"""Around every request: its id, the limit on its body, one log line, its metrics.

Plain ASGI, because a class on top of Starlette's `BaseHTTPMiddleware` costs a task and a queue a
request. It is also the outermost place that can still answer: what no handler knows ends here as
a 500 with a request id and without internals.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import ACCESS
from app.metrics import Metrics

HEADER = "X-Request-Id"
CLIENT_WENT_AWAY = 499
_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_QUIET = {"/healthz", "/readyz", "/metrics"}

log = logging.getLogger(ACCESS)


class BodyTooLarge(HTTPException):
    """The request brings more bytes than the limit.

    An `HTTPException`, because FastAPI lets only those through while it reads a body.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(413, f"the request body is limited to {limit} bytes")


@dataclass(slots=True)
class Exchange:
    """What is known of one request while it runs."""

    scope: Scope
    limit: int
    receive: Receive
    send: Send
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    async def counted(self) -> Message:
        """The next part of the body; counts, because Content-Length may be absent or a lie."""
        message = await self.receive()
        self.bytes_in += len(message.get("body", b""))
        if self.bytes_in > self.limit:
            raise BodyTooLarge(self.limit)
        return message

    async def tagged(self, message: Message) -> None:
        """Send a part of the answer, with the request id in its headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self.request_id
        else:
            self.bytes_out += len(message.get("body", b""))
        await self.send(message)

    @property
    def route(self) -> str:
        """The template of the route, so that metrics stay few; "unmatched" without one."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))


class RequestContext:
    """The ASGI middleware; `respond` turns an exception into an answer."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        max_body_bytes: int,
        respond: Callable[[Request, Exception], Response],
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._limit = max_body_bytes
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = Exchange(scope, self._limit, receive, send, request_id(headers.get(HEADER)))
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        try:
            await self._run(exchange, headers)
        except ClientDisconnect:
            exchange.status = CLIENT_WENT_AWAY
        finally:
            self._finish(exchange)

    async def _run(self, exchange: Exchange, headers: Headers) -> None:
        try:
            announced = headers.get("content-length", "")
            if announced.isdigit() and int(announced) > self._limit:
                raise BodyTooLarge(self._limit)
            await self._app(exchange.scope, exchange.counted, exchange.tagged)
        except ClientDisconnect:
            raise
        except Exception as exc:
            if exchange.status:  # too late for another answer; the server cuts the connection
                raise
            response = self._respond(Request(exchange.scope, exchange.counted), exc)
            await response(exchange.scope, exchange.counted, exchange.tagged)

    def _finish(self, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        scope, status = exchange.scope, exchange.status or CLIENT_WENT_AWAY
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.request(method, exchange.route, status, seconds)
        level = logging.DEBUG if scope["path"] in _QUIET and status < 400 else logging.INFO
        if log.isEnabledFor(level):
            fields = _fields(exchange, status, seconds)
            log.log(level, "%s %s %d", method, scope["path"], status, extra={"fields": fields})


def request_id(given: str | None) -> str:
    """The caller's id if it is short and harmless in a log, else a new one."""
    return given if given and _ID.fullmatch(given) else uuid.uuid4().hex


def _fields(exchange: Exchange, status: int, seconds: float) -> dict[str, Any]:
    scope = exchange.scope
    return {
        "request_id": exchange.request_id,
        "method": scope["method"],
        "path": scope["path"],
        "route": exchange.route,
        "status": status,
        "ms": round(seconds * 1000.0, 2),
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "client": scope["client"][0] if scope.get("client") else None,
        **scope["state"].get("log", {}),
    }
