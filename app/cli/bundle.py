"""`tillsight bundle`: look at, verify and make network bundles."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from app.cli.common import ExitCode, commands, fail
from models.bundle import Bundle, load_bundle
from models.errors import BundleError, EngineUnavailable

app = commands("Look at, verify and make network bundles.")

PRECISIONS: tuple[Literal["bf16", "int8"], ...] = ("bf16", "int8")

BundlePath = Annotated[Path, typer.Argument(help="Bundle folder.")]


@app.command()
def info(path: BundlePath) -> None:
    """Show what a bundle is, what it was trained on and what was measured.

    The bundle is verified first.
    """
    bundle = load_bundle(path)
    manifest = bundle.manifest
    pixels = manifest.preprocess
    table = Table("", manifest.name, title=str(path))
    table.add_row("task", manifest.task)
    table.add_row("name", bundle.name)
    table.add_row("space", bundle.space)
    table.add_row("architecture", _pairs(manifest.architecture))
    table.add_row("input", f"{pixels.height} x {pixels.width}, {pixels.fit}")
    table.add_row("settings", _pairs(manifest.settings))
    table.add_row("metrics", _pairs(manifest.metrics))
    table.add_row("precisions", _losses(bundle))
    table.add_row("data", ", ".join(str(d.get("name")) for d in manifest.data))
    table.add_row("written", f"{manifest.created} by version {manifest.code_version}")
    size = sum((path / name).stat().st_size for name in manifest.files)
    table.add_row("size", f"{size / 1e6:.1f} MB in {len(manifest.files)} files")
    Console().print(table)


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="One or more bundle folders.")],
) -> None:
    """Check manifest and checksums of bundles.

    Exit code 1 if any is damaged; every bundle is checked.
    """
    damaged = 0
    for path in paths:
        try:
            bundle = load_bundle(path)
        except BundleError as error:
            damaged += 1
            typer.echo(f"damaged: {error}", err=True)
        else:
            typer.echo(f"ok: {path}: {bundle.manifest.task} {bundle.name}, space {bundle.space}")
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="Export folder of a training run.")],
    out: Annotated[Path, typer.Option("--out", help="Bundle folder to write.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the bundle, if not the run's.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a bundle that is there.")
    ] = False,
) -> None:
    """Turn the export folder of a training run into a bundle.

    Writes weights, OpenVINO graph, manifest and model card. Needs the extra [train].
    """
    with _training_extra():
        from models.train.export import export_run
    bundle = export_run(source, out, name=name, overwrite=overwrite)
    typer.echo(f"wrote {out}: {bundle.manifest.task} {bundle.name}, space {bundle.space}")


@app.command()
def measure(
    paths: Annotated[list[Path], typer.Argument(help="One or more bundle folders.")],
    photos: Annotated[
        Path, typer.Option("--photos", help="Folder with annotations.json (COCO) and images/.")
    ],
) -> None:
    """Measure what each precision costs and write it into the bundle.

    A precision is chosen by itself only where its loss was measured and is small. Those that this
    processor does not compute are left as they are. Needs the extra [train].
    """
    with _training_extra():
        from models.data.sources import trays
        from models.evaluate.precision import losses, scores
        from models.train.export import record
    samples = trays(photos)
    for path in paths:
        bundle = load_bundle(path)
        reference = scores(bundle, "fp32", samples)
        measured: dict[str, dict[str, float]] = {}
        for name in PRECISIONS:
            if name in bundle.manifest.precisions:
                try:
                    measured[name] = losses(reference, scores(bundle, name, samples))
                except EngineUnavailable as error:
                    typer.echo(f"skipped {name}: {error}", err=True)
        record(bundle, metrics={f"fp32 on {photos.name}": reference}, losses=measured)
        typer.echo(f"{path}: fp32 {reference}, lost {measured}")


@contextmanager
def _training_extra() -> Iterator[None]:
    """A missing package of the training extra -> one line that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = (
            f"{error.name} is not installed; this command needs: pip install 'tillsight[train]'"
        )
        fail(message, "extra_missing", ExitCode.NOT_READY)


def _pairs(values: object) -> str:
    """Nested mappings as one line per leaf, with dotted names."""
    lines: list[str] = []

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                walk(child, f"{name}.{key}" if name else str(key))
        else:
            lines.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")

    walk(values, "")
    return "\n".join(lines)


def _losses(bundle: Bundle) -> str:
    """One line per precision with the accuracy it loses against fp32."""
    lines = []
    for name, offer in bundle.manifest.precisions.items():
        if name == "fp32":
            lines.append("fp32: the reference")
        elif offer.loss is None:
            lines.append(f"{name}: loss not measured, never chosen by itself")
        else:
            losses = ", ".join(f"{metric} {value:+.4f}" for metric, value in offer.loss.items())
            lines.append(f"{name}: loses {losses}")
    return "\n".join(lines)
