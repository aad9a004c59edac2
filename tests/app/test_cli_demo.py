"""`tillsight demo`: the drawn catalogue and its commands."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import demo
from tests.app.command_line import home, json_lines, run

__all__ = ["home"]


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """The demo with three products of two views."""
    products = demo.demo_products()[:3]
    monkeypatch.setattr(demo, "demo_products", lambda: products)
    monkeypatch.setattr(demo, "VIEWS", 2)
    monkeypatch.setattr(demo, "TRAYS", {"tray-1": 2})
    monkeypatch.setattr(demo, "NEW_TRAY_OTHERS", 2)
    return [p.sku for p in products]


def test_demo_is_harmless_to_repeat(home: Path, small_demo: Sequence[str]) -> None:
    assert "3 enrolled now" in run("demo", "--no-serve").stdout
    photos = {p.name: p.read_bytes() for p in (home / "data" / "demo").iterdir()}
    assert set(photos) == {"tray-1.jpg", "tray-new.jpg", "new-1.jpg", "new-2.jpg", "new-3.jpg"}
    assert "0 enrolled now" in run("demo", "--no-serve").stdout
    run("products", "delete", small_demo[0], "--yes")
    assert "1 enrolled now" in run("demo", "--no-serve").stdout
    [products] = json_lines(run("products", "list", "--json"))
    assert {p["sku"] for p in products} == set(small_demo)
    assert {p["views"] for p in products} == {2}
    assert {p.name: p.read_bytes() for p in (home / "data" / "demo").iterdir()} == photos


def test_demo_catalogue_is_large_enough_and_leaves_one_product_out() -> None:
    products = demo.demo_products()
    assert len(products) >= 24
    assert demo.VIEWS >= 4
    assert demo.new_product() not in products


def test_demo_commands_can_be_copied() -> None:
    [first, second, third] = demo.commands("http://127.0.0.1:8000", Path("my data/demo"), "EUR")
    for _, command in (first, second, third):
        assert shlex.split(command)[0] == "curl"
    assert "image=@my data/demo/tray-1.jpg" in shlex.split(first[1])
    fields = shlex.split(second[1])
    assert f"name={demo.new_product().name}" in fields and "price=1.49" in fields
    assert shlex.split(third[1])[-1] == "http://127.0.0.1:8000/detect"
