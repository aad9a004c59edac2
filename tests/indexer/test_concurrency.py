"""Several processes on one catalog, on both databases."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.errors import AlreadyAnswered
from indexer.records import Idempotency, NewView
from indexer.transactions import writing
from tests.indexer.entries import SPACE, files, product, put, unit_vectors

ROOT = Path(__file__).parents[2]
PRODUCTS = 40


class Process:
    """A process of tests.indexer.writers, ready to go."""

    def __init__(self, role: str, url: str, blobs: BlobStore, number: int, count: int) -> None:
        arguments = [role, url, str(blobs.root), str(number), str(count)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.indexer.writers", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        output, _ = self._process.communicate(timeout=150)
        assert self._process.returncode == 0
        return dict(json.loads(output))


def changes_of(number: int) -> int:
    """Changes that the writer of this number makes; it draws the same numbers as the writer."""
    rng = np.random.default_rng(number)
    # The second draw is the length of a pause.
    views = [1 + (int(rng.integers(3)), rng.random())[0] for _ in range(PRODUCTS)]
    return sum(views) + sum(views[3::4])


def test_a_reader_misses_no_revision_of_two_writers(
    database_url: str, catalog: Catalog, blobs: BlobStore
) -> None:
    last = changes_of(1) + changes_of(2)
    reader = Process("tail", database_url, blobs, 0, last)
    writers = [Process("write", database_url, blobs, number, PRODUCTS) for number in (1, 2)]
    for process in (reader, *writers):
        process.go()
    acknowledged = [process.result()["revisions"] for process in writers]
    read = reader.result()

    assert catalog.head() == last
    # In order and without gaps: nothing was missed, nothing seen twice.
    assert read["seen"] == list(range(1, last + 1))
    ids, vectors = catalog.live_vectors(SPACE)
    truth = {str(key): row.tobytes().hex() for key, row in zip(ids, vectors, strict=True)}
    assert read["copy"] == truth
    # They did run at the same time, and each got revisions of its own.
    assert not set(acknowledged[0]) & set(acknowledged[1])
    assert max(map(min, acknowledged)) < min(map(max, acknowledged))
    stored = {view.crop_sha256 for item in all_skus(catalog) for view in catalog.views(item)}
    assert files(blobs) == stored


def all_skus(catalog: Catalog) -> list[str]:
    return [item.sku for item in catalog.products(limit=10_000).items]


def test_revisions_commit_in_order(engine: Engine, catalog: Catalog) -> None:
    """A second writer cannot get a revision, let alone commit it, before the first commits."""
    done = threading.Event()

    def second() -> None:
        put(catalog, "B2")
        done.set()

    thread = threading.Thread(target=second)
    with writing(engine) as writer:
        writer.log([1001], "put")
        assert writer.revision == 1
        thread.start()
        assert not done.wait(0.3)
        assert catalog.changes_after(0) == []
    thread.join()
    assert [change.revision for change in catalog.changes_after(0)] == [1, 2]
    assert catalog.changes_after(0)[0].view_id == 1001


def test_the_same_request_at_once_is_done_once(catalog: Catalog, blobs: BlobStore) -> None:
    answers: list[int] = []
    start = threading.Barrier(4)

    def request() -> None:
        start.wait()
        try:
            done = catalog.enroll(
                product(),
                [NewView(b"crop")],
                SPACE,
                unit_vectors(1),
                idempotency=Idempotency("key", "hash"),
                receipt=lambda enrolled: {"revision": enrolled.revision},
            )
            answers.append(done.revision)
        except AlreadyAnswered as error:
            answers.append(error.answer["revision"])

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1, 1, 1, 1]
    assert catalog.product("A1").views == 1
    assert len(files(blobs)) == 1


def test_the_same_new_sku_at_once_is_one_product(catalog: Catalog) -> None:
    created: list[bool] = []
    start = threading.Barrier(4)

    def request(number: int) -> None:
        start.wait()
        created.append(put(catalog, "A1", [bytes([number])]).created)

    threads = [threading.Thread(target=request, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False, False, False, True]
    assert catalog.product("A1").views == 4


def test_the_same_photo_of_one_sku_at_once_is_one_view(catalog: Catalog, blobs: BlobStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: put(catalog, "A1", [b"same", b"same"]), range(4)))
    assert len({view_id for each in done for view_id in each.view_ids}) == 1
    assert sorted(each.added[0] for each in done) == [False, False, False, True]
    assert (catalog.product("A1").views, len(files(blobs))) == (1, 1)


def test_a_crop_shared_by_enrolment_and_deletion_is_not_lost(catalog: Catalog) -> None:
    """One thread deletes products with a crop while another enrols the same bytes."""
    put(catalog, "old-0", [b"shared"])
    lost: list[str] = []

    def churn(name: str) -> None:
        for number in range(15):
            sku = f"{name}-{number}"
            done = put(catalog, sku, [b"shared"])
            if catalog.crop(sku, done.view_ids[0]) != b"shared":
                lost.append(sku)
            catalog.delete_product(sku)

    catalog.delete_product("old-0")
    threads = [threading.Thread(target=churn, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert catalog.counts().products == 0
