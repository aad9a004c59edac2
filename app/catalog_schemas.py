"""What the routes of the catalogue take and answer; see `app.schemas` for the conventions."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema

from app.schemas import Answer, Money, PixelBox, Query


class ProductsQuery(Query):
    """Query parameters of GET /products."""

    search: str | None = Field(None, max_length=200, description="part of the SKU, name or barcode")
    category: str | None = Field(None, max_length=200)
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the last page")
    limit: int = Field(50, ge=1, le=200)


class ExportQuery(Query):
    """Query parameters of GET /products.csv."""

    search: str | None = Field(None, max_length=200)
    category: str | None = Field(None, max_length=200)


class ProductAnswer(Answer):
    """A product of the catalogue."""

    sku: str
    name: str
    price: Money
    currency: str
    barcode: str | None
    category: str | None
    attributes: dict[str, Any]
    active: bool
    version: int = Field(description="also the ETag")
    views: int = Field(description="reference views stored")
    created_at: datetime
    updated_at: datetime


class ProductPage(Answer):
    """One page of products."""

    items: list[ProductAnswer]
    next_cursor: str | None


class ProductPatch(BaseModel):
    """Fields to change; what is left out stays, null empties barcode or category."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"price": "1.49", "category": "drinks"}]},
    )

    name: str | None = None
    price: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
        Field(description="decimal; a string is exact", examples=["1.99"]),
    ] = None
    currency: str | None = None
    barcode: str | None = None
    category: str | None = None
    attributes: dict[str, Any] | None = None
    active: StrictBool | None = None


class ViewAnswer(Answer):
    """One stored reference view; its crop is at /products/{sku}/views/{id}."""

    id: int
    sku: str
    box: PixelBox | None = Field(description="where it was on its photo")
    quality: dict[str, Any]
    source: str
    crop_sha256: str
    created_at: datetime


class ViewList(Answer):
    """All reference views of a product, oldest first."""

    items: list[ViewAnswer]


class EnrolledImage(Answer):
    """What became of one photo of an enrolment."""

    view_id: int | None = Field(description="null if the photo was refused")
    box: PixelBox
    quality: dict[str, Any]
    status: Literal["added", "duplicate", "refused"]
    complaints: list[str] = Field(description="why it was refused")


class Confusable(Answer):
    """An enrolled product that looks alike."""

    sku: str
    name: str
    similarity: float


class EnrollAnswer(Answer):
    """A stored product and its new views."""

    request_id: str
    product: ProductAnswer
    created: bool
    images: list[EnrolledImage]
    confusable: list[Confusable]
    index_revision: int


class Deleted(Answer):
    """The revision from which on nothing of it is found."""

    sku: str
    view_id: int | None = None
    index_revision: int


class RefusedRow(Answer):
    """A row of an import that was not stored."""

    line: int = Field(description="line of the CSV file, the header is line 1")
    sku: str
    code: str
    message: str


class ImportAnswer(Answer):
    """Report of an import; posting the same file again resumes it."""

    request_id: str
    rows: int
    created: int
    updated: int
    unchanged: int
    refused: list[RefusedRow]
    index_revision: int
