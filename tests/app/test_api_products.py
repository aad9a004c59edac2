"""/products: reading, changing, deleting, views, CSV out."""

import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.product_csv import read_rows
from tests.app.api import assert_problem, counts, detect, enroll
from tests.fakes import BLUE, GREEN, RED, photo


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    enroll(client, "R", photo(RED), photo(RED, (5, 5, 90, 90)), name="Red tea", category="tea")
    enroll(client, "G", photo(GREEN), name="Green tea", category="tea", barcode="777")
    enroll(client, "B/1", photo(BLUE), name='Blue, "big" cheese', attributes='{"fat": 45}')
    return client


def patch(client: TestClient, sku: str, body: Any, **headers: str) -> Any:
    return client.patch(f"/products/{sku}", json=body, headers=headers)


def test_pages_follow_each_other(shop: TestClient) -> None:
    skus, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = shop.get("/products", params=query).json()
        skus += [item["sku"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert skus == ["R", "G", "B/1"]


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ({"search": "TEA"}, ["R", "G"]),
        ({"search": "777"}, ["G"]),
        ({"search": "%"}, []),
        ({"category": "tea", "search": "green"}, ["G"]),
        ({"category": "nothing"}, []),
    ],
)
def test_search_and_category(shop: TestClient, query: dict[str, str], skus: list[str]) -> None:
    items = shop.get("/products", params=query).json()["items"]
    assert [item["sku"] for item in items] == skus


