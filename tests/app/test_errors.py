import inspect
import json

import pytest

import app.errors
import indexer.errors
import models.errors
from app.error_table import TABLE, entries, headers, problem, row
from app.errors import (
    AppError,
    BadBox,
    BadPrice,
    Confusable,
    InvalidInput,
    NoObject,
    PoorPhoto,
    WrongCount,
)


def classes(module) -> list[type[Exception]]:
    return [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__
    ]


EVERY = [c for m in (app.errors, models.errors, indexer.errors) for c in classes(m)]


@pytest.mark.parametrize("kind", EVERY, ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_every_error_is_in_the_table(kind):
    assert kind in TABLE
    found = TABLE[kind]
    assert 400 <= found.status < 600
    assert found.code.islower()
    assert found.code.replace("_", "").isalpha()


@pytest.mark.parametrize("kind", classes(app.errors), ids=lambda c: c.__name__)
def test_the_docstring_shows_the_tree(kind):
    lines = app.errors.__doc__.splitlines()
    [line] = [text for text in lines if text.strip("|-` ").split(" ")[0] == kind.__name__]
    depth = (len(line) - len(line.lstrip(" |`-")) - 4) // 4
    assert depth == len(kind.__mro__) - len(AppError.__mro__)


def test_one_code_has_one_status_and_title():
    rows = {}
    for found in TABLE.values():
        assert rows.setdefault(found.code, found) == found


def test_a_problem_has_the_members_of_rfc_9457():
    told = problem(BadPrice("1,99", "expected a decimal number"), "/enroll", "r-1")
    assert told == {
        "type": "urn:tillsight:problem:bad_price",
        "title": "The price is not valid",
        "status": 422,
        "detail": "price: expected a decimal number, got '1,99'",
        "instance": "/enroll",
        "code": "bad_price",
        "request_id": "r-1",
        "errors": [
            {
                "code": "bad_price",
                "detail": "price: expected a decimal number, got '1,99'",
                "location": "price",
            }
        ],
    }


@pytest.mark.parametrize(
    "exc",
    [
        RuntimeError("secret path /etc"),
        KeyError("secret"),
        AppError("secret"),
        models.errors.ModelsError("secret"),
        indexer.errors.IndexerError("secret"),
    ],
)
def test_what_nobody_expected_tells_nothing(exc):
    told = problem(exc, "/detect", "r-1")
    assert (told["status"], told["code"], told["errors"]) == (500, "internal_error", [])
    assert "secret" not in json.dumps(told)


def test_a_subclass_without_a_row_is_told_as_its_parent():
    class Special(NoObject):
        pass

    assert row(Special("x")).code == "no_object"


def test_failures_of_several_images_are_told_together():
    first = NoObject("none", "images[0]", boxes=[])
    first.others = (PoorPhoto("dark", "images[2]", quality={"bright": 3.0}),)
    told = problem(first, "/enroll", "r")
    assert told["code"] == "no_object"
    assert [(e["code"], e["location"]) for e in told["errors"]] == [
        ("no_object", "images[0]"),
        ("poor_photo", "images[2]"),
    ]
    assert told["errors"][0]["boxes"] == []
    assert told["errors"][1]["quality"] == {"bright": 3.0}


def test_extra_values_of_an_error_reach_the_answer():
    [entry] = entries(BadBox("outside", "images[1]", [0, 0, 9, 9], 4, 3))
    assert entry["image"] == {"width": 4, "height": 3}
    [entry] = entries(WrongCount("images", 51, 1, 50))
    assert (entry["minimum"], entry["maximum"], entry["location"]) == (1, 50, "images")
    [entry] = entries(Confusable("alike", confusable=[{"sku": "a"}]))
    assert entry["confusable"] == [{"sku": "a"}]


def test_a_refused_product_field_is_named():
    [entry] = entries(indexer.errors.BadProduct("name", "a text", 3))
    assert (entry["location"], entry["code"]) == ("name", "invalid_input")


def test_errors_of_the_catalog_tell_where_and_what():
    [entry] = entries(indexer.errors.DuplicateBarcode("123", "tea"))
    assert (entry["location"], entry["sku"]) == ("barcode", "tea")
    [entry] = entries(indexer.errors.IndexBehind(9, 7))
    assert (entry["location"], entry["wanted"], entry["have"]) == ("min_revision", 9, 7)
    assert entries(indexer.errors.ProductNotFound("x")) == []


def test_waiting_is_advised_where_it_helps():
    assert headers(models.errors.Overloaded(9, 8, 2.4)) == {"Retry-After": "2"}
    assert headers(models.errors.Overloaded(9, 8, 0.0)) == {"Retry-After": "1"}
    assert headers(indexer.errors.DatabaseUnavailable("gone")) == {"Retry-After": "5"}
    assert headers(InvalidInput("x")) == {}
