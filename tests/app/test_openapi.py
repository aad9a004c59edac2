"""The OpenAPI document: every example in it is posted, and every answer has its shape."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import error_table
from app.routes import examples
from tests.fakes import RED, photo

PHOTO_DECIDES = {
    *("request_id", "created_at", "updated_at", "crop_sha256", "models", "space"),
    *("box", "width", "height", "sharpness", "bright", "dark"),
    *("score", "similarity", "confidence", "margin", "timings_ms"),
}


@pytest.fixture(scope="module")
def document() -> Any:
    from app.main import create_app
    from app.settings import Settings

    return create_app(Settings()).openapi()


def shape(value: Any) -> Any:
    """The value with type names in the place of what depends on the photo.

    Without nulls, which FastAPI takes out of the examples.
    """
    if isinstance(value, dict):
        return {
            name: kinds(member) if name in PHOTO_DECIDES else shape(member)
            for name, member in value.items()
            if member is not None
        }
    return [shape(v) for v in value] if isinstance(value, list) else value


def kinds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: kinds(member) for name, member in value.items()}
    if isinstance(value, list):
        return [kinds(v) for v in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def request_example(document: Any, path: str, kind: str) -> Any:
    content = document["paths"][path]["post"]["requestBody"]["content"][kind]
    [example] = content["examples"].values()
    return example["value"]


def answer_example(document: Any, method: str, path: str, status: int = 200) -> Any:
    answer = document["paths"][path][method]["responses"][str(status)]
    return answer["content"]["application/json"]["example"]


def test_the_examples_are_true_in_their_order(lite: TestClient, document: Any) -> None:
    def check(response: Any, method: str, path: str, status: int = 200) -> None:
        assert response.status_code == status, response.text
        assert shape(response.json()) == shape(answer_example(document, method, path, status))

    fields = request_example(document, "/enroll", "multipart/form-data")
    image = {"images": ("photo.png", photo(RED), "image/png")}
    check(lite.post("/enroll", data=fields, files=image), "post", "/enroll", 201)
    raw = {"content": photo(RED), "headers": {"content-type": "image/png"}}
    check(lite.post("/detect", **raw), "post", "/detect")
    check(lite.post("/detect/batch", files=image), "post", "/detect/batch")
    check(lite.get("/products/MILK-1L"), "get", "/products/{sku}")
    check(lite.get("/products"), "get", "/products")
    check(lite.get("/products/MILK-1L/views"), "get", "/products/{sku}/views")
    [change] = document["components"]["schemas"]["ProductPatch"]["examples"]
    check(lite.patch("/products/MILK-1L", json=change), "patch", "/products/{sku}")
    rows = request_example(document, "/products/import", "text/csv")
    headers = {"content-type": "text/csv"}
    answer = lite.post("/products/import", content=rows, headers=headers)
    check(answer, "post", "/products/import")
    problem = lite.post("/detect?top_k=21", **raw).json()
    assert shape(problem) == shape(examples.PROBLEM)


def test_every_example_is_one_of_those(document: Any) -> None:
    known = [
        *(examples.ENROLL, examples.IMPORT, examples.PATCH, examples.PROBLEM, examples.ENROLLED),
        *(examples.DETECTED, examples.PRODUCT, examples.PATCHED, examples.IMPORTED),
        {"items": [examples.PRODUCT]},
        {"items": [examples.VIEW]},
        answer_example(document, "post", "/detect/batch"),
    ]
    found = list(_examples(document["paths"]))
    assert len(found) > 10
    for example in found:
        assert example in known


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for reference in _members(document, "$ref"):
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert "HTTPValidationError" not in schemas


def test_every_route_says_what_it_is(document: Any) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and operation["description"], (method, path)
            assert "422" in operation["responses"], (method, path)


def test_every_error_has_a_documented_status(document: Any) -> None:
    documented = {
        int(status)
        for methods in document["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    assert {row.status for row in error_table.TABLE.values()} <= documented | {500}


def test_the_pages_of_the_documentation_are_served(lite: TestClient, document: Any) -> None:
    assert lite.get("/docs").status_code == 200
    assert lite.get("/openapi.json").json()["paths"].keys() == document["paths"].keys()


def _examples(value: Any) -> Any:
    yield from _members(value, "example")
    for group in _members(value, "examples"):
        yield from (entry["value"] for entry in group.values())


def _members(value: Any, name: str) -> Any:
    """Every member of that name, at any depth, but not inside of such a member."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == name:
                yield member
            else:
                yield from _members(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from _members(member, name)
