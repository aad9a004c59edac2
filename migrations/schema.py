"""The schema of a database: which one it has, and how to bring it up to date."""

from pathlib import Path
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from indexer.database import create_engine
from indexer.errors import SchemaOutdated
from indexer.transactions import reading, translated

UPGRADE_COMMAND = "tillsight db upgrade"
"""What a user runs to bring the schema up to date."""
_NEWER = "a version of tillsight that knows this schema"


def configuration(engine: Engine | None = None) -> Config:
    """The alembic configuration of this package; no file is needed."""
    config = Config()
    # Percent signs are interpolated by the configuration parser.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def head_revision() -> str:
    """The schema of this version of the program."""
    return cast(str, _scripts().get_current_head())


def current(engine: Engine) -> str | None:
    """The schema that the database has; None for an empty database."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(engine: Engine) -> None:
    """Raise SchemaOutdated if the database has another schema than this program."""
    found, expected = current(engine), head_revision()
    if found != expected:
        raise SchemaOutdated(found, expected, UPGRADE_COMMAND if _known(found) else _NEWER)


def upgrade(database: Engine | str, revision: str = "head") -> None:
    """Bring the schema up to `revision`; one transaction, harmless to repeat.

    Raises:
        SchemaOutdated: a newer version of the program made the schema.
    """
    _migrate(database, revision, up=True)


def downgrade(database: Engine | str, revision: str = "base") -> None:
    """Take the schema down to `revision`; drops what newer revisions have added."""
    _migrate(database, revision, up=False)


def _migrate(database: Engine | str, revision: str, *, up: bool) -> None:
    engine = create_engine(database) if isinstance(database, str) else database
    if engine.dialect.name == "sqlite":
        Path(cast(str, engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    try:
        found, head = current(engine), head_revision()
        if not _known(found):
            raise SchemaOutdated(found, head, _NEWER)
        if up and found == head:
            return  # without waiting for the lock of a writer
        with translated():
            move = command.upgrade if up else command.downgrade
            move(configuration(engine), revision)
    finally:
        if engine is not database:
            engine.dispose()


def _known(revision: str | None) -> bool:
    """Whether this version of the program knows the schema."""
    return revision in {None, *(script.revision for script in _scripts().walk_revisions())}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())
