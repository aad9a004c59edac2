"""`tillsight detect`: name and price everything on photos."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app import answers, drawing, images
from app.cli.common import (
    ExitCode,
    commands,
    fail,
    load_settings,
    out,
    print_error,
    print_json,
    progress,
)
from app.cli.storage import open_services
from app.error_table import row
from app.errors import AppError
from app.money import format_price
from app.recognition import Recognition
from app.services import Services

app = commands()


@app.command()
def detect(
    photos: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Photos.")],
    top_k: Annotated[int, typer.Option(min=1, max=20, help="Candidates per object.")] = 5,
    min_score: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Least detection score.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per photo.")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Write copies with boxes and labels to this folder."),
    ] = None,
) -> None:
    """Name and price everything on photos.

    A photo that cannot be used is reported and the others go on; the exit code is then 1.
    """
    settings = load_settings()
    if annotate is not None:
        try:
            annotate.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            fail(f"{annotate}: {exc.strerror}", "not_writable")
    failed = 0
    with open_services(settings) as services, progress() as bar:
        for photo in bar.track(photos, description="photos"):
            try:
                found = services.recognizer.recognize_bytes(
                    photo.read_bytes(), top_k=top_k, min_score=min_score
                )
            except AppError as exc:
                failed += 1
                print_error(f"{photo}: {exc}", row(exc).code)
                continue
            _print(photo, found, services.currency, json)
            if annotate is not None:
                _annotate(photo, found, services, annotate)
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _print(photo: Path, found: Recognition, currency: str, json: bool) -> None:
    if json:
        answer = answers.recognized(found, "cli", currency)
        plain = answer.model_dump(mode="json", exclude={"request_id"})
        print_json({"photo": str(photo), **plain})
        return
    table = Table("Decision", "Product", "Price", "Similarity", "Score", "Box", title=str(photo))
    for item in found.items:
        product = item.product
        table.add_row(
            item.outcome,
            product.name if product else "",
            format_price(product.price_minor, product.currency) if product else "",
            f"{item.similarity:.2f}" if item.candidates else "",
            f"{item.score:.2f}",
            " ".join(str(round(value)) for value in item.box),
        )
    out().print(table)
    total = format_price(found.total_minor, currency)
    typer.echo(
        f"{len(found.items)} objects, {found.needs_attention} need attention, "
        f"total {total} {currency}, {found.timings_ms['total']:.0f} ms"
    )


def _annotate(photo: Path, found: Recognition, services: Services, folder: Path) -> None:
    image = images.decode(photo.read_bytes(), services.settings.limits)
    canvas = drawing.draw(image, [answers.drawn(item) for item in found.items])
    target = folder / f"{photo.stem}.annotated.jpg"
    target.write_bytes(drawing.encode(canvas, "jpeg"))
