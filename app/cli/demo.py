"""`tillsight demo`: a drawn catalogue, the server, and three commands to try."""

from typing import Annotated

import typer

from app import demo as drawn_demo
from app.cli.common import commands, load_settings, progress
from app.cli.serve import Host, Port, http_values
from app.cli.server import run
from app.cli.storage import open_services
from app.settings import Settings

app = commands()


@app.command()
def demo(
    host: Host = None,
    port: Port = None,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Start the server afterwards.")
    ] = True,
) -> None:
    """Enroll a drawn demo catalogue and start the server. Harmless to repeat.

    Photos to try are written to the folder `demo` of the data directory; three commands that use
    them are printed when the server is ready.
    """
    settings = load_settings(**http_values(host, port))
    prepare(settings)
    if serve:
        run(settings, lambda host, port: _invite(settings, host, port))


def prepare(settings: Settings) -> None:
    """Photos on disk and products in the catalog."""
    products = drawn_demo.demo_products()
    with open_services(settings) as services, progress() as bar:
        task = bar.add_task("demo products", total=len(products))
        added = drawn_demo.enroll_catalogue(
            services.enroller, services.catalog, services.currency, lambda _: bar.advance(task)
        )
    drawn_demo.write_photos(settings.data_dir / "demo")
    typer.echo(f"demo catalogue: {len(products)} products, {added} enrolled now")


def _invite(settings: Settings, host: str, port: int) -> None:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    typer.echo(f"\nTillsight answers at {url}, its API is described at {url}/docs. Try:\n")
    for comment, command in drawn_demo.commands(
        url, settings.data_dir / "demo", settings.catalog.currency
    ):
        typer.echo(f"# {comment}\n{command}\n")
