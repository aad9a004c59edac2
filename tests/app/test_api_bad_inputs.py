"""Every bad input has its own clear answer, and nothing of it is stored."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app import images
from app.main import create_app
from tests.app import pictures
from tests.app.api import assert_problem, counts, detect, enroll
from tests.app.conftest import MakeClient
from tests.fakes import BLUE, GREEN, RED, photo, services_for, tray

BAD_IMAGES = {
    "not_an_image": (b"hello, this is text", 422, "not_an_image"),
    "truncated": (pictures.truncated(), 422, "truncated_image"),
    "header_only": (photo(RED)[:20], 422, "truncated_image"),
    "empty": (b"", 422, "empty_image"),
    "zero_size": (pictures.png(0, 10), 422, "empty_image"),
    "animated_webp": (pictures.animated("WEBP"), 422, "animated_image"),
    "animated_png": (pictures.animated("PNG"), 422, "animated_image"),
    "animated_gif": (pictures.animated("GIF"), 415, "unsupported_format"),
    "bmp": (pictures.saved(pictures.Image.new("RGB", (50, 50)), "BMP"), 415, "unsupported_format"),
    "bomb": (pictures.bomb(), 413, "too_many_pixels"),
}
IMAGE_CASES = pytest.mark.parametrize("case", BAD_IMAGES)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application for all tests: each of them proves that it has changed nothing."""
    services = services_for(tmp_path_factory.mktemp("data"))
    with TestClient(create_app(services=services)) as client:
        enroll(client, "A", photo(RED), barcode="111")
        yield client


@pytest.fixture
def shop(running: TestClient) -> Iterator[TestClient]:
    """A shop with one product, which is unchanged after the test."""
    with unchanged(running):
        yield running


@pytest.fixture
def shops(client: TestClient) -> Iterator[TestClient]:
    """The same on both databases, for what is up to them."""
    enroll(client, "A", photo(RED), barcode="111")
    with unchanged(client):
        yield client


@contextmanager
def unchanged(client: TestClient) -> Iterator[None]:
    before = counts(client)
    yield
    assert counts(client) == before
    assert detect(client, photo(RED)).json()["items"][0]["sku"] == "A"


@IMAGE_CASES
def test_bad_images_at_detect(shop: TestClient, case: str) -> None:
    data, status, code = BAD_IMAGES[case]
    assert_problem(detect(shop, data), status, code)
    assert_problem(shop.post("/detect", files={"image": ("x.png", data)}), status, code)


@IMAGE_CASES
def test_bad_images_at_enroll(shop: TestClient, case: str) -> None:
    data, status, code = BAD_IMAGES[case]
    body = assert_problem(enroll(shop, "B", photo(GREEN), data), status, code)
    assert body["errors"][0]["location"] == "images[1]"


@pytest.mark.parametrize(
    "make", [pictures.cmyk, pictures.palette, pictures.alpha, pictures.exif_rotated]
)
def test_unusual_images_are_read_upright(shop: TestClient, make: Any) -> None:
    data = make()
    body = detect(shop, data, "image/jpeg" if data[:2] == b"\xff\xd8" else "image/png").json()
    assert body["image"] == {"width": 200, "height": 120}
    [item] = body["items"]
    np.testing.assert_allclose(item["box"], pictures.BOX, atol=3)
    assert item["sku"] == "A"


@pytest.mark.parametrize("make", [pictures.grey, pictures.sixteen_bit])
def test_images_without_colour_are_read(shop: TestClient, make: Any) -> None:
    [item] = detect(shop, make()).json()["items"]
    np.testing.assert_allclose(item["box"], pictures.BOX, atol=3)


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"content-type": "image/gif"}, "/detect"),
        ({"content-type": "application/json"}, "/detect"),
        ({"content-type": "application/x-www-form-urlencoded"}, "/detect"),
        ({}, "/detect"),
        ({"content-type": "image/png"}, "/detect/batch"),
        ({"content-type": "application/json"}, "/enroll"),
        ({"content-type": "image/png"}, "/products/import"),
    ],
)
def test_wrong_content_types(shop: TestClient, headers: dict[str, str], path: str) -> None:
    body = assert_problem(
        shop.post(path, content=photo(RED), headers=headers), 415, "unsupported_media_type"
    )
    assert "expected" in body["detail"]


