"""The tables of docs/ that are made from the code; `make docs` writes them, a test compares.

A page marks a table with `<!-- table: NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import typer
from fastapi.routing import APIRoute

from app import cli
from app.error_table import INTERNAL, TABLE
from app.routes import catalog, enroll, imports, recognition, system
from app.settings import describe

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def settings() -> str:
    rows = ([f"`{name}`", f"`{default}`", text] for name, default, text in describe())
    return table(["variable", "default", "meaning"], iter(rows))


def errors() -> str:
    unique = {row.code: row for row in [INTERNAL, *TABLE.values()]}
    ordered = sorted(unique.values(), key=lambda row: (row.status, row.code))
    rows = ([str(row.status), f"`{row.code}`", row.title] for row in ordered)
    return table(["status", "code", "meaning"], iter(rows))


def routes() -> str:
    rows = (
        [f"`{method} {route.path}`", route.summary or ""]
        for part in (recognition, enroll, catalog, imports, system)
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    )
    return table(["route", "what it does"], rows)


def commands() -> str:
    rows = ([f"`tillsight {name}`", text] for name, text in walk(typer.main.get_command(cli.app)))
    return table(["command", "what it does"], iter(rows))


def walk(command: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, first line of help) of every command below a group."""
    if not hasattr(command, "list_commands"):
        text = (getattr(command, "help", None) or "").strip().split("\n\n")[0]
        yield prefix.strip(), " ".join(text.split())
        return
    context = typer.Context(command)  # type: ignore[arg-type]
    for name in command.list_commands(context):
        yield from walk(command.get_command(context, name), f"{prefix} {name}")


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": errors,
    "routes": routes,
    "commands": commands,
}


def filled(text: str) -> str:
    """A page with every marked table made anew."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(filled(page.read_text()))
