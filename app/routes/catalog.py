"""The products of the catalogue and their reference views."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app import answers
from app.catalog_schemas import (
    Deleted,
    ExportQuery,
    ProductAnswer,
    ProductPage,
    ProductPatch,
    ProductsQuery,
    ViewList,
)
from app.errors import BadPrice, InvalidInput, UnsupportedMedia
from app.money import parse_price
from app.negotiation import negotiate
from app.product_csv import MEDIA_TYPE as CSV
from app.product_csv import write_rows
from app.routes import examples
from app.routes.common import NO_QUERY, InService, follow, json_answer
from app.routes.etags import IfMatch, IfNoneMatch, etag, expected_version, unchanged
from app.routes.problems import documented
from app.services import Services
from app.uploads import content_type
from indexer.records import Product

router = APIRouter(tags=["catalog"])

EXPORT_PAGE = 500
JSON_TYPES = ("application/json", "application/merge-patch+json")
# A SKU may contain a slash, so it takes all of the path up to /views.
PRODUCT, VIEWS = "/products/{sku:path}", "/products/{sku:path}/views"
Sku = Annotated[str, Path(max_length=200)]
ViewId = Annotated[int, Path(ge=1, le=2**63 - 1)]


async def list_type(request: Request) -> str:
    """JSON or CSV, as the caller prefers."""
    return negotiate(request.headers.get("accept"), ("application/json", CSV))


async def json_body(request: Request) -> None:
    """Refuses a body that is not declared as JSON."""
    kind = content_type(request)
    if kind not in JSON_TYPES:
        expected = " or ".join(JSON_TYPES)
        raise UnsupportedMedia(f"expected {expected}, got {kind or 'no content type'}")


@router.get(
    "/products",
    response_model=ProductPage,
    summary="Search and list products",
    responses={
        200: {
            "content": {
                CSV: {"schema": {"type": "string"}},
                "application/json": {"example": {"items": [examples.PRODUCT], "next_cursor": None}},
            }
        },
        **documented(406, 422, 503),
    },
)
def products(
    services: InService,
    kind: Annotated[str, Depends(list_type)],
    query: Annotated[ProductsQuery, Query()],
) -> Response:
    """Products in the order of their creation, in pages; with `Accept: text/csv` all at once."""
    if kind == CSV:
        return _export(services, query.search, query.category)
    page = services.catalog.products(query.search, query.category, query.cursor, query.limit)
    items = [answers.product_answer(product) for product in page.items]
    return json_answer(ProductPage(items=items, next_cursor=page.next_cursor))


@router.get(
    "/products.csv",
    response_class=Response,
    summary="Export products as CSV",
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}, **documented(422, 503)},
)
def products_csv(services: InService, query: Annotated[ExportQuery, Query()]) -> Response:
    """All products in the columns that the import reads."""
    return _export(services, query.search, query.category)


@router.get(
    f"{VIEWS}/{{view_id}}",
    response_class=Response,
    summary="The picture of a reference view",
    responses={
        200: {"content": {"image/jpeg": {}, "image/png": {}}},
        **documented(404, 422, 503),
    },
    dependencies=[NO_QUERY],
)
def crop(sku: Sku, view_id: ViewId, services: InService) -> Response:
    """The crop as it is stored; it never changes, so it may be cached for ever."""
    data = services.catalog.crop(sku, view_id)
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(data, headers=headers, media_type=kind)


@router.delete(
    f"{VIEWS}/{{view_id}}",
    response_model=Deleted,
    summary="Forget one reference view",
    responses=documented(404, 422, 503),
    dependencies=[NO_QUERY],
)
def delete_view(sku: Sku, view_id: ViewId, services: InService) -> Response:
    """Without its last view a product stays and cannot be recognised."""
    revision = services.catalog.delete_view(sku, view_id)
    follow(services, revision)
    return json_answer(Deleted(sku=sku, view_id=view_id, index_revision=revision))


@router.get(
    VIEWS,
    response_model=ViewList,
    summary="The reference views of a product",
    responses={
        200: examples.answer({"items": [examples.VIEW]}),
        **documented(404, 422, 503),
    },
    dependencies=[NO_QUERY],
)
def views(sku: Sku, services: InService) -> Response:
    """All views, oldest first."""
    items = [answers.view_answer(view) for view in services.catalog.views(sku)]
    return json_answer(ViewList(items=items))


@router.get(
    PRODUCT,
    response_model=ProductAnswer,
    summary="One product",
    responses={
        200: examples.answer(examples.PRODUCT),
        304: {"description": "It still has the given ETag"},
        **documented(404, 422, 503),
    },
    dependencies=[NO_QUERY],
)
def product(sku: Sku, services: InService, if_none_match: IfNoneMatch = None) -> Response:
    """A product, with its version as ETag."""
    found = services.catalog.product(sku)
    if unchanged(if_none_match, found.version):
        return Response(status_code=304, headers={"ETag": etag(found.version)})
    return _tagged(found)


@router.patch(
    PRODUCT,
    response_model=ProductAnswer,
    summary="Change a product",
    responses={
        200: examples.answer(examples.PATCHED),
        **documented(400, 404, 409, 412, 415, 422, 503),
    },
    dependencies=[NO_QUERY, Depends(json_body)],
)
def update(
    sku: Sku, patch: ProductPatch, services: InService, if_match: IfMatch = None
) -> Response:
    """Only the given fields change; null empties barcode and category."""
    changes = _changes(patch, services.currency)
    changed = services.catalog.update_product(sku, changes, expected_version(if_match))
    if "active" in changes:  # retired views leave the index, and come back
        follow(services, services.catalog.head())
    return _tagged(changed)


@router.delete(
    PRODUCT,
    response_model=Deleted,
    summary="Delete a product with its views, vectors and crops",
    responses=documented(404, 412, 422, 503),
    dependencies=[NO_QUERY],
)
def delete(sku: Sku, services: InService, if_match: IfMatch = None) -> Response:
    """The next /detect never names it."""
    revision = services.catalog.delete_product(sku, expected_version(if_match))
    follow(services, revision)
    return json_answer(Deleted(sku=sku, index_revision=revision))


def _tagged(found: Product) -> Response:
    return json_answer(answers.product_answer(found), headers={"ETag": etag(found.version)})


def _export(services: Services, search: str | None, category: str | None) -> Response:
    def pages() -> Iterator[Product]:
        cursor = None
        while True:
            page = services.catalog.products(search, category, cursor, EXPORT_PAGE)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    lines = write_rows(pages())
    # The first page is read before the answer starts, so that an error still has its status.
    head = next(lines) + next(lines, "")
    headers = {"Content-Disposition": 'attachment; filename="products.csv"'}

    def body() -> Iterator[str]:
        yield head
        yield from lines

    return StreamingResponse(body(), headers=headers, media_type=f"{CSV}; charset=utf-8")


def _changes(patch: ProductPatch, currency: str) -> dict[str, Any]:
    """Given fields by the names of the catalog."""
    given = patch.model_dump(include=patch.model_fields_set)
    for name in ("name", "price", "currency", "attributes", "active"):
        if name in given and given[name] is None:
            raise InvalidInput(f"{name}: expected a value, got null", name)
    if "price" in given:
        given["price_minor"] = parse_price(_decimal(given.pop("price")), currency)
    return given


def _decimal(price: Any) -> str:
    """A JSON string or number as decimal text, without the `.0` of a whole float."""
    if isinstance(price, bool) or not isinstance(price, str | int | float):
        raise BadPrice(repr(price), "expected a decimal number or string")
    if isinstance(price, float) and price.is_integer():
        return str(int(price))
    return str(price)