def test_an_etag_spares_the_body(shop: TestClient) -> None:
    first = shop.get("/products/R")
    tag = first.headers["etag"]
    assert tag == f'"{first.json()["version"]}"'
    again = shop.get("/products/R", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert shop.get("/products/R", headers={"If-None-Match": '"99"'}).status_code == 200


def test_patch_changes_what_is_given(shop: TestClient) -> None:
    before = shop.get("/products/G").json()
    response = patch(shop, "G", {"price": 2.5, "barcode": None, "attributes": {"a": [1]}})
    after = response.json()
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == f'"{after["version"]}"'
    assert (after["price"], after["barcode"], after["attributes"]) == ("2.50", None, {"a": [1]})
    assert after["version"] > before["version"]
    for name in ("sku", "name", "category", "views", "created_at"):
        assert after[name] == before[name]
    assert shop.get("/products/G").json() == after


def test_a_price_change_is_seen_at_once(shop: TestClient) -> None:
    patch(shop, "R", {"price": "7.77", "name": "Dear tea"})
    [item] = detect(shop, photo(RED)).json()["items"]
    assert (item["name"], item["price"]) == ("Dear tea", "7.77")


def test_a_retired_product_is_not_named_and_comes_back(shop: TestClient) -> None:
    patch(shop, "R", {"active": False})
    assert detect(shop, photo(RED)).json()["items"][0]["sku"] is None
    patch(shop, "R", {"active": True})
    assert detect(shop, photo(RED)).json()["items"][0]["sku"] == "R"


def test_if_match(shop: TestClient) -> None:
    tag = shop.get("/products/R").headers["etag"]
    changed = patch(shop, "R", {"price": "2"}, **{"If-Match": tag})
    assert changed.status_code == 200
    before = counts(shop)
    assert_problem(patch(shop, "R", {"price": "3"}, **{"If-Match": tag}), 412, "version_conflict")
    old = shop.delete("/products/R", headers={"If-Match": tag})
    assert_problem(old, 412, "version_conflict")
    foreign = shop.delete("/products/R", headers={"If-Match": '"not-ours"'})
    assert_problem(foreign, 412, "version_conflict")
    assert shop.get("/products/R").json()["price"] == "2.00"
    assert counts(shop) == before
    assert patch(shop, "R", {"price": "3"}, **{"If-Match": "*"}).status_code == 200
    new = shop.get("/products/R").headers["etag"]
    assert shop.delete("/products/R", headers={"If-Match": new}).status_code == 200


@pytest.mark.parametrize("tag", ["3", '"1", "2"', '"open'])
def test_a_malformed_if_match(shop: TestClient, tag: str) -> None:
    assert_problem(patch(shop, "R", {"price": "3"}, **{"If-Match": tag}), 422, "invalid_input")


def test_delete_purges_everything(shop: TestClient) -> None:
    services = shop.app.state.services  # type: ignore[attr-defined]
    files = len([p for p in services.settings.crops_dir.rglob("*") if p.is_file()])
    response = shop.delete("/products/R")
    assert response.status_code == 200, response.text
    revision = response.json()["index_revision"]
    body = detect(shop, photo(RED)).json()
    assert body["items"][0]["decision"] == "unknown"
    assert body["index_revision"] >= revision
    assert "R" not in str(body["items"])
    assert_problem(shop.get("/products/R"), 404, "product_not_found")
    assert_problem(shop.delete("/products/R"), 404, "product_not_found")
    assert len([p for p in services.settings.crops_dir.rglob("*") if p.is_file()]) == files - 2
    assert services.catalog.counts().views == 2
    assert len(services.projection) == 2
    assert enroll(shop, "R").status_code == 201
    assert detect(shop, photo(RED)).json()["items"][0]["sku"] == "R"


def test_views_and_their_pictures(shop: TestClient) -> None:
    views = shop.get("/products/R/views").json()["items"]
    assert [v["box"] for v in views] == [[100, 60, 200, 180], [5, 5, 90, 90]]
    response = shop.get(f"/products/R/views/{views[0]['id']}")
    assert response.headers["content-type"] == "image/jpeg"
    width, height = Image.open(io.BytesIO(response.content)).size
    assert abs(width - 100) <= 12
    assert abs(height - 120) <= 14


def test_one_view_is_forgotten(shop: TestClient) -> None:
    first, second = (v["id"] for v in shop.get("/products/R/views").json()["items"])
    deleted = shop.delete(f"/products/R/views/{first}")
    assert (deleted.status_code, deleted.json()["view_id"]) == (200, first)
    assert [v["id"] for v in shop.get("/products/R/views").json()["items"]] == [second]
    for method in ("GET", "DELETE"):
        gone = shop.request(method, f"/products/R/views/{first}")
        assert_problem(gone, 404, "view_not_found")
    shop.delete(f"/products/R/views/{second}")
    assert shop.get("/products/R").json()["views"] == 0
    assert detect(shop, photo(RED)).json()["items"][0]["sku"] is None


def test_a_view_of_another_product_is_not_found(shop: TestClient) -> None:
    [green] = shop.get("/products/G/views").json()["items"]
    assert_problem(shop.delete(f"/products/R/views/{green['id']}"), 404, "view_not_found")
    assert shop.get("/products/G").json()["views"] == 1


def test_a_sku_with_a_slash(shop: TestClient) -> None:
    for path in ("/products/B/1", "/products/B%2F1"):
        assert shop.get(path).json()["sku"] == "B/1"
    [view] = shop.get("/products/B%2F1/views").json()["items"]
    assert shop.get(f"/products/B/1/views/{view['id']}").status_code == 200


@pytest.mark.parametrize("path", ["/products.csv", "/products"])
def test_the_export_reads_back(shop: TestClient, path: str) -> None:
    response = shop.get(path, headers={"Accept": "text/csv"}, params={"search": "e"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = {row.sku: row.cells for row in read_rows(response.content)}
    assert list(rows) == ["R", "G", "B/1"]
    assert rows["B/1"]["name"] == 'Blue, "big" cheese'
    assert rows["B/1"]["attributes"] == '{"fat": 45}'
    assert (rows["R"]["price"], rows["R"]["views"], rows["R"]["active"]) == ("1.29", "2", "true")


def test_the_export_has_every_page(lite: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.routes.catalog.EXPORT_PAGE", 2)
    for number in range(5):
        enroll(lite, str(number), photo(RED, (10 + number, 10, 90, 90)))
    rows = read_rows(lite.get("/products.csv").content)
    assert [row.sku for row in rows] == ["0", "1", "2", "3", "4"]
