"""What the HTTP API takes and answers, as pydantic models; conversions are in `app.answers`.
Those of the catalogue are in `app.catalog_schemas`.

Money is a decimal string ("1.99") in the currency of the installation, so that no client ever
rounds it through a binary float. Boxes are `[x1,y1,x2,y2]` in pixels of the upright image.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PixelBox = Annotated[
    list[float],
    Field(
        min_length=4,
        max_length=4,
        description="x1, y1, x2, y2 in pixels of the upright image",
        examples=[[118.0, 64.5, 310.0, 402.0]],
    ),
]
Money = Annotated[str, Field(description="decimal number in the currency of the installation")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Answer(BaseModel):
    """Base of every answer: built once by the server, never changed."""

    model_config = ConfigDict(frozen=True)


class Query(BaseModel):
    """Base of query parameters: an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """For routes without query parameters."""


class DetectQuery(Query):
    """Query parameters of /detect and /detect/batch."""

    top_k: int = Field(5, ge=1, le=20, description="candidates per object")
    min_score: float | None = Field(
        None, ge=0.0, le=1.0, description="drop objects below this detection score"
    )
    min_revision: int | None = Field(
        None,
        ge=0,
        le=2**62,
        description="wait until the index has read this revision (503 index_behind if it cannot)",
    )


class Size(Answer):
    """Size of the upright image in pixels."""

    width: int
    height: int


class RankedAnswer(Answer):
    """One candidate product for an object."""

    sku: str
    name: str
    price: Money
    similarity: float = Field(description="cosine similarity, -1 to 1")
    confidence: Share


class ItemAnswer(Answer):
    """One object on the photo; `sku`, `name` and `price` are null when it is unknown."""

    box: PixelBox
    score: Share = Field(description="detection score")
    decision: Literal["accept", "review", "unknown"]
    sku: str | None
    name: str | None
    price: Money | None
    similarity: float | None
    confidence: Share
    margin: float | None = Field(description="similarity ahead of the second product")
    candidates: list[RankedAnswer]


class BasketEntry(Answer):
    """Accepted objects of one product."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class ModelNames(Answer):
    """The networks behind an answer."""

    detector: str
    embedder: str
    space: str


class Timings(Answer):
    """Milliseconds per stage."""

    decode: float
    detect: float
    embed: float
    search: float
    decide: float
    total: float


class DetectAnswer(Answer):
    """One recognised photo."""

    request_id: str
    image: Size
    items: list[ItemAnswer]
    basket: list[BasketEntry] = Field(description="accepted objects only")
    total: Money
    currency: str
    needs_attention: int = Field(description="objects that were not accepted")
    index_revision: int
    models: ModelNames
    timings_ms: Timings


class ProblemItem(BaseModel):
    """One of several faults of a request. Further members depend on `code`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: str
    detail: str
    location: str | None = Field(description="what is meant: price, images[3], top_k")


class Problem(BaseModel):
    """RFC 9457 problem details. Further members depend on `code`, see docs/api.md."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="stable name of the error, for programs")
    request_id: str
    errors: list[ProblemItem]


class BatchAnswer(Answer):
    """One entry per image, in order: an answer, or a problem where that image failed."""

    request_id: str
    results: list[DetectAnswer | Problem]
    failed: int


class CheckAnswer(Answer):
    """One readiness check."""

    name: str
    ok: bool
    detail: str


class Ready(Answer):
    """Whether the server can answer /detect with a current index."""

    ready: bool
    checks: list[CheckAnswer]


class Health(Answer):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Version(Answer):
    """What runs."""

    version: str
    python: str
    models: ModelNames
    engine: str | None
    schema_revision: str | None
    index_revision: int
