"""`tillsight db`: the schema of the database."""

from typing import Annotated

import typer

from app.cli.common import ExitCode, commands, load_settings, out, print_json, report
from app.cli.storage import open_database
from indexer.errors import SchemaOutdated
from migrations import schema

app = commands("The schema of the database.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def upgrade() -> None:
    """Bring the schema up to date. Harmless to repeat; run it before a new version serves."""
    with open_database(load_settings()) as database:
        before = schema.current(database)
        schema.upgrade(database)
        after = schema.current(database)
    moved = f"{before or 'an empty database'} to {after}"
    out().print("already at " + str(after) if before == after else "upgraded from " + moved)


@app.command()
def current(json: Json = False) -> None:
    """Show the schema of the database and the one that this version needs."""
    with open_database(load_settings()) as database:
        found = schema.current(database)
    expected = schema.head_revision()
    if json:
        print_json({"current": found, "expected": expected, "ok": found == expected})
    else:
        out().print(f"database {found or 'empty'}, this version {expected}")


@app.command()
def check() -> None:
    """Exit with 0 if the schema is the one that this version needs, else with 1."""
    with open_database(load_settings()) as database:
        try:
            schema.check(database)
        except SchemaOutdated as exc:
            report(exc)
            raise typer.Exit(ExitCode.FAILED) from exc
    out().print(f"ok: {schema.head_revision()}")
