import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.errors import BadSettings
from app.housekeeping import Housekeeping
from app.networks import load_networks
from app.services import Services
from app.settings import load
from indexer.errors import DatabaseUnavailable, SchemaOutdated, WrongCurrency
from indexer.records import ProductInput
from migrations import schema
from models.errors import BundleError
from tests.fakes import RED, fake_networks, photo, services_for, settings_for, tray

TEA = ProductInput("red", "Red tea", 199, "EUR")
CHECKS = ["networks", "database", "schema", "index", "space"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Services]:
    with services_for(tmp_path) as services:
        yield services


def red(services: Services) -> dict[str, str]:
    """The checks that fail, with their details."""
    return {c.name: c.detail for c in services.readiness() if not c.ok}


def test_the_embedded_database_makes_itself(tmp_path: Path):
    with services_for(tmp_path / "new" / "folder") as services:
        assert [c.name for c in services.readiness()] == CHECKS
        assert red(services) == {}
        assert services.catalog.counts().products == 0
        assert (tmp_path / "new" / "folder" / "tillsight.db").exists()


def test_building_touches_nothing(tmp_path: Path):
    services = services_for(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    services.close()


def test_a_restart_finds_everything_again(tmp_path: Path):
    with services_for(tmp_path) as first:
        first.enroller.enroll(TEA, [photo(RED)])
    with services_for(tmp_path) as second:
        [item] = second.recognizer.recognize(tray((RED, (20, 20, 90, 90)))).items
        assert item.product
        assert item.product.sku == "red"
        assert red(second) == {}


def test_two_servers_on_one_database_follow_each_other(tmp_path: Path):
    with services_for(tmp_path) as first, services_for(tmp_path) as second:
        revision = first.enroller.enroll(TEA, [photo(RED)]).revision
        found = second.recognizer.recognize(tray((RED, (20, 20, 90, 90))), min_revision=revision)
        assert found.items[0].outcome == "accept"
        first.catalog.delete_product("red")
        deadline = time.monotonic() + 5
        while len(second.projection) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(second.projection) == 0, "the tail brings the deletion"


def test_another_database_must_be_current(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with pytest.raises(SchemaOutdated, match="tillsight db upgrade"):
        services_for(tmp_path, database={"url": url}).__enter__()
    schema.upgrade(url)
    with services_for(tmp_path, database={"url": url}) as services:
        assert red(services) == {}


def test_a_database_that_is_away_stops_the_start(tmp_path: Path):
    url = "postgresql://nobody@127.0.0.1:1/none"
    pytest.importorskip("psycopg")
    with pytest.raises(DatabaseUnavailable):
        services_for(tmp_path, database={"url": url, "connect_timeout_s": 0.2}).__enter__()


def test_another_currency_stops_the_start(tmp_path: Path):
    with services_for(tmp_path) as services:
        services.enroller.enroll(TEA, [photo(RED)])
    with pytest.raises(WrongCurrency):
        services_for(tmp_path, catalog={"currency": "USD"}).__enter__()


def test_before_the_start_and_after_the_end_it_is_not_ready(tmp_path: Path):
    services = services_for(tmp_path)
    assert red(services)["networks"] == "not started"
    with services:
        assert red(services) == {}
    services.close()
    assert "networks" in red(services)


def test_a_small_lag_is_caught_up_in_passing(tmp_path: Path):
    with services_for(tmp_path, index={"tail_interval_s": 60.0, "max_lag": 1}) as services:
        services.enroller.enroll(TEA, [photo(RED)])
        services.catalog.delete_product("red")
        assert red(services) == {}
        assert len(services.projection) == 0


def test_lag_beyond_the_setting_is_red(tmp_path: Path):
    with services_for(tmp_path, index={"tail_interval_s": 60.0, "max_lag": 0}) as services:
        services.enroller.enroll(TEA, [photo(RED)])
        services.catalog.delete_product("red")
        assert red(services) == {"index": "1 revisions behind, expected at most 0"}
        services.projection.catch_up()
        assert red(services) == {}


def test_a_wrong_count_is_red(shop: Services):
    shop.enroller.enroll(TEA, [photo(RED)])
    shop.projection._state.index.drop(np.array([1], np.int64))
    assert red(shop) == {"index": "expected 1 vectors, got 0"}
    shop.projection.rebuild()
    assert red(shop) == {}


def test_views_of_another_embedder_are_red(tmp_path: Path):
    with services_for(tmp_path) as first:
        first.enroller.enroll(TEA, [photo(RED)])
    with Services(settings_for(tmp_path), fake_networks("other00000000000")) as second:
        assert "tillsight index reembed" in red(second)["space"]
        [item] = second.recognizer.recognize(tray((RED, (20, 20, 90, 90)))).items
        assert item.outcome == "unknown", "vectors of two spaces are never compared"


def test_a_probe_reads_no_table_twice_for_nothing(shop: Services, monkeypatch: pytest.MonkeyPatch):
    """Nor does it wait four times for a database that does not answer."""
    calls: list[str] = []
    for name in ("views_without_embedding", "counts", "head"):
        real = getattr(shop.catalog, name)

        def counted(*args: object, _real=real, _name=name, **options: object) -> object:
            calls.append(_name)
            return _real(*args, **options)

        monkeypatch.setattr(shop.catalog, name, counted)
    shop.enroller.enroll(TEA, [photo(RED)])
    assert red(shop) == {}
    calls.clear()
    assert red(shop) == {}
    assert set(calls) == {"head"}

    def away() -> int:
        calls.append("away")
        raise DatabaseUnavailable("the database is away")

    monkeypatch.setattr(shop.catalog, "head", away)
    shop.projection.close()  # its tail asks too
    calls.clear()
    assert [c.ok for c in shop.readiness()] == [True, False, False, False, False]
    assert calls == ["away"]


def test_a_database_that_goes_away_is_red_and_comes_back(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    schema.upgrade(url)
    with services_for(tmp_path, database={"url": url}, index={"tail_interval_s": 60}) as services:
        services._database.dispose()  # connections of the pool would still see the old file
        away = tmp_path / "away"
        away.mkdir()
        for path in tmp_path.glob("shop.db*"):
            path.rename(away / path.name)
        (tmp_path / "shop.db").mkdir()
        assert {"database", "schema", "index", "space"} <= set(red(services))
        (tmp_path / "shop.db").rmdir()
        for path in away.iterdir():
            path.rename(tmp_path / path.name)
        assert red(services) == {}


def test_a_deleted_product_is_never_named_while_others_work(shop: Services):
    """Four threads recognise while one enrols and deletes; revisions tell what was known."""
    image = tray((RED, (20, 20, 90, 90)))
    seen: list[tuple[int, int, str | None]] = []
    stop = threading.Event()

    def recognise() -> None:
        while not stop.is_set():
            before = shop.catalog.head()
            [item] = shop.recognizer.recognize(image).items
            after = shop.catalog.head()
            seen.append((before, after, item.product and item.product.sku))

    alive: dict[int, bool] = {shop.catalog.head(): False}
    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(recognise) for _ in range(4)]
        for _ in range(15):
            alive[shop.enroller.enroll(TEA, [photo(RED)]).revision] = True
            alive[shop.catalog.delete_product("red")] = False
        stop.set()
        for worker in workers:
            worker.result()
    steady = [(head, sku) for head, after, sku in seen if head == after]
    assert all(sku is None for head, sku in steady if not alive[head])
    assert len(seen) > 20


def test_unknown_variables_are_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("TILLSIGHT_DATADIR", "x")
    with caplog.at_level(logging.WARNING), services_for(tmp_path):
        pass
    assert "TILLSIGHT_DATADIR is not a setting; near: TILLSIGHT_DATA_DIR" in caplog.text


def test_a_data_directory_that_is_a_file_is_a_wrong_setting(tmp_path: Path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(BadSettings, match="TILLSIGHT_DATA_DIR"):
        services_for(tmp_path / "data").__enter__()


def test_a_missing_bundle_is_named(tmp_path: Path):
    settings = load(data_dir=tmp_path, bundles={"detector": tmp_path / "nowhere"})
    with pytest.raises(BundleError, match="nowhere"):
        load_networks(settings)


def test_a_wrong_database_url_is_a_wrong_setting(tmp_path: Path):
    with pytest.raises(BadSettings, match="TILLSIGHT_DATABASE__URL"):
        settings_for(tmp_path, database={"url": "oracle://x/y"})


def test_housekeeping_removes_old_orphans_only(shop: Services):
    [entry] = shop.enroller.enroll(TEA, [photo(RED)], idempotency_key="k").images
    folder = shop.settings.crops_dir
    old, young = folder / "aa" / ("a" * 64), folder / "bb" / ("b" * 64)
    for path in (old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left by a crash")
    hours_ago = time.time() - 7200
    stored = folder / shop.catalog.views("red")[0].crop_sha256[:2]
    for path in (old, *stored.iterdir()):
        os.utime(path, (hours_ago, hours_ago))
    Housekeeping(shop.catalog, keep_answers_s=1e-6).round()
    assert (old.exists(), young.exists()) == (False, True)
    assert shop.catalog.crop("red", entry.view_id)
    again = shop.enroller.enroll(TEA, [photo(RED)], idempotency_key="k")
    assert again.images[0].status == "duplicate", "the answer to the key was forgotten"


def test_housekeeping_survives_a_failure(
    shop: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    forgotten = []

    def full(_: float) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(shop.catalog, "sweep_crops", full)
    monkeypatch.setattr(shop.catalog, "forget_answers", forgotten.append)
    Housekeeping(shop.catalog, 5.0).round()
    assert forgotten == [5.0]
    assert "housekeeping failed" in caplog.text
