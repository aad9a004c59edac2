"""the catalog: products, views, vectors, the log of changes

Revision: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_catalog()
    _create_vectors()
    _create_log()
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "head",
        "changes",
        "embeddings",
        "spaces",
        "views",
        "products",
    ):
        op.drop_table(table)


def _create_catalog() -> None:
    op.create_table(
        "products",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("barcode", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_products_price_minor")),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("barcode", name="uq_products_barcode"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_products_category", "products", ["category"])
    op.create_table(
        "views",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("product_id", ROW_ID, nullable=False),
        sa.Column("crop_sha256", sa.String(64), nullable=False),
        sa.Column("box", JSON, nullable=True),
        sa.Column("quality", JSON, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_views_product_id"),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_views_crop_sha256", "views", ["crop_sha256"])
    op.create_index("ix_views_product_id", "views", ["product_id"])


def _create_vectors() -> None:
    op.create_table(
        "spaces",
        sa.Column("space", sa.String(64), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("embedder", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("space", name="pk_spaces"),
    )
    op.create_table(
        "embeddings",
        sa.Column("space", sa.String(64), nullable=False),
        sa.Column("view_id", ROW_ID, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["space"], ["spaces.space"], name="fk_embeddings_space"),
        sa.ForeignKeyConstraint(["view_id"], ["views.id"], name="fk_embeddings_view_id"),
        sa.PrimaryKeyConstraint("space", "view_id", name="pk_embeddings"),
    )
    op.create_index("ix_embeddings_view_id", "embeddings", ["view_id"])


def _create_log() -> None:
    op.create_table(
        "changes",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("view_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(4), nullable=False),
        sa.CheckConstraint("action IN ('put', 'drop')", name=op.f("ck_changes_action")),
        sa.PrimaryKeyConstraint("revision", name="pk_changes"),
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_head_single")),
        sa.PrimaryKeyConstraint("id", name="pk_head"),
    )
    # The row that every writer locks; there is never another.
    op.bulk_insert(head, [{"id": 1, "revision": 0}])
