"""POST /products/import: a CSV file and photos as one upload."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.catalog_schemas import ImportAnswer, RefusedRow
from app.errors import InvalidInput, UnsupportedMedia
from app.import_photos import MAX_CSV_BYTES, Photos, UploadedPhotos, ZipPhotos
from app.importer import Importer
from app.product_csv import MEDIA_TYPE as CSV
from app.product_csv import Row, read_rows
from app.routes import examples
from app.routes.common import NO_QUERY, InService, RequestId, follow, json_answer, note
from app.routes.problems import documented
from app.uploads import MULTIPART, check_image, content_type, limited, read_form

router = APIRouter(tags=["catalog"])

ZIP = ("application/zip", "application/x-zip-compressed")
MAX_PHOTOS = 2000
_BINARY = {"type": "string", "format": "binary"}
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {**_BINARY, "description": "a CSV file, or a ZIP with it and photos"},
                    "images": {"type": "array", "items": _BINARY},
                },
            }
        },
        ZIP[0]: {"schema": _BINARY},
        CSV: {
            "schema": {"type": "string"},
            "examples": {
                "prices": {
                    "summary": "New prices; only known products need no photos",
                    "value": examples.IMPORT,
                }
            },
        },
    },
}


@dataclass(frozen=True, slots=True)
class Batch:
    """A parsed import: its rows, and where their photos are."""

    rows: Sequence[Row]
    photos: Photos


async def import_body(request: Request, services: InService) -> Batch:
    """The upload: multipart, a ZIP archive, or a CSV file without photos."""
    limits, kind = services.settings.limits, content_type(request)
    if kind == MULTIPART:
        return await _multipart(request, services)
    if kind not in (*ZIP, CSV):
        raise UnsupportedMedia(
            f"expected {MULTIPART}, {ZIP[0]} or {CSV}, got {kind or 'no content type'}"
        )
    limit = MAX_CSV_BYTES if kind == CSV else limits.max_request_bytes
    data = b"".join([chunk async for chunk in limited(request, limit)])
    if kind == CSV:
        return Batch(read_rows(data), UploadedPhotos({}))
    archive = ZipPhotos(data, limits)
    return Batch(read_rows(archive.csv()), archive)


@router.post(
    "/products/import",
    response_model=ImportAnswer,
    summary="Import products from CSV and photos",
    responses={
        200: examples.answer(examples.IMPORTED),
        **documented(400, 413, 415, 422, 503, 507),
    },
    openapi_extra={"requestBody": BODY},
    dependencies=[NO_QUERY],
)
def import_products(
    request: Request,
    services: InService,
    request_id: RequestId,
    batch: Annotated[Batch, Depends(import_body)],
) -> Response:
    """Row by row; a bad row is reported and does not stop the others.

    Posting the same file again resumes an import that was interrupted. `images` of a row names
    its files, separated by `|`. A row of a known product needs none.
    """
    importer = Importer(services.enroller, services.catalog, services.currency)
    report = importer.run(batch.rows, batch.photos)
    follow(services, report.revision)
    note(request, rows=report.rows, refused=len(report.refused))
    answer = ImportAnswer(
        request_id=request_id,
        rows=report.rows,
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        refused=[
            RefusedRow(line=row.line, sku=row.sku, code=row.code, message=row.message)
            for row in report.refused
        ],
        index_revision=report.revision,
    )
    return json_answer(answer)


async def _multipart(request: Request, services: InService) -> Batch:
    limits = services.settings.limits
    form = await read_form(request, limits, files={"file": 1, "images": MAX_PHOTOS}, fields=())
    if len(form.files["file"]) != 1:
        raise InvalidInput("file: expected one CSV or ZIP file", "file")
    [file] = form.files["file"]
    images = form.files["images"]
    for index, image in enumerate(images):
        check_image(image, f"images[{index}]", limits)
    if file.data.startswith(b"PK\x03\x04"):
        if images:
            raise InvalidInput("images: expected none beside a ZIP archive", "images")
        archive = ZipPhotos(file.data, limits)
        return Batch(read_rows(archive.csv()), archive)
    return Batch(read_rows(file.data), UploadedPhotos({image.name: image.data for image in images}))
