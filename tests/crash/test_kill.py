"""Processes killed with SIGKILL while they enroll and delete: what is left must be whole."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.projection import Projection
from indexer.tables import ChangeRow, EmbeddingRow, ViewRow
from indexer.transactions import reading, writing
from indexer.vectors import BruteForceIndex
from tests.indexer.entries import DIM, SPACE, files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KILLS = 60
STEPS = 6
"""How many acknowledged steps of both children a long life should hold."""


class Victims:
    """Two lines of children; see tests.crash.victims."""

    def __init__(self, url: str, blobs: BlobStore, journal: Path) -> None:
        command = [sys.executable, "-m", "tests.crash.victims", url, str(blobs.root), str(journal)]
        self._parents = [
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]

    def start(self, seeds: tuple[int, int]) -> list[int]:
        """Start a child of each line; returns their process ids."""
        for parent, seed in zip(self._parents, seeds, strict=True):
            assert parent.stdin
            parent.stdin.write(f"{seed}\n")
            parent.stdin.flush()
        return [int(self._read(parent)) for parent in self._parents]

    def wait(self) -> None:
        """Until both children are gone."""
        for parent in self._parents:
            assert self._read(parent) == "dead\n"

    def close(self) -> None:
        for parent in self._parents:
            parent.communicate(timeout=30)

    @staticmethod
    def _read(parent: subprocess.Popen[str]) -> str:
        assert parent.stdout
        return parent.stdout.readline()


class Expectation:
    """What the journal says must be there, may be there, and must not."""

    def __init__(self) -> None:
        self.views: dict[str, int] = {}
        self.uncertain: dict[str, int] = {}
        self.acknowledged = 0
        self._offset = 0

    def read(self, journal: Path) -> None:
        """Take in what was added since the last time."""
        self.uncertain = {}
        with journal.open() as file:
            file.seek(self._offset)
            for line in file:
                self._step(json.loads(line))
            self._offset = file.tell()

    def _step(self, entry: dict[str, str | int]) -> None:
        sku = str(entry["sku"])
        if entry["step"] == "intend":
            self.uncertain[sku] = int(entry.get("views", 0)) or self.views.pop(sku)
            return
        self.acknowledged += 1
        views = self.uncertain.pop(sku)
        if entry["action"] == "enroll":
            self.views[sku] = views

    def settle(self, stored: dict[str, int]) -> None:
        """Compare; what was not acknowledged counts from now on as it was found."""
        for sku, views in self.uncertain.items():
            if sku in stored:
                self.views[sku] = views
        assert stored == self.views


def check_storage(
    catalog: Catalog, engine: Engine, blobs: BlobStore, expected: Expectation
) -> None:
    """SQL and crops agree with each other and with the journal."""
    # Waits for what a killed process had already sent to the database.
    with writing(engine):
        pass
    catalog.sweep_crops(older_than_s=0)
    products = catalog.products(limit=100_000).items
    expected.settle({item.sku: item.views for item in products})
    with reading(engine) as connection:
        crops = set(connection.execute(select(ViewRow.crop_sha256)).scalars())
        views = connection.execute(select(func.count()).select_from(ViewRow)).scalar_one()
        vectors = connection.execute(select(func.count()).select_from(EmbeddingRow)).scalar_one()
        changes = connection.execute(select(func.count(), func.max(ChangeRow.revision))).one()
    assert views == vectors == sum(item.views for item in products)
    assert tuple(changes) in ((catalog.head(), catalog.head()), (0, None))
    assert files(blobs) == crops
    for sha256 in crops:
        assert hashlib.sha256(blobs.path(sha256).read_bytes()).hexdigest() == sha256


@pytest.fixture
def victims(
    database_url: str, catalog: Catalog, blobs: BlobStore, tmp_path: Path
) -> Iterator[Victims]:
    del catalog  # Only its schema and space are needed: the children bring their own.
    victims = Victims(database_url, blobs, tmp_path / "journal")
    yield victims
    victims.close()


@pytest.mark.timeout(600)
def test_killed_processes_leave_whole_products(
    victims: Victims, catalog: Catalog, engine: Engine, blobs: BlobStore, tmp_path: Path
) -> None:
    rng = np.random.default_rng(20)
    expected = Expectation()
    unacknowledged = 0
    longest_life_s = 0.1
    # A server that follows all the time, next to one that starts anew after each crash.
    follower = Projection(catalog, SPACE, DIM, lambda: BruteForceIndex(DIM))
    (tmp_path / "journal").touch()
    for kill in range(KILLS):
        children = victims.start((2 * kill, 2 * kill + 1))
        time.sleep(longest_life_s * rng.random())
        for child in children:
            os.kill(child, signal.SIGKILL)
        victims.wait()

        before = expected.acknowledged
        expected.read(tmp_path / "journal")
        # A busy machine is slower: the kills must come neither before nor after all the work.
        longest_life_s *= 1.3 if expected.acknowledged - before < STEPS // 2 else 1 / 1.3
        unacknowledged += len(expected.uncertain)
        check_storage(catalog, engine, blobs, expected)
        fresh = Projection(catalog, SPACE, DIM, lambda: BruteForceIndex(DIM))
        fresh.start()
        follower.catch_up()
        for projection in (fresh, follower):
            assert projection.revision == catalog.head()
            assert projection.verify().ok
    # The test is worth something only if the kills hit work that was going on.
    assert expected.acknowledged > KILLS // 2
    assert unacknowledged > KILLS // 2
