"""Short ways to call the API in tests."""

from typing import Any

from fastapi.testclient import TestClient

from tests.fakes import RED, photo

PROBLEM_MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
}


def enroll(client: TestClient, sku: str = "A", *photos: bytes, **fields: str) -> Any:
    """POST /enroll with PNG photos; the response."""
    headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
    data = {"sku": sku, "name": f"Product {sku}", "price": "1.29", **fields}
    files = [("images", ("photo.png", p, "image/png")) for p in photos or (photo(RED),)]
    return client.post("/enroll", data=data, files=files, headers=headers)


def detect(client: TestClient, image: bytes, kind: str = "image/png", **query: Any) -> Any:
    """POST /detect with the image as the body; the response."""
    return client.post("/detect", content=image, headers={"content-type": kind}, params=query)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem object of a response, after checking everything that all of them share."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) == PROBLEM_MEMBERS
    assert body["status"] == status
    assert body["type"] == f"urn:tillsight:problem:{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["instance"] == response.request.url.path
    assert body["title"] and body["detail"]
    for entry in body["errors"]:
        assert {"code", "detail", "location"} <= set(entry)
    return body


def counts(client: TestClient) -> tuple[int, int, int]:
    """Products, views and revision: what a refused request must not change."""
    services = client.app.state.services  # type: ignore[attr-defined]
    found = services.catalog.counts()
    crops = sum(p.is_file() for p in services.settings.crops_dir.rglob("*"))
    return found.products, found.views, crops + 1_000_000 * services.catalog.head()
