"""POST /detect and /detect/batch: photos -> named and priced items."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from app import answers, drawing, error_table, errors, images
from app.metrics import Metrics
from app.negotiation import negotiate
from app.recognition import Recognition
from app.routes import examples
from app.routes.common import InService, Measured, RequestId, json_answer, note
from app.routes.problems import describe, documented
from app.schemas import BatchAnswer, DetectAnswer, DetectQuery, Problem
from app.uploads import IMAGE_TYPES, Part, check_image, parts_of, read_form, read_image

router = APIRouter(tags=["recognition"])

JSON, JPEG, PNG = "application/json", "image/jpeg", "image/png"
BINARY = {"type": "string", "format": "binary"}
DETECT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["image"], "properties": {"image": BINARY}}
        },
        **{kind: {"schema": BINARY} for kind in IMAGE_TYPES},
    },
}
BATCH_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {"images": {"type": "array", "items": BINARY}},
            }
        }
    },
}


async def image_body(request: Request, services: InService) -> bytes:
    """The one image of the request."""
    return await read_image(request, services.settings.limits)


async def image_parts(request: Request, services: InService) -> Sequence[Part]:
    """The images of a batch, in order; whether each can be used is told in its own answer."""
    limits = services.settings.limits
    form = await read_form(request, limits, files={"images": limits.max_batch_images}, fields=())
    return parts_of(form, "images", limits.max_batch_images)


async def wanted(request: Request) -> str:
    """The content type that the caller wants: JSON, or the photo with everything drawn on it."""
    return negotiate(request.headers.get("accept"), (JSON, JPEG, PNG))


@router.post(
    "/detect",
    response_model=DetectAnswer,
    summary="Name and price everything on a photo",
    responses={
        200: {
            "content": {
                JPEG: {"schema": BINARY},
                PNG: {"schema": BINARY},
                JSON: {"example": examples.DETECTED},
            }
        },
        **documented(400, 406, 413, 415, 422, 503),
    },
    openapi_extra={"requestBody": DETECT_BODY},
)
def detect(
    request: Request,
    services: InService,
    metrics: Measured,
    request_id: RequestId,
    kind: Annotated[str, Depends(wanted)],
    query: Annotated[DetectQuery, Query()],
    data: Annotated[bytes, Depends(image_body)],
) -> Response:
    """The photo is the multipart field `image` or the body itself.

    With `Accept: image/jpeg` or `image/png` the photo comes back with boxes and labels drawn.
    An empty tray is an answer without items; an object that nobody knows is an item `unknown`.
    """
    options = query.model_dump()
    if kind == JSON:
        found = services.recognizer.recognize_bytes(data, **options)
        _count(request, metrics, found)
        return json_answer(answers.recognized(found, request_id, services.currency))
    image = images.decode(data, services.settings.limits)
    found = services.recognizer.recognize(image, **options)
    _count(request, metrics, found)
    canvas = drawing.draw(image, [answers.drawn(item) for item in found.items])
    form: Literal["jpeg", "png"] = "jpeg" if kind == JPEG else "png"
    return Response(drawing.encode(canvas, form), media_type=kind)


@router.post(
    "/detect/batch",
    response_model=BatchAnswer,
    summary="Name and price everything on several photos",
    responses={
        200: examples.answer(
            {"request_id": examples.DETECTED["request_id"], "results": [examples.DETECTED]}
            | {"failed": 0}
        ),
        **documented(400, 413, 415, 422, 503),
    },
    openapi_extra={"requestBody": BATCH_BODY},
)
def detect_batch(
    request: Request,
    services: InService,
    metrics: Measured,
    request_id: RequestId,
    query: Annotated[DetectQuery, Query()],
    photos: Annotated[Sequence[Part], Depends(image_parts)],
) -> Response:
    """Answers per image, in order; a bad image has a problem in its place."""

    def one(numbered: tuple[int, Part]) -> DetectAnswer | Problem:
        index, part = numbered
        try:
            check_image(part, f"images[{index}]", services.settings.limits)
            found = services.recognizer.recognize_bytes(part.data, **query.model_dump())
        except errors.AppError as exc:
            if error_table.row(exc).status >= 500:
                raise
            exc.location = f"images[{index}]"
            return Problem(**describe(request, exc)[0])
        _count(request, metrics, found)
        return answers.recognized(found, request_id, services.currency)

    # A few threads, so that the network sees the photos of one request as one batch.
    with ThreadPoolExecutor(min(len(photos), 4), "batch") as pool:
        results = list(pool.map(one, enumerate(photos)))
    failed = sum(isinstance(result, Problem) for result in results)
    return json_answer(BatchAnswer(request_id=request_id, results=results, failed=failed))


def _count(request: Request, metrics: Metrics, found: Recognition) -> None:
    metrics.recognition(dict(found.timings_ms), [item.outcome for item in found.items])
    note(request, **answers.log_fields(found))
