"""/detect and /detect/batch."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app import images
from tests.app.api import assert_problem, detect, enroll
from tests.app.conftest import MakeClient
from tests.fakes import BLUE, GREEN, RED, YELLOW, photo, tray

TRAY = images.encode(
    tray((RED, (10, 20, 60, 90)), (RED, (100, 20, 160, 90)), (GREEN, (200, 100, 300, 200))), "PNG"
)


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    assert enroll(client, "R", photo(RED), name="Red", price="1.29").status_code == 201
    assert enroll(client, "G", photo(GREEN), name="Green", price="0.5").status_code == 201
    return client


def test_items_basket_and_total(shop: TestClient) -> None:
    response = detect(shop, TRAY)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["image"] == {"width": 320, "height": 240}
    assert sorted((i["sku"], i["box"]) for i in body["items"]) == [
        ("G", [200, 100, 300, 200]),
        ("R", [10, 20, 60, 90]),
        ("R", [100, 20, 160, 90]),
    ]
    assert {i["decision"] for i in body["items"]} == {"accept"}
    assert sorted(body["basket"], key=lambda line: line["sku"]) == [
        {"sku": "G", "name": "Green", "quantity": 1, "unit_price": "0.50", "line_total": "0.50"},
        {"sku": "R", "name": "Red", "quantity": 2, "unit_price": "1.29", "line_total": "2.58"},
    ]
    assert (body["total"], body["currency"], body["needs_attention"]) == ("3.08", "EUR", 0)
    assert body["index_revision"] == 2
    assert set(body["models"]) == {"detector", "embedder", "space"}
    assert set(body["timings_ms"]) == {"decode", "detect", "embed", "search", "decide", "total"}
    first = body["items"][0]
    assert first["candidates"][0] == {
        "sku": first["sku"],
        "name": first["name"],
        "price": first["price"],
        "similarity": first["similarity"],
        "confidence": first["confidence"],
    }
    assert [c["sku"] for c in first["candidates"]] == ["G", "R"]


def test_an_unknown_object_is_an_item(shop: TestClient) -> None:
    body = detect(shop, photo(BLUE)).json()
    [item] = body["items"]
    assert item["decision"] == "unknown"
    assert (item["sku"], item["name"], item["price"]) == (None, None, None)
    assert (body["basket"], body["total"], body["needs_attention"]) == ([], "0.00", 1)


def test_an_empty_tray_and_an_empty_catalogue(client: TestClient) -> None:
    body = detect(client, images.encode(tray(), "PNG")).json()
    assert (body["items"], body["basket"], body["total"]) == ([], [], "0.00")
    [item] = detect(client, photo(RED)).json()["items"]
    assert (item["decision"], item["candidates"], item["confidence"]) == ("unknown", [], 0)


@pytest.mark.parametrize(("format", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_multipart_and_raw_bodies_are_the_same(lite: TestClient, format: str, kind: str) -> None:
    data = photo(RED, format=format)
    raw = detect(lite, data, kind).json()
    parts = lite.post("/detect", files={"image": ("p", data, kind)}).json()
    untyped = lite.post("/detect", files={"image": ("p", data)}).json()
    assert raw["items"] == parts["items"] == untyped["items"]
    assert len(raw["items"]) == 1


def test_webp_is_read(lite: TestClient) -> None:
    out = io.BytesIO()
    Image.fromarray(tray((RED, (10, 10, 90, 90)))).save(out, "WEBP", lossless=True)
    [item] = detect(lite, out.getvalue(), "image/webp").json()["items"]
    assert item["box"] == [10, 10, 90, 90]


def test_top_k_and_min_score(shop: TestClient) -> None:
    [item] = detect(shop, photo(RED), top_k=1).json()["items"]
    assert len(item["candidates"]) == 1
    assert detect(shop, photo(RED), min_score=1.0).json()["items"] == []


def test_min_revision(make_client: MakeClient) -> None:
    client = make_client(index={"tail_interval_s": 60, "catch_up_timeout_s": 0.1})
    revision = enroll(client).json()["index_revision"]
    assert detect(client, photo(RED), min_revision=revision).json()["index_revision"] == revision
    response = detect(client, photo(RED), min_revision=revision + 1)
    assert_problem(response, 503, "index_behind")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_the_photo_comes_back_annotated(shop: TestClient, kind: str) -> None:
    headers = {"content-type": "image/png", "accept": f"{kind}, application/json;q=0.5"}
    response = shop.post("/detect", content=TRAY, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    drawn = np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB"))
    assert drawn.shape == (240, 320, 3)
    changed = np.abs(drawn.astype(int) - tray()).max(axis=2) > 60
    assert changed[100, 200:300].mean() > 0.9  # the upper edge of the green box


def test_a_problem_stays_json_when_a_picture_is_asked_for(lite: TestClient) -> None:
    headers = {"content-type": "image/png", "accept": "image/png"}
    assert_problem(lite.post("/detect", content=b"no", headers=headers), 422, "not_an_image")


def test_not_acceptable(lite: TestClient) -> None:
    headers = {"content-type": "image/png", "accept": "image/webp"}
    assert_problem(lite.post("/detect", content=photo(RED), headers=headers), 406, "not_acceptable")


def test_batch_answers_per_image(shop: TestClient) -> None:
    parts = [photo(RED), b"no image", photo(GREEN), b""]
    files = [("images", (f"{n}.png", data, "image/png")) for n, data in enumerate(parts)]
    response = shop.post("/detect/batch", files=files, params={"top_k": 1})
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["failed"] == 2
    first, bad, third, empty = body["results"]
    assert [first["items"][0]["sku"], third["items"][0]["sku"]] == ["R", "G"]
    assert len(first["items"][0]["candidates"]) == 1
    assert (bad["code"], bad["status"]) == ("not_an_image", 422)
    assert bad["errors"][0]["location"] == "images[1]"
    assert bad["request_id"] == body["request_id"]
    assert empty["code"] == "empty_image"


def test_a_batch_is_not_spoiled_by_a_part_that_cannot_be_an_image(make_client: MakeClient) -> None:
    client = make_client(limits={"max_upload_bytes": 5000})
    files = [
        ("images", ("a.png", photo(RED), "image/png")),
        ("images", ("b.txt", b"text", "text/plain")),
        ("images", ("c.png", b"0" * 5001, "image/png")),
    ]
    response = client.post("/detect/batch", files=files)
    assert response.status_code == 200, response.text
    good, text, large = response.json()["results"]
    assert len(good["items"]) == 1
    assert (text["code"], text["status"]) == ("unsupported_media_type", 415)
    assert (large["code"], large["status"]) == ("upload_too_large", 413)
    assert large["errors"][0]["location"] == "images[2]"


def test_a_batch_of_one_is_the_single_answer(shop: TestClient) -> None:
    [one] = shop.post("/detect/batch", files=[("images", ("a", TRAY))]).json()["results"]
    single = detect(shop, TRAY).json()
    for name in ("items", "basket", "total", "needs_attention", "index_revision"):
        assert one[name] == single[name]


@pytest.mark.parametrize("count", [0, 17, 40])
def test_a_batch_has_1_to_16_images(lite: TestClient, count: int) -> None:
    files = [("images", ("a.png", photo(RED), "image/png"))] * count
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    response = (
        lite.post("/detect/batch", files=files)
        if files
        else lite.post("/detect/batch", content=b"--x--\r\n", headers=boundary)
    )
    entry = assert_problem(response, 422, "wrong_count")["errors"][0]
    assert (entry["location"], entry["maximum"]) == ("images", 16)


def test_review_is_neither_in_the_basket_nor_unknown(make_client: MakeClient) -> None:
    client = make_client(decisions={"accept": 1.0, "review": 0.2, "margin": 2.0})
    enroll(client, "Y", photo(YELLOW))
    [item] = detect(client, photo(YELLOW)).json()["items"]
    assert (item["decision"], item["sku"]) == ("review", "Y")
    assert detect(client, photo(YELLOW)).json()["needs_attention"] == 1
