"""CSV import: rows one by one, resumed by running again; over HTTP and by itself."""

import errno
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.errors import InvalidInput, MalformedRequest, UploadTooLarge
from app.import_photos import FolderPhotos, UploadedPhotos, ZipPhotos
from app.importer import Importer, Outcome
from app.product_csv import Row, read_rows, write_rows
from app.settings import LimitSettings
from indexer.errors import DatabaseUnavailable
from tests.app.api import assert_problem, counts, detect
from tests.fakes import BLUE, GREEN, RED, photo, tray

LIMITS = LimitSettings()
CSV = """sku,name,price,barcode,images
R,Red,1.29,111,red.png|red2.png
G,Green,0.50,,green.png
X,Nothing,1.00,,missing.png
Y,Bad price,abc,,red.png
Z,Same barcode,1.00,111,blue.png
,No SKU,1.00,,red.png
W,Two objects,1.00,,two.png
B,"Blue, big",3.00,,blue.png
"""
FILES = {
    "red.png": photo(RED),
    "red2.png": photo(RED, (10, 10, 90, 60)),
    "green.png": photo(GREEN),
    "blue.png": photo(BLUE),
    "two.png": b"",
}


@pytest.fixture(autouse=True, scope="module")
def two_objects() -> None:
    from app import images

    shapes = (RED, (10, 20, 110, 120)), (GREEN, (150, 100, 250, 200))
    FILES["two.png"] = images.encode(tray(*shapes), "PNG")


def post_zip(client: TestClient, csv: str, files: dict[str, bytes], folder: str = "") -> Any:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{folder}catalogue.csv", csv)
        for name, data in files.items():
            archive.writestr(folder + name, data)
    headers = {"content-type": "application/zip"}
    return client.post("/products/import", content=out.getvalue(), headers=headers)


def test_good_rows_are_stored_and_bad_ones_reported(client: TestClient) -> None:
    response = post_zip(client, CSV, FILES)
    assert response.status_code == 200, response.text
    report = response.json()
    assert (report["rows"], report["created"], report["updated"]) == (8, 3, 0)
    refused = {(row["line"], row["sku"]): row["code"] for row in report["refused"]}
    assert refused == {
        (4, "X"): "invalid_input",
        (5, "Y"): "bad_price",
        (6, "Z"): "duplicate_barcode",
        (7, ""): "invalid_input",
        (8, "W"): "several_objects",
    }
    assert all(row["message"] for row in report["refused"])
    assert [p["sku"] for p in client.get("/products").json()["items"]] == ["R", "G", "B"]
    assert client.get("/products/R").json()["views"] == 2
    body = detect(client, photo(BLUE)).json()
    assert (body["items"][0]["name"], body["items"][0]["price"]) == ("Blue, big", "3.00")
    assert body["index_revision"] >= report["index_revision"] > 0


def test_running_again_stores_nothing_twice(client: TestClient) -> None:
    post_zip(client, CSV, FILES)
    before = counts(client)
    report = post_zip(client, CSV, FILES, folder="shop/").json()
    assert (report["created"], report["updated"], report["unchanged"]) == (0, 0, 3)
    assert len(report["refused"]) == 5
    assert counts(client) == before


def test_changed_rows_are_applied_without_photos(client: TestClient) -> None:
    post_zip(client, CSV, FILES)
    csv = "sku;name;price;active\nR;Red;2.00;\nG;Green;0.50;true\nB;Blue;3.00;false\nN;New;1;\n"
    headers = {"content-type": "text/csv; charset=utf-8"}
    report = client.post("/products/import", content=csv, headers=headers).json()
    assert (report["created"], report["updated"], report["unchanged"]) == (0, 2, 1)
    assert [(row["line"], row["sku"]) for row in report["refused"]] == [(5, "N")]
    assert client.get("/products/R").json()["price"] == "2.00"
    assert detect(client, photo(BLUE)).json()["items"][0]["decision"] == "unknown"


def test_a_deleted_product_is_imported_again(client: TestClient) -> None:
    post_zip(client, CSV, FILES)
    client.delete("/products/R")
    report = post_zip(client, CSV, FILES).json()
    assert (report["created"], report["unchanged"]) == (1, 2)
    assert client.get("/products/R").json()["views"] == 2
    assert post_zip(client, CSV, FILES).json()["unchanged"] == 3


def test_an_export_is_an_import_of_nothing(client: TestClient) -> None:
    post_zip(client, CSV, FILES)
    before = counts(client)
    headers = {"content-type": "text/csv"}
    content = client.get("/products.csv").content
    report = client.post("/products/import", content=content, headers=headers).json()
    assert (report["rows"], report["unchanged"]) == (3, 3)
    assert counts(client) == before


def test_multipart_with_csv_and_images(lite: TestClient) -> None:
    files = [("file", ("c.csv", "sku,name,price,images\nR,Red,1,pics/red.png\n", "text/csv"))]
    files += [("images", ("red.png", photo(RED), "image/png"))]  # type: ignore[list-item]
    report = lite.post("/products/import", files=files).json()
    assert (report["created"], report["refused"]) == (1, [])


