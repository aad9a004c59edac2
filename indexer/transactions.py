"""Read and write transactions, and the log of the vector index.

Revision order is commit order: a writer updates the one `head` row before anything else and so
holds its lock until it commits. A reader that has seen revision 11 can therefore rely on having
been able to see 10, which an ordinary sequence does not promise.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from indexer.database import WRITE_OPTION
from indexer.errors import DatabaseUnavailable, StorageFull
from indexer.tables import ChangeRow, HeadRow

_DISK_FULL_POSTGRES = "53100"
_SCHEMA_GONE_POSTGRES = ("42P01", "42703")  # undefined table, undefined column
_DISK_FULL_SQLITE = "SQLITE_FULL"


@dataclass
class Writer:
    """A write transaction that holds the head lock.

    Attributes:
        connection: Where the statements of the transaction go.
        revision: The newest revision, including what this transaction has logged.
    """

    connection: Connection
    revision: int

    def log(self, view_ids: Sequence[int], action: Literal["put", "drop"]) -> None:
        """Append one change per view, in the given order."""
        if not view_ids:
            return
        first = self.revision + 1
        rows = [
            {"revision": first + offset, "view_id": view_id, "action": action}
            for offset, view_id in enumerate(view_ids)
        ]
        self.connection.execute(insert(ChangeRow), rows)
        self.revision = self._advance(len(rows))

    def _advance(self, count: int) -> int:
        statement = (
            update(HeadRow)
            .where(HeadRow.id == 1)
            .values(revision=HeadRow.revision + count)
            .returning(HeadRow.revision)
        )
        return self.connection.execute(statement).scalar_one()

    @classmethod
    def open(cls, connection: Connection) -> "Writer":
        """Take the head lock; waits for the writer that holds it."""
        writer = cls(connection, 0)
        writer.revision = writer._advance(0)
        return writer


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for statements that only read."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Writer]:
    """A transaction that holds the head lock; commits at the end, rolls back on an exception."""
    with translated(), engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        yield Writer.open(connection)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver as errors of this package; mistakes in statements pass unchanged."""
    try:
        yield
    except DBAPIError as error:
        mistake = isinstance(error, IntegrityError | ProgrammingError | DataError)
        # SQLite calls a missing table operational; PostgreSQL calls it a wrong statement.
        if mistake and getattr(error.orig, "sqlstate", None) not in _SCHEMA_GONE_POSTGRES:
            raise
        if _disk_full(error):
            raise StorageFull(f"the database has no space left: {error.orig}") from error
        raise DatabaseUnavailable(f"the database is not available: {error.orig}") from error
    except PoolTimeout as error:
        raise DatabaseUnavailable(f"every database connection is in use: {error}") from error


def _disk_full(error: DBAPIError) -> bool:
    cause = error.orig
    return (
        getattr(cause, "sqlstate", None) == _DISK_FULL_POSTGRES
        or getattr(cause, "sqlite_errorname", None) == _DISK_FULL_SQLITE
    )