def test_a_part_that_says_it_is_text(shop: TestClient) -> None:
    files = {"image": ("x.txt", photo(RED), "text/plain")}
    body = assert_problem(shop.post("/detect", files=files), 415, "unsupported_media_type")
    assert body["errors"][0]["location"] == "image[0]"


@pytest.mark.parametrize(
    ("content", "boundary"),
    [
        (b"garbage", "boundary=x"),
        (b"--x\r\n\r\n\r\n--x--", "boundary=x"),
        (b"--x--", ""),
    ],
)
def test_broken_multipart(shop: TestClient, content: bytes, boundary: str) -> None:
    headers = {"content-type": f"multipart/form-data; {boundary}"}
    response = shop.post("/enroll", content=content, headers=headers)
    assert_problem(response, 400, "malformed_request")


def test_multipart_without_the_field(shop: TestClient) -> None:
    body = assert_problem(
        shop.post("/detect", files={"photo": ("x.png", photo(RED))}), 422, "invalid_input"
    )
    assert body["errors"][0]["location"] == "photo"
    body = assert_problem(
        shop.post("/detect", files=[("image", ("x", photo(RED)))] * 2), 422, "wrong_count"
    )
    text = shop.post("/enroll", data={"sku": "B", "images": "text"}, files={"sku": b"file"})
    assert_problem(text, 422, "invalid_input")


@pytest.mark.parametrize("field", ["sku", "name", "price"])
@pytest.mark.parametrize("blank", [False, True])
def test_missing_fields(shop: TestClient, field: str, blank: bool) -> None:
    data = {"sku": "B", "name": "B", "price": "1", field: "  "}
    if not blank:
        del data[field]
    response = shop.post("/enroll", data=data, files={"images": ("x", photo(GREEN))})
    body = assert_problem(response, 422, "invalid_input")
    assert body["errors"][0]["location"] == field


@pytest.mark.parametrize("count", [0, 51, 80])
def test_the_count_of_images(shop: TestClient, count: int) -> None:
    files = [("images", ("x", photo(GREEN)))] * count or {"nothing": b""}
    data = {"sku": "B", "name": "B", "price": "1"}
    response = shop.post("/enroll", data=data, files=files)
    if count == 0:
        assert_problem(response, 422, "invalid_input")
        empty = "\r\n".join(
            f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}' for k, v in data.items()
        )
        headers = {"content-type": "multipart/form-data; boundary=x"}
        response = shop.post("/enroll", content=f"{empty}\r\n--x--\r\n", headers=headers)
    body = assert_problem(response, 422, "wrong_count")
    assert body["errors"][0]["minimum"] == 1
    assert body["errors"][0]["maximum"] == 50


@pytest.mark.parametrize(
    "price", ["abc", "-1", "1,99", "1.999", "NaN", "inf", "1e3", "0x10", "99999999999999999999"]
)
def test_bad_prices(shop: TestClient, price: str) -> None:
    body = assert_problem(enroll(shop, "B", photo(GREEN), price=price), 422, "bad_price")
    assert body["errors"][0]["location"] == "price"
    patched = shop.patch("/products/A", json={"price": price})
    assert_problem(patched, 422, "bad_price")


def test_another_currency(shop: TestClient) -> None:
    assert_problem(enroll(shop, "B", photo(GREEN), currency="USD"), 422, "wrong_currency")
    assert_problem(shop.patch("/products/A", json={"currency": "USD"}), 422, "wrong_currency")


def test_a_barcode_of_another_product(shops: TestClient) -> None:
    body = assert_problem(enroll(shops, "B", photo(GREEN), barcode="111"), 409, "duplicate_barcode")
    assert "'A'" in body["detail"]


