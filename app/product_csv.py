"""Products as CSV: the columns, reading with line numbers, writing.

A file is UTF-8, has a header, and separates by comma, semicolon or tab. Needed are `sku`, `name`
and `price`. `images` names photo files, separated by `|`; `boxes` is JSON as in /enroll. A blank
cell keeps what is stored.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.errors import InvalidInput
from app.money import format_price
from indexer.records import Product

NEEDED = ("sku", "name", "price")
EXPORTED = (*NEEDED, "currency", "barcode", "category", "attributes", "active", "views")
KNOWN = (*EXPORTED, "images", "boxes")
MEDIA_TYPE = "text/csv"


@dataclass(frozen=True, slots=True)
class Row:
    """One record: the line on which it ends, the header being line 1, and its trimmed cells."""

    line: int
    cells: Mapping[str, str]

    @property
    def sku(self) -> str:
        """The SKU as written; may be blank."""
        return self.cells.get("sku", "")


def read_rows(data: bytes) -> list[Row]:
    """All records of a file; InvalidInput if it is no such file as a whole."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"csv: expected UTF-8, got other bytes at {exc.start}", "csv") from exc
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(columns)
        return [_row(reader.line_num, columns, cells) for cells in reader if any(cells)]
    except csv.Error as exc:
        raise InvalidInput(f"csv: line {reader.line_num}: {exc}", "csv") from exc


def write_rows(products: Iterable[Product]) -> Iterator[str]:
    """A file in pieces: the header, then one line per product; `read_rows` reads it again."""
    yield _line(EXPORTED)
    for product in products:
        yield _line(
            (
                product.sku,
                product.name,
                format_price(product.price_minor, product.currency),
                product.currency,
                product.barcode or "",
                product.category or "",
                json.dumps(product.attributes, ensure_ascii=False) if product.attributes else "",
                "true" if product.active else "false",
                str(product.views),
            )
        )


def _check_columns(columns: list[str]) -> None:
    missing = [name for name in NEEDED if name not in columns]
    unknown = [name for name in columns if name not in KNOWN]
    if missing or unknown or len(set(columns)) < len(columns):
        raise InvalidInput(
            f"csv: expected a header with {', '.join(NEEDED)} and optionally "
            f"{', '.join(KNOWN[len(NEEDED) :])}; got {', '.join(columns)[:200] or 'nothing'}",
            "csv",
        )


def _row(line: int, columns: list[str], cells: list[str]) -> Row:
    # Too many cells are kept under a name that no column has: the row is refused, not the file.
    extra = {"": "|".join(cells[len(columns) :])} if len(cells) > len(columns) else {}
    trimmed = (cell.strip() for cell in cells)
    return Row(line, {**dict(zip(columns, trimmed, strict=False)), **extra})


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
