"""The command line `tillsight`: one module per command group, imported when it is used."""

from typing import Annotated

import typer

from app.cli.common import Group, LazyGroup

__all__ = ["app", "main"]


class Commands(LazyGroup):
    """All commands, in the order of the help page."""

    groups = {  # noqa: RUF012  (a table, never changed)
        "serve": Group("app.cli.serve", "Start the server."),
        "demo": Group("app.cli.demo", "Enroll a drawn demo catalogue and start the server."),
        "detect": Group("app.cli.detect", "Name and price everything on photos."),
        "enroll": Group("app.cli.enroll", "Add a product, or views to a product."),
        "products": Group("app.cli.products", "Look at and change the catalog."),
        "db": Group("app.cli.db", "The schema of the database."),
        "index": Group("app.cli.index", "The vector index.", "cpu"),
        "bundle": Group("app.cli.bundle", "Look at, verify and make network bundles."),
        "train": Group("app.cli.train", "Train networks from recipes.", "train"),
        "evaluate": Group("app.cli.evaluate", "Measure the pipeline on annotated photos.", "cpu"),
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from TILLSIGHT_... variables, see docs/operations.md. Exit codes: "
    "0 done, 1 refused or a check failed, 2 wrong usage, 3 not ready (settings, database, bundle, "
    "extra).",
)


def _version(wanted: bool) -> None:
    if wanted:
        from app.routes.system import package_version

        typer.echo(f"tillsight {package_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Recognition for self-checkout: a photo of a tray in, named and priced items out."""


def main() -> None:
    """Entry point of the `tillsight` command."""
    app()
