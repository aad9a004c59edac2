"""`tillsight products`: look at and change the catalog."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app import answers
from app.cli.common import (
    ExitCode,
    commands,
    load_settings,
    out,
    print_error,
    print_json,
    progress,
)
from app.cli.storage import open_catalog, open_services
from app.import_photos import FolderPhotos
from app.importer import Importer, Outcome, Report
from app.money import format_price
from app.product_csv import Row, read_rows, write_rows
from indexer.catalog import Catalog
from indexer.records import Product

app = commands("Look at and change the catalog.")

PAGE = 500
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Search = Annotated[str | None, typer.Option(help="Part of the SKU, name or barcode.")]
Category = Annotated[str | None, typer.Option(help="Only this category.")]
Sku = Annotated[str, typer.Argument(help="SKU of the product.")]


@app.command("list")
def list_products(
    search: Search = None,
    category: Category = None,
    limit: Annotated[int, typer.Option(min=1, help="Most products shown.")] = 100,
    json: Json = False,
) -> None:
    """List products in the order of their creation."""
    with open_catalog(load_settings()) as catalog:
        page = catalog.products(search, category, None, limit)
    if json:
        print_json([answers.product_answer(p).model_dump(mode="json") for p in page.items])
        return
    table = Table("SKU", "Name", "Price", "Category", "Views", "Active")
    table.columns[2].justify = table.columns[4].justify = "right"
    for p in page.items:
        price = f"{format_price(p.price_minor, p.currency)} {p.currency}"
        active = "yes" if p.active else "no"
        table.add_row(p.sku, p.name, price, p.category or "", str(p.views), active)
    out().print(table)
    if page.next_cursor is not None:
        typer.echo(f"there are more than {limit}; see --limit and --search", err=True)


@app.command()
def show(sku: Sku, json: Json = False) -> None:
    """Show one product with its reference views."""
    with open_catalog(load_settings()) as catalog:
        product, views = catalog.product(sku), catalog.views(sku)
    plain = answers.product_answer(product).model_dump(mode="json")
    if json:
        shown = [answers.view_answer(view).model_dump(mode="json") for view in views]
        print_json({**plain, "reference_views": shown})
        return
    table = Table("", product.name, show_header=True)
    for name, value in plain.items():
        table.add_row(name, "" if value is None else str(value))
    out().print(table)
    seen = Table("View", "Source", "Added", "Quality", "Crop")
    for view in views:
        quality = ", ".join(f"{name} {value:g}" for name, value in view.quality.items())
        added = view.created_at.isoformat(timespec="seconds")
        seen.add_row(str(view.id), view.source, added, quality, view.crop_sha256[:12])
    out().print(seen)


@app.command()
def delete(
    sku: Sku,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a product with its views, vectors and crops. This cannot be undone."""
    with open_catalog(load_settings()) as catalog:
        product = catalog.product(sku)
        if not yes:
            typer.confirm(f"Delete {product.name} with {product.views} views?", abort=True)
        revision = catalog.delete_product(sku)
    typer.echo(f"deleted {sku}; not found from revision {revision} on")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="CSV file to write, - for standard output.")],
    search: Search = None,
    category: Category = None,
) -> None:
    """Write products as CSV, in the columns that `import` reads."""
    with open_catalog(load_settings()) as catalog:
        lines = write_rows(_all(catalog, search, category))
        if str(file) == "-":
            for line in lines:
                typer.echo(line, nl=False)
            return
        # Beside the target first, so that a failure never leaves half a file under its name.
        partial = file.with_name(file.name + ".part")
        try:
            with partial.open("w", encoding="utf-8", newline="") as handle:
                handle.writelines(lines)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


@app.command("import")
def import_products(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV file.")],
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of the photos; default: that of the file."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Import products from CSV and photos; run it again to resume.

    Columns: sku, name, price, and optionally currency, barcode, category, attributes, active,
    images (photo files, separated by |), boxes. Refused rows are listed and end in exit code 1.
    """
    settings = load_settings()
    rows = read_rows(file.read_bytes())
    with open_services(settings) as services, progress() as bar:
        task = bar.add_task("products", total=len(rows))

        def advance(_row: Row, _outcome: Outcome) -> None:
            bar.advance(task)

        importer = Importer(services.enroller, services.catalog, services.currency)
        report = importer.run(rows, FolderPhotos(images or file.parent, settings.limits), advance)
    _print_report(report, json)
    if report.refused:
        raise typer.Exit(ExitCode.FAILED)


def _print_report(report: Report, json: bool) -> None:
    if json:
        refused = [asdict(r) for r in report.refused]
        counts = {name: getattr(report, name) for name in ("created", "updated", "unchanged")}
        print_json(
            {
                "rows": report.rows,
                **counts,
                "refused": refused,
                "index_revision": report.revision,
            }
        )
        return
    typer.echo(
        f"{report.rows} rows: {report.created} created, {report.updated} updated, "
        f"{report.unchanged} unchanged, {len(report.refused)} refused"
    )
    for line in report.refused:
        print_error(f"line {line.line}, {line.sku}: {line.message}", line.code)


def _all(catalog: Catalog, search: str | None, category: str | None) -> Iterator[Product]:
    cursor = None
    while True:
        page = catalog.products(search, category, cursor, PAGE)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
