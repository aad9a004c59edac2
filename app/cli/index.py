"""`tillsight index`: look at, check and renew the vector index.

The index is a projection of the catalog. Each process keeps its own in memory, so these commands
work on what a server would start from: the newest snapshot and the catalog.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from app.cli.common import (
    ExitCode,
    commands,
    load_settings,
    out,
    print_error,
    print_json,
    progress,
)
from app.cli.storage import open_services
from app.crop_check import unreadable_crops
from app.reembed import Reembedded, reembed
from app.settings import variable

if TYPE_CHECKING:
    from app.services import Services

app = commands("The vector index.")

SHOWN = 20
"""Most ids of one kind that are printed."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def stats(json: Json = False) -> None:
    """Show what is in the index and in the catalog."""
    with open_services(load_settings()) as services:
        found = _stats(services)
    if json:
        print_json(found)
        return
    table = Table("", "Index", show_header=False)
    for name, value in found.items():
        table.add_row(name, str(value))
    out().print(table)


@app.command()
def verify(
    sample: Annotated[int, typer.Option(min=0, help="Vectors that are compared.")] = 1000,
    crops: Annotated[bool, typer.Option(help="Read every stored crop too.")] = True,
    json: Json = False,
) -> None:
    """Compare the index with the catalog: all ids, a sample of the vectors, all crops.

    Exit code 1 if anything differs. `index rebuild` repairs the index; a lost crop needs a new
    photo.
    """
    with open_services(load_settings()) as services:
        result = services.projection.verify(sample, np.random.default_rng())
        damaged = _check_crops(services) if crops else []
    found: dict[str, Any] = {
        "ok": result.ok and not damaged,
        "revision": result.revision,
        "vectors": result.rows,
        "sampled": result.sampled,
        "missing": list(result.missing),
        "extra": list(result.extra),
        "different": list(result.different),
        "unreadable_crops": damaged,
    }
    if json:
        print_json(found)
    for name in ("missing", "extra", "different", "unreadable_crops"):
        if found[name] and not json:
            print_error(f"{name}: {_some(found[name])}", "index_differs")
    if not found["ok"]:
        raise typer.Exit(ExitCode.FAILED)
    if not json:
        vectors = f"{result.rows} vectors, {result.sampled} of them compared"
        out().print(f"ok: {vectors}, at revision {result.revision}")


@app.command()
def rebuild() -> None:
    """Build the index anew from the catalog and write a snapshot.

    A running server keeps the index that it has; restart it to use this one.
    """
    with open_services(load_settings()) as services:
        services.projection.rebuild()
        folder = services.projection.snapshot()
        count, revision = len(services.projection), services.projection.revision
    out().print(f"rebuilt {count} vectors at revision {revision}: {folder}", soft_wrap=True)


@app.command()
def snapshot() -> None:
    """Write a snapshot, so that the next server starts without reading every vector."""
    with open_services(load_settings()) as services:
        folder = services.projection.snapshot()
        revision = services.projection.revision
    out().print(f"snapshot of revision {revision}: {folder}", soft_wrap=True)


@app.command("reembed")
def reembed_command(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Bundle of the new embedder; otherwise the configured one."),
    ] = None,
    json: Json = False,
) -> None:
    """Compute vectors of another embedder from the stored crops, while the present one serves.

    May be interrupted at any time: the next run continues. Then set the embedder's variable to
    the new bundle, restart the server, and run this once more without --to for what was enrolled
    in between. Exit code 1 if a crop could not be read.
    """
    values: dict[str, Any] = {} if to is None else {"bundles": {"embedder": to}}
    with open_services(load_settings(**values)) as services, progress() as bar:
        task = bar.add_task("crops", total=None)
        done = reembed(
            services.catalog,
            services.networks.embedder,
            on_progress=lambda seen, total: bar.update(task, completed=seen, total=total),
        )
        services.projection.catch_up(at_least=done.revision)
    _report(done, to, json)
    if done.unreadable:
        print_error(f"unreadable crops of views: {_some(done.unreadable)}", "crop_unreadable")
        raise typer.Exit(ExitCode.FAILED)


def _report(done: Reembedded, to: Path | None, json: bool) -> None:
    """Say what was done and what to do next."""
    if json:
        print_json(
            {
                "space": done.space,
                "done": done.done,
                "deleted_meanwhile": done.gone,
                "unreadable": list(done.unreadable),
                "revision": done.revision,
            }
        )
        return
    out().print(f"{done.done} views embedded in space {done.space}", soft_wrap=True)
    if to is not None:
        name = variable("bundles", "embedder")
        out().print(f"to serve it, restart with {name}={to}", soft_wrap=True)


def _stats(services: "Services") -> dict[str, Any]:
    """Index and catalog in numbers."""
    projection = services.projection
    counts = services.catalog.counts()
    folder = services.settings.snapshots_dir
    snapshots = sorted(path.name for path in folder.glob(f"{projection.space}-*"))
    return {
        "space": projection.space,
        "embedder": services.networks.embedder.name,
        **projection.describe(),
        "revision": projection.revision,
        "lag": projection.lag(),
        "snapshots": snapshots,
        "products": counts.products,
        "active_products": counts.active,
        "views": counts.views,
        "vectors_by_space": counts.vectors,
    }


def _check_crops(services: "Services") -> list[str]:
    """Messages about crops that are missing or damaged."""
    with progress() as bar:
        task = bar.add_task("crops", total=services.catalog.counts().views)
        damaged = unreadable_crops(services.catalog, lambda count: bar.advance(task, count))
    return [str(error) for error in damaged]


def _some(values: list[Any] | tuple[Any, ...]) -> str:
    """The first few values and how many there are."""
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(map(str, values[:SHOWN])) + more
