"""Re-embedding, and the `tillsight index` commands around it."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import app.cli
from app.cli.common import ExitCode
from app.crop_check import unreadable_crops
from app.networks import Networks
from app.reembed import Reembedded, reembed
from app.services import Services
from app.settings import Settings
from indexer.faiss_index import FaissIndex
from indexer.projection import Projection
from indexer.records import ProductInput
from migrations import schema
from models.types import Image, Vectors
from tests.fakes import (
    BLUE,
    COLOURS,
    GREEN,
    RED,
    FakeDetector,
    FakeEmbedder,
    photo,
    services_for,
    tray,
)

OLD, NEW = "fake000000000000", "fake111111111111"
BOX = (20, 20, 90, 90)


class OtherEmbedder(FakeEmbedder):
    """Other vectors in a space of its own; counts what it embeds and can be interrupted."""

    def __init__(self, before_batch: Callable[[int], object] = lambda number: None) -> None:
        super().__init__(NEW)
        self.before_batch = before_batch
        self.batches: list[int] = []

    def embed(self, crops: Sequence[Image]) -> Vectors:
        self.before_batch(len(self.batches))
        self.batches.append(len(crops))
        return np.ascontiguousarray(np.roll(super().embed(crops), 1, axis=1))


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Services]:
    """A serving shop with five products of one view each."""
    schema.upgrade(database_url)
    with services_for(tmp_path, database={"url": database_url}) as services:
        for number, colour in enumerate(COLOURS):
            enroll(services, f"P{number}", colour)
        yield services


def enroll(services: Services, sku: str, colour: tuple[int, int, int], *more: bytes) -> None:
    product = ProductInput(sku, f"Product {sku}", 100, "EUR")
    services.enroller.enroll(product, [photo(colour), *more])


def seen(services: Services, colour: tuple[int, int, int]) -> str | None:
    """The sku that the serving shop finds on a tray with this colour."""
    [item] = services.recognizer.recognize(tray((colour, BOX))).items
    return item.product.sku if item.product else None


def new_projection(services: Services, embedder: OtherEmbedder) -> Projection:
    """What a server with the new embedder would search."""
    made = Projection(services.catalog, NEW, embedder.dim, lambda: FaissIndex(embedder.dim))
    made.start()
    return made


def test_every_view_gets_a_vector_and_the_old_space_serves_on(shop: Services) -> None:
    embedder = OtherEmbedder()
    before = shop.catalog.live_vectors(OLD)
    steps: list[tuple[int, int]] = []
    done = reembed(shop.catalog, embedder, batch=2, on_progress=lambda *step: steps.append(step))
    assert done == Reembedded(NEW, 5, 0, (), shop.catalog.head())
    assert embedder.batches == [2, 2, 1]
    assert steps == [(0, 5), (2, 5), (4, 5), (5, 5)]
    after = shop.catalog.live_vectors(OLD)
    np.testing.assert_array_equal(after[1], before[1])
    projection = new_projection(shop, embedder)
    assert projection.verify().ok
    # the new vector of a view is that of its stored crop
    np.testing.assert_allclose(
        shop.catalog.live_vectors(NEW)[1], np.roll(before[1], 1, axis=1), atol=1e-6
    )
    shop.projection.catch_up()
    assert shop.projection.verify().ok
    assert len(shop.projection) == 5
    assert seen(shop, RED) == "P0"


def test_running_again_does_nothing(shop: Services) -> None:
    reembed(shop.catalog, OtherEmbedder())
    head = shop.catalog.head()
    again = OtherEmbedder()
    assert reembed(shop.catalog, again) == Reembedded(NEW, 0, 0, (), head)
    assert again.batches == []
    assert shop.catalog.head() == head


def test_an_interrupted_run_is_continued(shop: Services) -> None:
    def interrupt(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt

    first = OtherEmbedder(interrupt)
    with pytest.raises(KeyboardInterrupt):
        reembed(shop.catalog, first, batch=2)
    assert len(new_projection(shop, first)) == 2
    assert seen(shop, BLUE) == "P2"
    second = OtherEmbedder()
    assert reembed(shop.catalog, second, batch=2).done == 3
    assert sum(second.batches) == 3
    assert shop.catalog.views_without_embedding(NEW) == []
    assert new_projection(shop, second).verify().ok


def test_what_is_enrolled_and_deleted_meanwhile(shop: Services) -> None:
    def meanwhile(number: int) -> None:
        if number == 0:
            enroll(shop, "late", (96, 96, 160))
        if number == 1:
            shop.catalog.delete_product("P4")
            assert seen(shop, (96, 96, 160)) == "late"

    embedder = OtherEmbedder(meanwhile)
    done = reembed(shop.catalog, embedder, batch=2)
    assert (done.done, done.gone) == (5, 0)
    assert shop.catalog.views_without_embedding(NEW) == []
    assert shop.catalog.counts().vectors == {OLD: 5, NEW: 5}
    assert new_projection(shop, embedder).verify().ok


def test_a_view_deleted_while_its_crop_is_embedded_is_passed_over(shop: Services) -> None:
    embedder = OtherEmbedder(lambda number: number or shop.catalog.delete_product("P1"))
    reembed(shop.catalog, embedder, batch=5)
    assert shop.catalog.counts().vectors == {OLD: 4, NEW: 4}
    assert new_projection(shop, embedder).verify().ok


def test_a_lost_crop_is_reported_and_the_rest_is_done(shop: Services) -> None:
    [view] = shop.catalog.views("P2")
    [file] = [p for p in shop.settings.crops_dir.rglob("*") if p.name.startswith(view.crop_sha256)]
    file.write_bytes(b"damaged")
    done = reembed(shop.catalog, OtherEmbedder(), batch=2)
    assert (done.done, done.unreadable) == (4, (view.id,))
    [damage] = unreadable_crops(shop.catalog)
    assert damage.sha256 == view.crop_sha256


def test_crops_of_everything_are_checked(shop: Services) -> None:
    counted: list[int] = []
    enroll(shop, "P0", RED, photo(RED, (10, 10, 100, 100)))
    assert unreadable_crops(shop.catalog, counted.append) == []
    assert sum(counted) == shop.catalog.counts().views == 6


runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands on a data directory of their own, with fakes in the place of the networks."""

    def build(settings: Settings, on_batch: object = None) -> Services:
        new = settings.bundles.embedder == Path("new-bundle")
        embedder = OtherEmbedder() if new else FakeEmbedder(OLD)
        return Services(settings, Networks(FakeDetector(), embedder))

    monkeypatch.setenv("TILLSIGHT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("app.services.build", build)
    with services_for(tmp_path) as services:
        enroll(services, "red", RED)
        enroll(services, "green", GREEN)
    return tmp_path


def index(*arguments: str, expect: int = 0) -> Result:
    result = runner.invoke(app.cli.app, ["index", *arguments])
    assert result.exit_code == expect, result.output
    return result


def test_stats(home: Path) -> None:
    found = json.loads(index("stats", "--json").stdout)
    assert found["space"] == OLD
    assert (found["rows"], found["views"], found["lag"], found["kind"]) == (2, 2, 0, "exact")
    assert found["vectors_by_space"] == {OLD: 2}
    assert len(found["snapshots"]) == 1
    assert OLD in index("stats").stdout


def test_verify_passes_on_a_sound_index(home: Path) -> None:
    assert "ok: 2 vectors, 2 of them compared, at revision 2" in index("verify").stdout
    found = json.loads(index("verify", "--json", "--sample", "1").stdout)
    assert (found["ok"], found["sampled"], found["missing"]) == (True, 1, [])


def test_verify_fails_on_a_difference(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that loses a row when it is read must be noticed."""
    start = Projection.start

    def lossy(self: Projection) -> None:
        start(self)
        self._state.index.drop(np.array([2]))

    monkeypatch.setattr(Projection, "start", lossy)
    result = index("verify", expect=ExitCode.FAILED)
    assert "missing: 2 [index_differs]" in result.stderr
    found = json.loads(index("verify", "--json", expect=ExitCode.FAILED).stdout)
    assert (found["ok"], found["missing"], found["extra"]) == (False, [2], [])


def test_verify_reads_the_crops(home: Path) -> None:
    file = next(path for path in (home / "crops").rglob("*") if path.is_file())
    file.unlink()
    assert "unreadable_crops" in index("verify", expect=ExitCode.FAILED).stderr
    index("verify", "--no-crops")


def test_rebuild_and_snapshot_write_a_snapshot(home: Path) -> None:
    for command in ("rebuild", "snapshot"):
        for folder in (home / "index").iterdir():
            for file in folder.iterdir():
                file.write_bytes(b"")
        result = index(command)
        assert "revision 2" in result.stdout
        [folder] = (home / "index").iterdir()
        assert str(folder) in result.stdout
        assert all(file.stat().st_size for file in folder.iterdir())


def test_reembed_fills_the_new_space(home: Path) -> None:
    result = index("reembed", "--to", "new-bundle")
    assert f"2 views embedded in space {NEW}" in result.stdout
    assert "TILLSIGHT_BUNDLES__EMBEDDER=new-bundle" in result.stdout
    found = json.loads(index("reembed", "--to", "new-bundle", "--json").stdout)
    assert (found["space"], found["done"], found["unreadable"]) == (NEW, 0, [])
    assert json.loads(index("stats", "--json").stdout)["vectors_by_space"] == {OLD: 2, NEW: 2}
    assert json.loads(index("reembed", "--json").stdout)["space"] == OLD


def test_reembed_fails_on_a_lost_crop(home: Path) -> None:
    next(path for path in (home / "crops").rglob("*") if path.is_file()).unlink()
    result = index("reembed", "--to", "new-bundle", expect=ExitCode.FAILED)
    assert "crop_unreadable" in result.stderr
    assert "1 views embedded" in result.stdout
