"""Every error as `application/problem+json` (RFC 9457): the one exception handler."""

import errno
import logging
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app import error_table
from app.error_table import TABLE, Row
from app.errors import InvalidInput, MalformedRequest, UploadTooLarge
from app.middleware import BodyTooLarge
from app.routes.examples import PROBLEM
from indexer.errors import StorageFull

MEDIA_TYPE = "application/problem+json"
NOT_FOUND = Row(404, "not_found", "There is nothing at this address")
METHOD_NOT_ALLOWED = Row(405, "method_not_allowed", "This address has no such method")
# 400: FastAPI could not read a body, for example because it is not UTF-8.
_HTTP = {400: TABLE[MalformedRequest], 404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}

log = logging.getLogger(__name__)


def respond(request: Request, exc: Exception) -> Response:
    """The answer to an exception; what the table does not know is logged with its traceback."""
    body, headers = describe(request, exc)
    request.scope["state"].setdefault("log", {})["code"] = body["code"]
    return JSONResponse(body, body["status"], headers, media_type=MEDIA_TYPE)


def describe(request: Request, exc: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """The problem object of an exception, and the headers that go with it."""
    path, request_id = request.url.path, request_id_of(request)
    if isinstance(exc, RequestValidationError) and not _unreadable(exc):
        found = TABLE[InvalidInput]
        entries = [_entry(error) for error in exc.errors()]
        detail = "; ".join(f"{entry['location']}: {entry['detail']}" for entry in entries)
        return error_table.make_problem(found, detail, path, request_id, entries), {}
    if type(exc) is HTTPException:
        found = _HTTP.get(exc.status_code, Row(exc.status_code, "http_error", "HTTP error"))
        headers = dict(exc.headers or {})
        return error_table.make_problem(found, str(exc.detail), path, request_id, []), headers
    known = _translated(exc)
    if error_table.row(known).status == 500:
        log.error("%s %s failed", request.method, path, exc_info=exc, extra=_fields(request_id))
    return error_table.problem(known, path, request_id), error_table.headers(known)


def request_id_of(request: Request) -> str:
    """The id that the middleware gave to this request."""
    return str(request.scope["state"]["request_id"])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI: a problem under each status."""
    content = {"schema": {"$ref": "#/components/schemas/Problem"}}
    examples = {422: {"example": PROBLEM}}
    return {
        status: {
            "description": _MEANING[status],
            "content": {MEDIA_TYPE: {**content, **examples.get(status, {})}},
        }
        for status in statuses
    }


_MEANING = {
    400: "The body cannot be read",
    404: "There is no such product, view or address",
    406: "No accepted content type is available",
    409: "It contradicts what is stored; `code` says how",
    412: "The product has changed since it was read",
    413: "More bytes or pixels than the limit",
    415: "The content type or image format is not supported",
    422: "A value or an image is not valid; `errors` has each one",
    503: "Not now; `Retry-After` says when to try again",
    507: "There is no space left",
}


def _translated(exc: Exception) -> Exception:
    """Errors of the framework and the system as ours."""
    if isinstance(exc, BodyTooLarge):
        return UploadTooLarge(exc.limit)
    if isinstance(exc, RequestValidationError):
        return MalformedRequest(f"the body is no JSON: {exc.errors()[0]['ctx']['error']}", "body")
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        return StorageFull("no space left on the device")
    return exc


def _unreadable(exc: RequestValidationError) -> bool:
    return any(error["type"] == "json_invalid" for error in exc.errors())


def _entry(error: dict[str, Any]) -> dict[str, Any]:
    location = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    detail = str(error["msg"])
    if error["type"] == "extra_forbidden":
        detail = "unknown name"
    elif error["type"] != "missing":
        detail = f"{detail}, got {str(error['input'])[:40]!r}"
    return {"code": "invalid_input", "detail": detail, "location": location}


def _fields(request_id: str) -> dict[str, Any]:
    return {"fields": {"request_id": request_id}}
