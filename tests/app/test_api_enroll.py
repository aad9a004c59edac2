"""/enroll."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app import images
from tests.app.api import assert_problem, counts, detect, enroll
from tests.app.conftest import MakeClient
from tests.fakes import BLUE, GREEN, RED, Colour, photo, tray

OTHER = (20, 30, 130, 150)
TWO = images.encode(tray((RED, (10, 20, 110, 120)), (GREEN, (150, 100, 250, 200))), "PNG")
BLANK = images.encode(tray(), "PNG")


def test_a_new_product(client: TestClient) -> None:
    response = enroll(
        client,
        "A/1 ü",
        photo(RED),
        photo(RED, OTHER),
        name="Äpfel",
        price="2.5",
        currency="EUR",
        barcode="4001",
        category="fruit",
        attributes='{"bio": true}',
    )
    assert response.status_code == 201, response.text
    body = response.json()
    product = body["product"]
    assert body["created"] is True
    assert response.headers["etag"] == f'"{product["version"]}"'
    assert (product["sku"], product["name"], product["price"]) == ("A/1 ü", "Äpfel", "2.50")
    assert (product["barcode"], product["category"]) == ("4001", "fruit")
    assert (product["attributes"], product["currency"], product["views"]) == (
        {"bio": True},
        "EUR",
        2,
    )
    assert [i["box"] for i in body["images"]] == [[100, 60, 200, 180], list(OTHER)]
    assert [i["status"] for i in body["images"]] == ["added", "added"]
    assert len({i["view_id"] for i in body["images"]}) == 2
    assert body["images"][0]["quality"]["width"] == 100
    assert body["confusable"] == []
    # The address in Location is that of the product, slash and umlaut included.
    assert client.get(response.headers["location"]).json() == product


def test_it_is_found_by_the_very_next_detect(client: TestClient) -> None:
    assert detect(client, photo(RED)).json()["items"][0]["decision"] == "unknown"
    revision = enroll(client).json()["index_revision"]
    body = detect(client, photo(RED)).json()
    assert body["items"][0]["sku"] == "A"
    assert body["index_revision"] >= revision


def test_views_are_added_to_a_known_product(client: TestClient) -> None:
    enroll(client)
    response = enroll(client, "A", photo(RED, OTHER), name="Renamed", price="3")
    assert response.status_code == 200
    body = response.json()
    assert (body["created"], body["product"]["views"]) == (False, 2)
    assert (body["product"]["name"], body["product"]["price"]) == ("Renamed", "3.00")


def test_the_same_photo_twice_is_one_view(client: TestClient) -> None:
    first = enroll(client).json()["images"][0]
    again = enroll(client).json()
    assert again["images"][0]["status"] == "duplicate"
    assert again["images"][0]["view_id"] == first["view_id"]
    assert again["product"]["views"] == 1


def test_boxes_choose_the_object(client: TestClient) -> None:
    response = enroll(client, "G", TWO, photo(GREEN), boxes="[[150, 100, 250, 200], null]")
    assert response.status_code == 201, response.text
    assert response.json()["images"][0]["box"] == [150, 100, 250, 200]
    skus = [item["sku"] for item in detect(client, TWO).json()["items"]]
    assert sorted(skus, key=str) == ["G", None]


def test_several_objects_and_none_come_with_the_boxes_found(client: TestClient) -> None:
    before = counts(client)
    body = assert_problem(enroll(client, "A", photo(RED), TWO, BLANK), 422, "several_objects")
    several, none = body["errors"]
    assert (several["code"], several["location"]) == ("several_objects", "images[1]")
    assert sorted(several["boxes"]) == [[10, 20, 110, 120], [150, 100, 250, 200]]
    assert several["image"] == {"width": 320, "height": 240}
    assert (none["code"], none["location"], none["boxes"]) == ("no_object", "images[2]", [])
    assert counts(client) == before


def test_confusable_products_are_named(client: TestClient) -> None:
    enroll(client, "A", name="Apple")
    body = enroll(client, "B", photo(RED, OTHER)).json()
    assert body["created"] is True
    [other] = body["confusable"]
    assert (other["sku"], other["name"]) == ("A", "Apple")
    assert other["similarity"] > 0.99


def test_confusable_products_may_be_rejected(client: TestClient) -> None:
    enroll(client, "A")
    before = counts(client)
    response = enroll(client, "B", photo(RED, OTHER), on_confusable="reject")
    body = assert_problem(response, 409, "confusable")
    assert body["errors"][0]["confusable"][0]["sku"] == "A"
    assert counts(client) == before
    assert enroll(client, "B", photo(BLUE), on_confusable="reject").status_code == 201


def test_an_idempotency_key_gives_the_first_answer_again(client: TestClient) -> None:
    first = enroll(client, key="k1")
    before = counts(client)
    again = enroll(client, key="k1")
    assert again.status_code == 201
    assert {**again.json(), "request_id": ""} == {**first.json(), "request_id": ""}
    assert counts(client) == before


def test_an_idempotency_key_stands_for_one_request(client: TestClient) -> None:
    enroll(client, key="k1")
    before = counts(client)
    for other in (
        enroll(client, "A", photo(GREEN), key="k1"),
        enroll(client, "A", price="9", key="k1"),
        enroll(client, "A", boxes="[[100, 60, 200, 180]]", key="k1"),
    ):
        assert_problem(other, 409, "idempotency_mismatch")
    assert counts(client) == before


def test_concurrent_repetitions_are_stored_once(client: TestClient) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: enroll(client, key="same"), range(6)))
    assert {a.status_code for a in answers} == {201}
    assert len({json.dumps({**a.json(), "request_id": ""}) for a in answers}) == 1
    assert counts(client)[:2] == (1, 1)


def test_concurrent_products_are_all_found(client: TestClient) -> None:
    colours: list[Colour] = [(64 * r + 32, 64 * g + 32, 32) for r in range(3) for g in range(3)]
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(enroll, client, str(n), photo(c)) for n, c in enumerate(colours)]
    assert {f.result().status_code for f in futures} == {201}
    for number, colour in enumerate(colours):
        assert detect(client, photo(colour)).json()["items"][0]["sku"] == str(number)


def test_fifty_images_are_the_most(make_client: MakeClient) -> None:
    client = make_client()
    photos = [photo(RED, (10 + n, 10, 110 + n, 110)) for n in range(50)]
    assert len(enroll(client, "A", *photos).json()["images"]) == 50


def test_another_currency_is_a_setting(make_client: MakeClient) -> None:
    client = make_client(catalog={"currency": "JPY"})
    assert enroll(client, price="150").json()["product"]["price"] == "150"
    assert_problem(enroll(client, price="1.50"), 422, "bad_price")


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream"])
def test_the_declared_type_of_a_part_does_not_matter(lite: TestClient, kind: str) -> None:
    files = [("images", ("x", photo(RED), kind))]
    data = {"sku": "A", "name": "A", "price": "1"}
    assert lite.post("/enroll", data=data, files=files).status_code == 201