@pytest.mark.parametrize(
    ("boxes", "code"),
    [
        ("[[NaN, 0, 10, 10]]", "invalid_input"),
        ("[[1e999, 0, 10, 10]]", "bad_box"),
        (f"[[1{'0' * 400}, 0, 10, 10]]", "bad_box"),
        ("[[300, 60, 400, 180]]", "bad_box"),
        ("[[-5, 0, 10, 10]]", "bad_box"),
        ("[[50, 50, 40, 60]]", "bad_box"),
        ("[[50, 50, 50, 60]]", "bad_box"),
        ("[[1, 2, 3]]", "bad_box"),
        ('[["a", 0, 10, 10]]', "bad_box"),
        ("[[true, 0, 10, 10]]", "bad_box"),
        ("[null, null]", "invalid_input"),
        ("[]", "invalid_input"),
        ("{}", "invalid_input"),
        ("[1, 2, 3, 4]", "invalid_input"),
        ("[[0, 0, 10, 10]", "invalid_input"),
        ("[" * 100_000, "invalid_input"),
    ],
)
def test_bad_boxes(shop: TestClient, boxes: str, code: str) -> None:
    body = assert_problem(enroll(shop, "B", photo(GREEN), boxes=boxes), 422, code)
    assert body["errors"][0]["location"] == ("images[0]" if code == "bad_box" else "boxes")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attributes", "{not json"),
        ("attributes", "[1]"),
        ("attributes", '{"a": NaN}'),
        ("on_confusable", "ask"),
        ("sku", "x" * 65),
        ("sku", ".."),
        ("sku", "A/views"),
        ("sku", "A/views/1"),
        ("name", "a\x00b"),
        ("barcode", "x" * 65),
        ("colour", "red"),
    ],
)
def test_bad_fields(shop: TestClient, field: str, value: str) -> None:
    data = {"sku": "B", "name": "B", "price": "1", field: value}
    response = shop.post("/enroll", data=data, files={"images": ("x", photo(GREEN))})
    body = assert_problem(response, 422, "invalid_input")
    assert body["errors"][0]["location"] == field


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_bad_idempotency_keys(shop: TestClient, key: str) -> None:
    assert_problem(enroll(shop, "B", photo(GREEN), key=key), 422, "invalid_input")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_request"),
        (b'{"name": "\xff"}', 400, "malformed_request"),
        (b"", 422, "invalid_input"),
        (b"[]", 422, "invalid_input"),
        (b'{"colour": "red"}', 422, "invalid_input"),
        (b'{"sku": "B"}', 422, "invalid_input"),
        (b'{"name": null}', 422, "invalid_input"),
        (b'{"name": ""}', 422, "invalid_input"),
        (b'{"price": null}', 422, "invalid_input"),
        (b'{"price": true}', 422, "bad_price"),
        (b'{"price": [1]}', 422, "bad_price"),
        (b'{"active": "yes"}', 422, "invalid_input"),
        (b'{"attributes": {"a": NaN}}', 422, "invalid_input"),
        (b'{"name": "\\ud800"}', 422, "invalid_input"),
    ],
)
def test_bad_patches(shop: TestClient, body: bytes, status: int, code: str) -> None:
    headers = {"content-type": "application/json"}
    assert_problem(shop.patch("/products/A", content=body, headers=headers), status, code)


def test_a_patch_that_is_no_json(shop: TestClient) -> None:
    for headers in ({}, {"content-type": "text/plain"}):
        response = shop.patch("/products/A", content=b'{"price": "2"}', headers=headers)
        assert_problem(response, 415, "unsupported_media_type")


def test_unknown_skus_and_views(shops: TestClient) -> None:
    for sku in ("B", "", "%00", "x" * 200):
        for path in (f"/products/{sku}", f"/products/{sku}/views", f"/products/{sku}/views/1"):
            assert_problem(shops.get(path), 404, "product_not_found")
        assert_problem(shops.delete(f"/products/{sku}"), 404, "product_not_found")
        assert_problem(shops.patch(f"/products/{sku}", json={}), 404, "product_not_found")
        assert_problem(shops.delete(f"/products/{sku}/views/1"), 404, "product_not_found")
    assert_problem(shops.get("/products/A/views/99"), 404, "view_not_found")
    for view_id in ("0", "-1", "abc", "1.5", "9" * 30):
        assert_problem(shops.get(f"/products/A/views/{view_id}"), 422, "invalid_input")


