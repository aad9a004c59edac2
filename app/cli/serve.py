"""`tillsight serve`: the HTTP server."""

from typing import Annotated, Any

import typer

from app.cli.common import commands, load_settings
from app.cli.server import run

app = commands()

Host = Annotated[
    str | None, typer.Option(help="Address to listen on. Default: TILLSIGHT_HTTP__HOST.")
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port, 0 = any. Default: TILLSIGHT_HTTP__PORT."),
]


def http_values(host: str | None, port: int | None) -> dict[str, Any]:
    """The options that were given, as values of the settings group `http`."""
    given = {"host": host, "port": port}
    values = {name: value for name, value in given.items() if value is not None}
    return {"http": values} if values else {}


@app.command()
def serve(host: Host = None, port: Port = None) -> None:
    """Start the server and run until interrupted.

    The embedded database is upgraded by itself; another one must be brought up to date with
    `tillsight db upgrade` before. Logs are JSON on standard error, one line a request.
    """
    run(load_settings(**http_values(host, port)))
