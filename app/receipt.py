"""The answer to an enrolment, and its plain form that is stored with an idempotency key."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from app.quality import Quality
from indexer.records import Product

Box = tuple[float, float, float, float]
Status = Literal["added", "duplicate", "refused"]


@dataclass(frozen=True, slots=True)
class EnrolledPhoto:
    """What became of one photo.

    Attributes:
        view_id: the reference view that it became, or for a duplicate the one there already;
            None if it was refused.
        box: of the object, x1, y1, x2, y2 in pixels of the upright photo.
        quality: the numbers of `app.quality.Quality`.
        status: added, duplicate (same pixels as a view of this product) or refused.
        complaints: why it was refused.
    """

    view_id: int | None
    box: Box
    quality: Mapping[str, float]
    status: Status
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Another product that the new views resemble; cosine similarity of the nearest pair."""

    sku: str
    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an enrolment has done.

    Attributes:
        created: False if the product was there before.
        images: one entry per photo, in order.
        confusable: most similar first.
        revision: an index at this revision knows the new views.
    """

    product: Product
    created: bool
    images: tuple[EnrolledPhoto, ...]
    confusable: tuple[LookAlike, ...]
    revision: int

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads."""
        values = asdict(self)
        for name in ("created_at", "updated_at"):
            values["product"][name] = values["product"][name].isoformat()
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Receipt":
        """The inverse of `to_json`, also after the values went through a JSON column."""
        product = dict(values["product"])
        for name in ("created_at", "updated_at"):
            product[name] = datetime.fromisoformat(product[name])
        return cls(
            product=Product(**product),
            created=values["created"],
            images=tuple(_photo(v) for v in values["images"]),
            confusable=tuple(LookAlike(**v) for v in values["confusable"]),
            revision=values["revision"],
        )


def _photo(values: Mapping[str, Any]) -> EnrolledPhoto:
    x1, y1, x2, y2 = values["box"]
    return EnrolledPhoto(
        view_id=values["view_id"],
        box=(x1, y1, x2, y2),
        # In the order of the first answer, which a JSON column does not keep.
        quality={name: values["quality"][name] for name in Quality.__dataclass_fields__},
        status=values["status"],
        complaints=tuple(values["complaints"]),
    )