@pytest.mark.parametrize(
    "query",
    [
        *("top_k=0", "top_k=21", "top_k=x", "top_k=1.5", "topk=3", "x="),
        *("min_score=2", "min_score=-0.1", "min_score=nan", "min_score=inf"),
        *("min_revision=-1", "min_revision=x", f"min_revision={10**30}"),
    ],
)
@pytest.mark.parametrize("path", ["/detect", "/detect/batch"])
def test_bad_query_values(shop: TestClient, path: str, query: str) -> None:
    name = "image" if path == "/detect" else "images"
    response = shop.post(f"{path}?{query}", files={name: ("x", photo(RED))})
    body = assert_problem(response, 422, "invalid_input")
    assert [entry["location"] for entry in body["errors"]] == [query.split("=")[0]]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=%00", "cursor=zzz"])
def test_bad_pages(shop: TestClient, query: str) -> None:
    code = "bad_cursor" if query.startswith("cursor") else "invalid_input"
    assert_problem(shop.get(f"/products?{query}"), 422, code)


def test_every_route_refuses_unknown_query_parameters(shop: TestClient) -> None:
    for path, methods in shop.get("/openapi.json").json()["paths"].items():
        for method in methods:
            url = path.replace("{sku}", "A").replace("{view_id}", "1")
            options: dict[str, Any] = {}
            if method == "patch":
                options["json"] = {}
            if method == "post":
                options["files"] = {"image" if url == "/detect" else "images": ("x", photo(RED))}
            response = shop.request(method.upper(), f"{url}?surprise=1", **options)
            body = response.json()
            assert (response.status_code, body.get("code")) == (422, "invalid_input"), (url, body)


def test_more_bytes_than_the_limit(make_client: MakeClient) -> None:
    client = make_client(limits={"max_upload_bytes": 5000, "max_request_bytes": 2**21})
    before = counts(client)
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    data = images.encode(noise, "PNG")
    assert len(data) > 5000
    for response in (
        detect(client, data),
        client.post("/detect", content=iter([data]), headers={"content-type": "image/png"}),
        client.post("/detect", files={"image": ("x", data)}),
        client.post("/detect", content=b"0" * 2**22, headers={"content-type": "image/png"}),
        client.post("/detect", files={"image": ("x", b"0" * 2**22)}),
        enroll(client, "B", photo(GREEN), data),
        client.patch(
            "/products/A",
            content=iter([b" " * 2**22]),
            headers={"content-type": "application/json"},
        ),
    ):
        assert_problem(response, 413, "upload_too_large")
    assert counts(client) == before


def test_pixels_are_limited_before_decoding(make_client: MakeClient) -> None:
    client = make_client(limits={"max_pixels": 320 * 240})
    assert detect(client, photo(RED)).status_code == 200
    larger = images.encode(tray(width=321), "PNG")
    assert_problem(detect(client, larger), 413, "too_many_pixels")


def test_a_full_disk_stores_nothing(shops: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("indexer.blobs.os.fsync", full)
        assert_problem(enroll(shops, "B", photo(GREEN)), 507, "storage_full")
        assert_problem(shops.get("/products/B"), 404, "product_not_found")


def test_a_vector_of_the_wrong_dimension(
    shops: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = shops.app.state.services.networks.embedder  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setattr(embedder, "embed", lambda crops: np.eye(len(crops), 32, dtype=np.float32))
        response = enroll(shops, "B", photo(BLUE))
        assert response.status_code == 500
        assert response.json()["code"] in ("bad_vectors", "internal_error")
        assert_problem(shops.get("/products/B"), 404, "product_not_found")


def test_a_bug_is_a_500_without_internals(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret of the house")

    recognizer = type(shop.app.state.services.recognizer)  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setattr(recognizer, "recognize_bytes", broken)
        response = detect(shop, photo(RED))
    body = assert_problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert body["request_id"] in [
        getattr(r, "fields", {}).get("request_id") for r in caplog.records
    ]
    assert "secret of the house" in caplog.text
