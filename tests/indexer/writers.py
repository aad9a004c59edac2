"""Processes of test_concurrency: `python -m tests.indexer.writers ROLE URL CROPS NUMBER COUNT`.

    write   enroll COUNT products with 1 to 3 views each, every fourth of which is deleted again
    tail    follow the log until revision COUNT and apply it to a copy of the vectors

Every process says "ready", waits for a line, works, and prints what it has seen as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine
from indexer.records import Enrolled, Idempotency, NewView
from tests.indexer.entries import SPACE, product, unit_vectors

LONGEST_PAUSE_S = 0.02


def write(catalog: Catalog, number: int, count: int) -> dict[str, Any]:
    """Revisions acknowledged to this writer."""
    rng = np.random.default_rng(number)
    revisions = []
    for step in range(count):
        sku = f"{number}-{step}"
        # The first crop is shared by all products of all writers.
        crops = [b"shared", *(f"{sku} {view}".encode() for view in range(rng.integers(3)))]
        revisions.append(_enroll_slowly(catalog, sku, crops, float(rng.random())))
        if step % 4 == 3:
            revisions.append(catalog.delete_product(sku))
    return {"revisions": revisions}


def _enroll_slowly(catalog: Catalog, sku: str, crops: list[bytes], share: float) -> int:
    def receipt(enrolled: Enrolled) -> dict[str, Any]:
        # Between the log and the commit, where another writer could overtake this one.
        time.sleep(LONGEST_PAUSE_S * share)
        return {"revision": enrolled.revision}

    done = catalog.enroll(
        product(sku),
        [NewView(crop) for crop in crops],
        SPACE,
        unit_vectors(len(crops)),
        idempotency=Idempotency(sku, "hash"),
        receipt=receipt,
    )
    return done.revision


def tail(catalog: Catalog, last: int) -> dict[str, Any]:
    """Every revision in the order seen, and the ids that the copy ends with."""
    seen: list[int] = []
    copy: dict[int, bytes] = {}
    deadline = time.monotonic() + 120
    while (seen[-1] if seen else 0) < last and time.monotonic() < deadline:
        for change in catalog.changes_after(seen[-1] if seen else 0, limit=7):
            seen.append(change.revision)
            ids, vectors = catalog.vectors(SPACE, [change.view_id])
            copy.pop(change.view_id, None)
            if change.action == "put" and len(ids):
                copy[change.view_id] = vectors[0].tobytes()
    return {"seen": seen, "copy": {str(key): value.hex() for key, value in copy.items()}}


def main(role: str, url: str, crops: str, number: str, count: str) -> None:
    """One process."""
    engine = create_engine(url)
    catalog = Catalog(engine, BlobStore(Path(crops)), "EUR")
    catalog.head()
    print("ready", flush=True)
    sys.stdin.readline()
    result = (
        write(catalog, int(number), int(count)) if role == "write" else tail(catalog, int(count))
    )
    print(json.dumps(result), flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
