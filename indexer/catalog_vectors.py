"""The vectors of the views, and the log by which an index follows them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Row, Select, delete, func, insert, select

from indexer.catalog_reads import select_views, to_view
from indexer.errors import BadVectors, SpaceMismatch
from indexer.records import Change, Counts, View
from indexer.tables import ChangeRow, EmbeddingRow, HeadRow, ProductRow, SpaceRow, ViewRow
from indexer.transactions import reading, writing

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

STORED = np.dtype("<f4")
"""How a vector lies in the database."""
NORM_TOLERANCE = 1e-3
"""How far the L2 norm of a stored vector may be from 1."""
CHUNK = 10_000
"""Most values in one IN (...): the databases allow 32 thousand parameters."""


class CatalogVectors:
    """Spaces, embeddings and changes. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def head(self) -> int:
        """The newest revision; 0 for a new catalog."""
        with reading(self._engine) as connection:
            return connection.execute(select(HeadRow.revision)).scalar_one()

    def changes_after(self, revision: int, limit: int = CHUNK) -> list[Change]:
        """The next changes after `revision`, oldest first, without gaps."""
        statement = (
            select(ChangeRow.revision, ChangeRow.view_id, ChangeRow.action)
            .where(ChangeRow.revision > revision)
            .order_by(ChangeRow.revision)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [Change(**row._mapping) for row in connection.execute(statement)]

    def live_vectors(
        self, space: str, after_id: int = 0, limit: int = CHUNK
    ) -> tuple[Ids, Vectors]:
        """Vectors of the views of active products, in the order of the ids.

        Args:
            after_id: The last id of the call before.

        Returns:
            ids int64 `[N]` and vectors float32 `[N,D]`; N is 0 at the end.
        """
        statement = (
            _live(space)
            .where(EmbeddingRow.view_id > after_id)
            .order_by(EmbeddingRow.view_id)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            dim = find_dim(connection, space)
            return _to_arrays(connection.execute(statement).all(), dim)

    def vectors(self, space: str, ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """The live vectors among `ids`, in the order of the ids; the others are absent.

        Returns:
            ids int64 `[N]` and vectors float32 `[N,D]`.
        """
        wanted = sorted({int(view_id) for view_id in ids})
        rows: list[Row[int, bytes]] = []
        with reading(self._engine) as connection:
            dim = find_dim(connection, space)
            for start in range(0, len(wanted), CHUNK):
                chunk = wanted[start : start + CHUNK]
                statement = _live(space).where(EmbeddingRow.view_id.in_(chunk))
                rows += connection.execute(statement.order_by(EmbeddingRow.view_id)).all()
        return _to_arrays(rows, dim)

    def counts(self) -> Counts:
        """How much is stored. Several SELECTs, each right at its moment."""
        live = (
            select(EmbeddingRow.space, func.count())
            .join(ViewRow, ViewRow.id == EmbeddingRow.view_id)
            .join(ProductRow, ProductRow.id == ViewRow.product_id)
            .where(ProductRow.active)
            .group_by(EmbeddingRow.space)
        )
        with reading(self._engine) as connection:
            spaces = connection.execute(select(SpaceRow.space)).scalars()
            vectors = dict.fromkeys(spaces, 0)
            for space, count in connection.execute(live):
                vectors[space] = count
            products = select(func.count()).select_from(ProductRow)
            return Counts(
                products=connection.execute(products).scalar_one(),
                active=connection.execute(products.where(ProductRow.active)).scalar_one(),
                views=connection.execute(select(func.count()).select_from(ViewRow)).scalar_one(),
                vectors=vectors,
            )

    def register_space(self, space: str, dim: int, embedder: str) -> None:
        """Make a space known; SpaceMismatch if it is known with another dimension."""
        if dim < 1:
            raise SpaceMismatch(f"space {space!r}: expected a dimension of 1 or more, got {dim}")
        with reading(self._engine) as connection:
            known = _dim(connection, space)
        if known is None:
            with writing(self._engine) as writer:
                # Again, now alone: another server may start at the same moment.
                known = _dim(writer.connection, space)
                if known is None:
                    row = {"space": space, "dim": dim, "embedder": embedder}
                    row |= {"created_at": datetime.now(UTC)}
                    writer.connection.execute(insert(SpaceRow), [row])
                    return
        if known != dim:
            raise SpaceMismatch(f"space {space!r} has dimension {known}, got {dim}")

    def add_embeddings(self, space: str, view_ids: Sequence[int], vectors: Vectors) -> int:
        """Store vectors of existing views, replacing those that are there; for re-embedding.

        Views that were deleted meanwhile are passed over.

        Args:
            vectors: float32 `[N,D]`, rows of norm 1, in the order of `view_ids`.

        Returns:
            The revision that includes them.
        """
        with writing(self._engine) as writer:
            connection = writer.connection
            check_vectors(vectors, len(view_ids), find_dim(connection, space))
            given = dict(zip(view_ids, vectors, strict=True))
            live: list[int] = []
            for start in range(0, len(view_ids), CHUNK):
                chunk = view_ids[start : start + CHUNK]
                live += connection.execute(
                    select(ViewRow.id).where(ViewRow.id.in_(chunk))
                ).scalars()
                connection.execute(
                    delete(EmbeddingRow).where(
                        EmbeddingRow.space == space, EmbeddingRow.view_id.in_(chunk)
                    )
                )
            live.sort()
            insert_vectors(connection, space, live, [given[view_id] for view_id in live])
            writer.log(live, "put")
            return writer.revision

    def views_without_embedding(self, space: str, limit: int = 100, after: int = 0) -> list[View]:
        """Views that have no vector in the space yet, by id, beginning after the id `after`."""
        embedded = select(EmbeddingRow.view_id).where(
            EmbeddingRow.space == space, EmbeddingRow.view_id == ViewRow.id
        )
        statement = (
            select_views()
            .where(~embedded.exists(), ViewRow.id > after)
            .order_by(ViewRow.id)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [to_view(row) for row in connection.execute(statement)]


def find_dim(connection: Connection, space: str) -> int:
    """The dimension of a space; SpaceMismatch if the space is unknown."""
    dim = _dim(connection, space)
    if dim is None:
        raise SpaceMismatch(f"space {space!r} is not registered")
    return dim


def check_vectors(vectors: Vectors, count: int, dim: int) -> None:
    """Refuse anything but finite float32 `[count,dim]` with rows of norm 1."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        kind = vectors.dtype if isinstance(vectors, np.ndarray) else type(vectors).__name__
        raise BadVectors(f"vectors: expected float32, got {kind}")
    if vectors.shape != (count, dim):
        raise BadVectors(f"vectors: expected shape {(count, dim)}, got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise BadVectors("vectors: expected finite values, got NaN or infinity")
    # float64: squares of large float32 overflow, which is a warning and not an answer.
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    off = np.abs(norms - 1.0) > NORM_TOLERANCE
    if off.any():
        row = int(off.argmax())
        raise BadVectors(f"vectors: expected rows of norm 1, row {row} has norm {norms[row]:.4g}")


def insert_vectors(
    connection: Connection,
    space: str,
    view_ids: Sequence[int],
    vectors: Sequence[Vectors] | Vectors,
) -> None:
    """Store one checked vector, float32 `[D]`, per view."""
    rows = [
        {"space": space, "view_id": view_id, "vector": vector.astype(STORED).tobytes()}
        for view_id, vector in zip(view_ids, vectors, strict=True)
    ]
    if rows:
        connection.execute(insert(EmbeddingRow), rows)


def _live(space: str) -> Select[int, bytes]:
    return (
        select(EmbeddingRow.view_id, EmbeddingRow.vector)
        .join(ViewRow, ViewRow.id == EmbeddingRow.view_id)
        .join(ProductRow, ProductRow.id == ViewRow.product_id)
        .where(EmbeddingRow.space == space, ProductRow.active)
    )


def _dim(connection: Connection, space: str) -> int | None:
    statement = select(SpaceRow.dim).where(SpaceRow.space == space)
    return connection.execute(statement).scalar_one_or_none()


def _to_arrays(rows: Sequence[Row[int, bytes]], dim: int) -> tuple[Ids, Vectors]:
    """Rows of `_live` as ids int64 `[N]` and vectors float32 `[N,D]`."""
    ids = np.array([row.view_id for row in rows], np.int64)
    for row in rows:
        if len(row.vector) != dim * STORED.itemsize:
            raise BadVectors(
                f"view {row.view_id}: expected {dim * STORED.itemsize} stored bytes,"
                f" got {len(row.vector)}"
            )
    joined = b"".join(row.vector for row in rows)
    return ids, np.frombuffer(joined, STORED).astype(np.float32).reshape(len(rows), dim)
