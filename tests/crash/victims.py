"""Processes that are killed: `python -m tests.crash.victims URL CROPS JOURNAL`.

For each line on its input this program forks a child that enrolls and deletes in a loop, prints
the child's process id, waits for its end and prints "dead". Before the first fork it has done
the same work itself, so that a child needs only milliseconds from its start to a commit.

The child writes to the journal, one JSON line each, what it is about to do ("intend") and what
was acknowledged ("done"). A line is one write to a file opened for appending, so it survives the
end of the process.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine
from tests.indexer.entries import put

SHARED = [f"shared {number}".encode() * 500 for number in range(3)]
"""Crops that several products have."""


class Journal:
    """Lines that outlive their writer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, step: str, action: str, sku: str, **facts: Any) -> None:
        line = json.dumps({"step": step, "action": action, "sku": sku, **facts})
        os.write(self._file, f"{line}\n".encode())


def work(catalog: Catalog, journal: Journal, seed: int) -> None:
    """Enroll and delete until the end."""
    rng = np.random.default_rng(seed)
    mine: list[str] = []
    for number in range(1_000_000):
        if mine and rng.random() < 0.4:
            sku = mine.pop(int(rng.integers(len(mine))))
            journal.write("intend", "delete", sku)
            catalog.delete_product(sku)
            journal.write("done", "delete", sku)
            continue
        sku = f"{seed}-{number}"
        own = [f"{sku} {view}".encode() * 500 for view in range(rng.integers(3))]
        views = [SHARED[rng.integers(len(SHARED))], *own]
        journal.write("intend", "enroll", sku, views=len(views))
        put(catalog, sku, views)
        journal.write("done", "enroll", sku, views=len(views))
        mine.append(sku)


def main(url: str, crops: str, journal: str) -> None:
    """Fork one child per line, which is its seed."""
    engine = create_engine(url)
    catalog = Catalog(engine, BlobStore(Path(crops)), "EUR")
    put(catalog, f"warm-{os.getpid()}", [b"warm"])
    catalog.delete_product(f"warm-{os.getpid()}")
    # A connection must not be in two processes.
    engine.dispose()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(catalog, Journal(Path(journal)), int(line))
            finally:
                os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
