"""POST /enroll: photos of one product -> reference views, found by the very next /detect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Header, Request, Response

from app import answers
from app.catalog_schemas import EnrollAnswer
from app.errors import InvalidInput
from app.money import parse_price
from app.routes import examples
from app.routes.common import NO_QUERY, InService, Measured, RequestId, json_answer, note
from app.routes.etags import etag, product_url
from app.routes.problems import documented
from app.strict_json import parse_attributes, parse_boxes
from app.uploads import Form, images_of, read_form
from indexer.records import ProductInput

router = APIRouter(tags=["catalog"])

FIELDS = (
    "sku",
    "name",
    "price",
    "currency",
    "barcode",
    "category",
    "attributes",
    "boxes",
    "on_confusable",
)
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["sku", "name", "price", "images"],
                "properties": {
                    "sku": {"type": "string", "maxLength": 64},
                    "name": {"type": "string", "maxLength": 200},
                    "price": {"type": "string", "description": "decimal number"},
                    "currency": {"type": "string", "description": "of this installation"},
                    "barcode": {"type": "string"},
                    "category": {"type": "string"},
                    "attributes": {"type": "string", "description": "a JSON object"},
                    "images": {
                        "type": "array",
                        "description": "1 to 50 photos, each of which shows the product once",
                        "items": {"type": "string", "format": "binary"},
                    },
                    "boxes": {
                        "type": "string",
                        "description": "JSON: per image `[x1,y1,x2,y2]`, or null to find it",
                    },
                    "on_confusable": {"type": "string", "enum": ["warn", "reject"]},
                },
            },
            "examples": {
                "milk": {
                    "summary": "One photo of a new product, whose box the detector finds",
                    "value": examples.ENROLL,
                }
            },
        }
    },
}

IdempotencyKey = Annotated[
    str | None,
    Header(description="repeating a request with its key gives the first answer again"),
]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A parsed /enroll request."""

    product: ProductInput
    photos: Sequence[bytes]
    boxes: Sequence[Sequence[Any] | None] | None
    on_confusable: Literal["warn", "reject"]


async def enrolment(request: Request, services: InService) -> Enrolment:
    """The multipart body of /enroll."""
    limits = services.settings.limits
    form = await read_form(request, limits, files={"images": limits.max_images}, fields=FIELDS)
    boxes = form.optional("boxes")
    return Enrolment(
        product=product_input(form, services.currency),
        photos=images_of(form, "images", limits, limits.max_images),
        boxes=None if boxes is None else parse_boxes(boxes),
        on_confusable=_on_confusable(form),
    )


def product_input(form: Form, currency: str) -> ProductInput:
    """The product that the fields describe; the catalog checks lengths and characters."""
    attributes = form.optional("attributes")
    return ProductInput(
        sku=form.required("sku"),
        name=form.required("name"),
        price_minor=parse_price(form.required("price"), currency),
        currency=form.optional("currency") or currency,
        barcode=form.optional("barcode"),
        category=form.optional("category"),
        attributes={} if attributes is None else parse_attributes(attributes),
    )


@router.post(
    "/enroll",
    response_model=EnrollAnswer,
    status_code=201,
    summary="Store a product, or add views to one",
    responses={
        200: {"model": EnrollAnswer, "description": "Views were added to a known product"},
        201: examples.answer(examples.ENROLLED),
        **documented(400, 409, 413, 415, 422, 503, 507),
    },
    openapi_extra={"requestBody": BODY},
    dependencies=[NO_QUERY],
)
def enroll(
    request: Request,
    services: InService,
    metrics: Measured,
    request_id: RequestId,
    wanted: Annotated[Enrolment, Depends(enrolment)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """201 for a new product, 200 for a known one, which takes the given name and price.

    A photo on which nothing or several things are found refuses the whole request; the answer
    has the boxes that were found, to be sent back as `boxes`.
    """
    receipt = services.enroller.enroll(
        wanted.product,
        wanted.photos,
        wanted.boxes,
        wanted.on_confusable,
        idempotency_key=_key(idempotency_key),
    )
    added = sum(image.status == "added" for image in receipt.images)
    metrics.enrolled(added)
    note(request, sku=receipt.product.sku, views=added)
    product = receipt.product
    headers = {"Location": product_url(request, product.sku), "ETag": etag(product.version)}
    body = answers.enrolled(receipt, request_id)
    return json_answer(body, 201 if receipt.created else 200, headers)


def _on_confusable(form: Form) -> Literal["warn", "reject"]:
    value = form.optional("on_confusable") or "warn"
    if value not in ("warn", "reject"):
        raise InvalidInput(
            f"on_confusable: expected warn or reject, got {value[:40]!r}", "on_confusable"
        )
    return cast(Literal["warn", "reject"], value)


def _key(value: str | None) -> str | None:
    if value is None:
        return None
    if not 1 <= len(value) <= 255 or not value.isprintable() or value != value.strip():
        raise InvalidInput(
            "Idempotency-Key: expected 1 to 255 printable characters", "Idempotency-Key"
        )
    return value
