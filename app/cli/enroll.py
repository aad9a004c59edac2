"""`tillsight enroll`: photos of a product -> reference views."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app import answers
from app.cli.common import commands, load_settings, out, print_json
from app.cli.storage import open_services
from app.enroller import OnConfusable
from app.money import format_price, parse_price
from app.receipt import Receipt
from app.strict_json import parse_attributes, parse_boxes
from indexer.records import ProductInput

app = commands()


@app.command()
def enroll(
    sku: Annotated[str, typer.Argument(help="SKU; a known one gets further views.")],
    photos: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Photos, one object each.")
    ],
    name: Annotated[str, typer.Option(help="What the receipt says.")],
    price: Annotated[str, typer.Option(help="Decimal price, such as 1.99.")],
    barcode: Annotated[str | None, typer.Option(help="Barcode.")] = None,
    category: Annotated[str | None, typer.Option(help="Category.")] = None,
    attributes: Annotated[str | None, typer.Option(help="Further data as a JSON object.")] = None,
    boxes: Annotated[
        str | None,
        typer.Option(help="JSON list with [x1,y1,x2,y2] in pixels, or null, per photo."),
    ] = None,
    on_confusable: Annotated[
        OnConfusable, typer.Option(help="What to do if it looks like another product.")
    ] = "warn",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add a product, or views to a product. The next `detect` finds it.

    Without --boxes the detector must find exactly one object on every photo.
    """
    settings = load_settings()
    currency = settings.catalog.currency
    product = ProductInput(
        sku=sku,
        name=name,
        price_minor=parse_price(price, currency),
        currency=currency,
        barcode=barcode,
        category=category,
        attributes=parse_attributes(attributes) if attributes else {},
    )
    given = parse_boxes(boxes) if boxes else None
    files = [photo.read_bytes() for photo in photos]
    with open_services(settings) as services:
        receipt = services.enroller.enroll(product, files, given, on_confusable, source="cli")
    if json:
        answer = answers.enrolled(receipt, "cli").model_dump(mode="json", exclude={"request_id"})
        print_json(answer)
    else:
        _print(receipt, photos)


def _print(receipt: Receipt, photos: list[Path]) -> None:
    product = receipt.product
    price = f"{format_price(product.price_minor, product.currency)} {product.currency}"
    done = "created" if receipt.created else "updated"
    typer.echo(f"{done} {product.sku}: {product.name}, {price}, {product.views} views")
    table = Table("Photo", "Status", "View", "Box", "Quality", "Complaints")
    for path, image in zip(photos, receipt.images, strict=True):
        table.add_row(
            path.name,
            image.status,
            "" if image.view_id is None else str(image.view_id),
            json_module.dumps([round(v) for v in image.box]),
            ", ".join(f"{key} {value:.3g}" for key, value in image.quality.items()),
            "; ".join(image.complaints),
        )
    out().print(table)
    for other in receipt.confusable:
        typer.echo(
            f"looks like {other.sku} ({other.name}), similarity {other.similarity:.2f}", err=True
        )
