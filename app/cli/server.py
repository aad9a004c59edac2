"""Runs the application in uvicorn; what prevents the start is raised, not logged."""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from app.cli.common import KNOWN_ERRORS, ExitCode, fail
from app.logs import log_config
from app.settings import Settings

GRACE_S = 20
"""Seconds that running requests get to finish when the server stops."""


def run(settings: Settings, on_ready: Callable[[str, int], None] = lambda _h, _p: None) -> None:
    """Serve until interrupted.

    Args:
        settings: `http.host` and `http.port` say where.
        on_ready: called once with host and real port, when requests are answered.

    Raises:
        AppError, IndexerError, ModelsError: what prevented the start.
    """
    from app.main import create_app

    listener = _listen(settings.http.host, settings.http.port)
    application = _StartGuard(create_app(settings))
    config = uvicorn.Config(
        application,
        log_config=log_config(settings.log_level),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    host, port = listener.getsockname()[:2]
    try:
        with listener:
            _Server(config, lambda: on_ready(host, port)).run(sockets=[listener])
    except SystemExit:  # how uvicorn ends where the application did not start
        if application.failure is None:
            raise
        raise application.failure from None


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is told before anything is loaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        fail(f"{host}:{port}: {exc.strerror}", "cannot_listen", ExitCode.NOT_READY)


class _Server(uvicorn.Server):
    """Tells when it has started."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


class _StartGuard:
    """Keeps a known error of the start for the caller, who has a better way to show it."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.failure: Exception | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return

        async def told(message: Any) -> None:
            # The message of a failed start is a traceback, which uvicorn would log.
            silent = message["type"] == "lifespan.startup.failed" and self._known(message)
            await send({**message, "message": ""} if silent else message)

        try:
            await self._application(scope, receive, told)
        except KNOWN_ERRORS as exc:
            self.failure = exc

    @staticmethod
    def _known(message: Any) -> bool:
        ours = ("app.errors.", "indexer.errors.", "models.errors.")
        return any(line.startswith(ours) for line in str(message.get("message")).splitlines())
