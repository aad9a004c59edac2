from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from indexer.database import create_engine
from indexer.errors import DatabaseUnavailable, SchemaOutdated
from indexer.tables import Base
from indexer.transactions import writing
from migrations import schema


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_up_from_nothing_equals_the_tables(engine: Engine) -> None:
    assert differences(engine) == []
    assert schema.current(engine) == schema.head_revision()
    schema.check(engine)


def test_a_missing_column_would_be_seen(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE views DROP COLUMN source"))
    assert len(differences(engine)) == 1


def test_down_leaves_nothing(engine: Engine) -> None:
    schema.downgrade(engine)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    assert schema.current(engine) is None
    schema.upgrade(engine)
    assert differences(engine) == []


def test_upgrade_keeps_what_is_there_and_may_be_repeated(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE head SET revision = 7"))
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT revision FROM head")).scalar_one() == 7


def test_an_empty_database_is_refused_with_the_command(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    engine = create_engine(database_url)
    with pytest.raises(SchemaOutdated, match="has no schema; run: tillsight db upgrade") as caught:
        schema.check(engine)
    assert caught.value.current is None
    assert caught.value.expected == schema.head_revision()
    engine.dispose()


def test_a_newer_schema_is_refused_with_other_advice(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (schema.check, schema.upgrade, schema.downgrade):
        with pytest.raises(SchemaOutdated, match="has schema 9999; run: a version of tillsight"):
            refuse(engine)


def test_a_current_schema_does_not_wait_for_a_writer(engine: Engine) -> None:
    """So a command that only reads works while another process imports."""
    with writing(engine):
        schema.upgrade(engine)  # the writer's lock is held above
        assert schema.current(engine) == schema.head_revision()


def test_a_failing_migration_changes_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the machine stopped here")

    monkeypatch.setattr("alembic.op.bulk_insert", fail)
    with pytest.raises(RuntimeError, match="stopped here"):
        schema.upgrade(database_url)
    engine = create_engine(database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_database_out_of_reach_is_told(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(DatabaseUnavailable):
        schema.upgrade(f"sqlite:///{tmp_path / 'catalog.db'}")