@pytest.mark.parametrize(
    "csv",
    [
        "",
        "sku,name\nA,B\n",
        "sku,name,price,colour\nA,B,1,red\n",
        "sku,sku,name,price\n",
        'sku,name,price\nA,"open,1\n',
    ],
)
def test_files_that_are_no_catalogue(lite: TestClient, csv: str) -> None:
    before = counts(lite)
    headers = {"content-type": "text/csv"}
    response = lite.post("/products/import", content=csv, headers=headers)
    body = assert_problem(response, 422, "invalid_input")
    assert body["errors"][0]["location"] == "csv"
    assert counts(lite) == before


def test_archives_that_are_none(lite: TestClient) -> None:
    headers = {"content-type": "application/zip"}
    for content in (b"", b"PK\x03\x04 no", photo(RED)):
        response = lite.post("/products/import", content=content, headers=headers)
        assert_problem(response, 400, "malformed_request")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", photo(RED))
    response = lite.post("/products/import", content=out.getvalue(), headers=headers)
    assert_problem(response, 422, "invalid_input")
    files = {"file": ("c.zip", out.getvalue()), "images": ("a.png", photo(RED))}
    assert_problem(lite.post("/products/import", files=files), 422, "invalid_input")
    files = {"images": ("a.png", photo(RED))}
    assert_problem(lite.post("/products/import", files=files), 422, "invalid_input")


def test_a_failure_of_the_service_stops_and_is_resumed(
    lite: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = lite.app.state.services  # type: ignore[attr-defined]
    enroll = services.enroller.enroll

    def failing(product: Any, *args: Any, **kwargs: Any) -> Any:
        if product.sku == "G":
            raise DatabaseUnavailable("away")
        return enroll(product, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(services.enroller, "enroll", failing)
        assert_problem(post_zip(lite, CSV, FILES), 503, "database_unavailable")
    assert [p["sku"] for p in lite.get("/products").json()["items"]] == ["R"]
    report = post_zip(lite, CSV, FILES).json()
    assert (report["created"], report["unchanged"]) == (2, 1)


def test_progress_is_told_row_by_row(lite: TestClient, tmp_path: Path) -> None:
    services = lite.app.state.services  # type: ignore[attr-defined]
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    told: list[tuple[int, Outcome]] = []
    importer = Importer(services.enroller, services.catalog, "EUR")
    rows = read_rows(CSV.encode())
    report = importer.run(
        rows, FolderPhotos(tmp_path, LIMITS), lambda row, outcome: told.append((row.line, outcome))
    )
    assert report.rows == len(rows) == 8
    assert [line for line, _ in told] == list(range(2, 10))
    assert [outcome for _, outcome in told].count("refused") == len(report.refused) == 5


def test_boxes_and_cells_too_many(lite: TestClient) -> None:
    csv = (
        "sku,name,price,images,boxes\n"
        'G,Green,1,two.png,"[[150,100,250,200]]"\n'
        "H,Green,1,two.png,[null],surplus\n"
        'I,Green,1,two.png,"{}"\n'
    )
    report = post_zip(lite, csv, FILES).json()
    assert report["created"] == 1
    assert [row["line"] for row in report["refused"]] == [3, 4]


def test_rows_keep_their_line_numbers() -> None:
    data = '﻿SKU, name ,price\r\n\r\nA,"two\nlines",1\r\nB,b,2\r\n,,\r\n'.encode()
    assert read_rows(data) == [
        Row(4, {"sku": "A", "name": "two\nlines", "price": "1"}),
        Row(5, {"sku": "B", "name": "b", "price": "2"}),
    ]
    assert list(write_rows([])) == [
        "sku,name,price,currency,barcode,category,attributes,active,views\r\n"
    ]
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_rows(b"sku,name,price\n\xff\xfe")


def test_photos_outside_of_the_folder_are_missing(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(b"12345")
    photos = FolderPhotos(tmp_path / "pics", LIMITS)
    assert photos.read("a.png") == b"12345"
    for name in ("../secret.png", str(tmp_path / "secret.png"), "b.png", ".", "a\0b", "x" * 5000):
        with pytest.raises(InvalidInput, match="no file"):
            photos.read(name)
    with pytest.raises(UploadTooLarge):
        FolderPhotos(tmp_path / "pics", LimitSettings(max_upload_bytes=4)).read("a.png")


def test_a_photo_that_cannot_be_read_is_a_fault_of_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"a")

    def broken(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", broken)
    with pytest.raises(InvalidInput, match=r"cannot read 'a.png': Input/output error"):
        FolderPhotos(tmp_path, LimitSettings()).read("a.png")


def test_uploaded_photos_ignore_folders() -> None:
    photos = UploadedPhotos({"a.png": b"1"})
    assert photos.read("x/a.png") == photos.read("c:\\x\\a.png") == photos.read("a.png") == b"1"
    with pytest.raises(InvalidInput):
        photos.read("b.png")


def test_a_zip_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "sku,name,price\n")
        archive.writestr("bomb.png", b"\0" * 10_000_000)
    photos = ZipPhotos(out.getvalue(), LimitSettings(max_upload_bytes=1000))
    assert photos.csv().startswith(b"sku")
    with pytest.raises(UploadTooLarge):
        photos.read("bomb.png")
    with pytest.raises(MalformedRequest):
        ZipPhotos(b"no archive", LIMITS)
