"""The tables of the catalog (SQLAlchemy 2, declarative).

products -< views -< embeddings >- spaces, and next to them the log of the vector index
(changes, head) and the answers to requests with an idempotency key.
A change of these classes needs a migration; a test compares the two.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only in a column that is declared exactly INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")
BoxJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC on every database (SQLite itself forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Python to database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Database to Python."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can speak of them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ProductRow(Base):
    """A thing that is sold. Prices are integers in minor units of the installation's currency."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="price_minor"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sku: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str] = mapped_column(String)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    barcode: Mapped[str | None] = mapped_column(String, unique=True)
    category: Mapped[str | None] = mapped_column(String, index=True)
    attributes: Mapped[dict[str, Any]] = mapped_column(Json)
    active: Mapped[bool]
    version: Mapped[int]
    # Name, sku and barcode, case-folded: neither database folds all of Unicode by itself.
    search_text: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ViewRow(Base):
    """One reference crop of a product. The id is the id in the vector index and is never reused."""

    __tablename__ = "views"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    crop_sha256: Mapped[str] = mapped_column(String(64), index=True)
    box: Mapped[list[float] | None] = mapped_column(BoxJson)
    quality: Mapped[dict[str, Any]] = mapped_column(Json)
    source: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SpaceRow(Base):
    """A vector space: what one embedder with one preprocessing produces."""

    __tablename__ = "spaces"

    space: Mapped[str] = mapped_column(String(64), primary_key=True)
    dim: Mapped[int]
    embedder: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EmbeddingRow(Base):
    """The vector of a view in a space: D little-endian float32, norm 1."""

    __tablename__ = "embeddings"

    space: Mapped[str] = mapped_column(ForeignKey("spaces.space"), primary_key=True)
    view_id: Mapped[int] = mapped_column(ForeignKey("views.id"), primary_key=True, index=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class ChangeRow(Base):
    """One step of the vector index: a view to read again (put) or to forget (drop)."""

    __tablename__ = "changes"
    __table_args__ = (CheckConstraint("action IN ('put', 'drop')", name="action"),)

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # Not a foreign key: the log outlives the views.
    view_id: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(4))


class HeadRow(Base):
    """The one row that every writer updates first; holds the newest revision."""

    __tablename__ = "head"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)


class IdempotencyRow(Base):
    """The answer to a request that carried an idempotency key."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String, primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
