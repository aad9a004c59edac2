"""The one table from error to HTTP status and code, and what an error looks like to a client.

It has every class of `app.errors`, `models.errors` and `indexer.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import (
    AnimatedImage,
    AppError,
    BadBox,
    BadCurrency,
    BadImage,
    BadPrice,
    BadSettings,
    Confusable,
    EmptyImage,
    InvalidInput,
    MalformedRequest,
    NoObject,
    NotAcceptable,
    NotAnImage,
    NotReady,
    PoorPhoto,
    SeveralObjects,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
    UnsupportedMedia,
    UploadTooLarge,
    WrongCount,
)
from indexer import errors as indexer_errors
from models import errors as models_errors


@dataclass(frozen=True, slots=True)
class Row:
    """What an error looks like over HTTP."""

    status: int
    code: str
    title: str
    retry_after_s: int | None = None


INTERNAL = Row(500, "internal_error", "Something went wrong in the service")

TABLE: Mapping[type[Exception], Row] = {
    AppError: INTERNAL,
    BadSettings: Row(500, "bad_settings", "The service is configured wrongly"),
    InvalidInput: Row(422, "invalid_input", "A value is not valid"),
    BadPrice: Row(422, "bad_price", "The price is not valid"),
    BadCurrency: Row(422, "wrong_currency", "Another currency is in use"),
    BadBox: Row(422, "bad_box", "The box is not inside of its image"),
    WrongCount: Row(422, "wrong_count", "Too few or too many images"),
    UploadTooLarge: Row(413, "upload_too_large", "The upload is too large"),
    MalformedRequest: Row(400, "malformed_request", "The request cannot be read"),
    UnsupportedMedia: Row(415, "unsupported_media_type", "The content type is not supported"),
    NotAcceptable: Row(406, "not_acceptable", "No accepted content type is available"),
    BadImage: Row(422, "bad_image", "The image cannot be used"),
    EmptyImage: Row(422, "empty_image", "The image is empty"),
    NotAnImage: Row(422, "not_an_image", "The file is not an image"),
    TruncatedImage: Row(422, "truncated_image", "The image is damaged or incomplete"),
    AnimatedImage: Row(422, "animated_image", "The image is animated"),
    TooManyPixels: Row(413, "too_many_pixels", "The image has too many pixels"),
    UnsupportedFormat: Row(415, "unsupported_format", "The image format is not supported"),
    NoObject: Row(422, "no_object", "No object was found"),
    SeveralObjects: Row(422, "several_objects", "More than one object was found"),
    PoorPhoto: Row(422, "poor_photo", "The photo is too poor to learn from"),
    Confusable: Row(409, "confusable", "The product looks like another one"),
    NotReady: Row(503, "not_ready", "The service is not ready", 5),
    models_errors.ModelsError: INTERNAL,
    models_errors.BundleError: Row(500, "bad_bundle", "A network's bundle cannot be used"),
    models_errors.EngineUnavailable: Row(500, "engine_unavailable", "The engine is not available"),
    models_errors.Overloaded: Row(503, "overloaded", "Too many requests are waiting", 1),
    models_errors.BatchFailed: Row(500, "batch_failed", "A network failed"),
    models_errors.Cancelled: Row(503, "cancelled", "The request was given up"),
    models_errors.BatcherClosed: Row(503, "not_ready", "The service is not ready", 5),
    indexer_errors.IndexerError: INTERNAL,
    indexer_errors.ProductNotFound: Row(404, "product_not_found", "There is no such product"),
    indexer_errors.ViewNotFound: Row(404, "view_not_found", "There is no such view"),
    indexer_errors.BadProduct: Row(422, "invalid_input", "A value is not valid"),
    indexer_errors.BadCursor: Row(422, "bad_cursor", "The page cursor is not valid"),
    indexer_errors.DuplicateBarcode: Row(409, "duplicate_barcode", "The barcode is taken"),
    indexer_errors.VersionConflict: Row(412, "version_conflict", "The product has changed"),
    indexer_errors.IdempotencyMismatch: Row(
        409, "idempotency_mismatch", "The idempotency key belongs to another request"
    ),
    indexer_errors.AlreadyAnswered: Row(409, "already_answered", "The request was answered before"),
    indexer_errors.WrongCurrency: Row(422, "wrong_currency", "Another currency is in use"),
    indexer_errors.SchemaOutdated: Row(503, "schema_outdated", "The database schema is outdated"),
    indexer_errors.BadVectors: Row(500, "bad_vectors", "A vector has the wrong shape or norm"),
    indexer_errors.SpaceMismatch: Row(500, "space_mismatch", "The vector spaces do not match"),
    indexer_errors.CropUnreadable: Row(500, "crop_unreadable", "A stored crop cannot be read"),
    indexer_errors.SnapshotInvalid: Row(500, "snapshot_invalid", "A snapshot cannot be used"),
    indexer_errors.DatabaseUnavailable: Row(
        503, "database_unavailable", "The database cannot be reached", 5
    ),
    indexer_errors.IndexBehind: Row(503, "index_behind", "The index has not caught up yet", 1),
    indexer_errors.StorageFull: Row(507, "storage_full", "There is no space left"),
}


# Where in the request the catalog's errors belong, and which of their attributes help a client.
_TOLD: Mapping[type[BaseException], tuple[str, tuple[str, ...]]] = {
    indexer_errors.DuplicateBarcode: ("barcode", ("sku",)),
    indexer_errors.WrongCurrency: ("currency", ("expected",)),
    indexer_errors.VersionConflict: ("If-Match", ("expected", "actual")),
    indexer_errors.IdempotencyMismatch: ("Idempotency-Key", ()),
    indexer_errors.BadCursor: ("cursor", ()),
    indexer_errors.IndexBehind: ("min_revision", ("wanted", "have")),
}


def row(exc: BaseException) -> Row:
    """The row of the nearest class in the table; anything else is an internal error."""
    return next((TABLE[c] for c in type(exc).__mro__ if c in TABLE), INTERNAL)


def problem(exc: BaseException, instance: str, request_id: str) -> dict[str, Any]:
    """An error as an RFC 9457 object. The detail of an internal error stays in the log.

    Args:
        exc: what was raised.
        instance: path of the request.
        request_id: for finding the request in the log.
    """
    found = row(exc)
    hidden = found is INTERNAL
    detail = "The log has more under this request id." if hidden else str(exc)
    return make_problem(found, detail, instance, request_id, [] if hidden else entries(exc))


def make_problem(
    found: Row, detail: str, instance: str, request_id: str, errors: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """An RFC 9457 object from its parts, for errors that are no exception of ours."""
    return {
        "type": f"urn:tillsight:problem:{found.code}",
        "title": found.title,
        "status": found.status,
        "detail": detail,
        "instance": instance,
        "code": found.code,
        "request_id": request_id,
        "errors": [dict(e) for e in errors],
    }


def headers(exc: BaseException) -> dict[str, str]:
    """Extra headers of the answer: `Retry-After` where waiting helps."""
    asked = getattr(exc, "retry_after", None)
    wait = row(exc).retry_after_s if asked is None else max(1, round(asked))
    return {} if wait is None else {"Retry-After": str(wait)}


def entries(exc: BaseException) -> list[dict[str, Any]]:
    """The rows of `errors[]`: code, detail, location and what else the error carries."""
    if isinstance(exc, AppError):
        return [_entry(e, e.location, e.extra) for e in (exc, *exc.others)]
    if isinstance(exc, indexer_errors.BadProduct):
        return [_entry(exc, exc.field)]
    if type(exc) in _TOLD:
        location, names = _TOLD[type(exc)]
        return [_entry(exc, location, {name: getattr(exc, name) for name in names})]
    return []


def _entry(
    exc: BaseException, location: str | None, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {"code": row(exc).code, "detail": str(exc), "location": location, **(extra or {})}
