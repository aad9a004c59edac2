"""A command whose dependency is imported when it runs."""

import typer

app = typer.Typer()


@app.command()
def learn() -> None:
    """Learn."""
    import package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401
