"""The two networks of the service on one device, behind one queue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.settings import Settings
from models.batcher import Batcher, Run
from models.bundle import load_bundle
from models.engines.base import Engine, Outputs
from models.engines.select import create_engine
from models.predictors import RetinaNetDetector, VectorEmbedder
from models.types import Detector, Embedder

OnBatch = Callable[[str, int], None]
"""Told the network's name and the number of rows after every run on the device."""

_WARM_SIDE = 64
_WARM_RUNS = 2


@dataclass(frozen=True, slots=True)
class Networks:
    """Detector and embedder, ready to be called from any thread.

    Attributes:
        batcher: the queue in front of the device; None if the networks need none.
        engines: what they run on.
    """

    detector: Detector
    embedder: Embedder
    batcher: Batcher | None = None
    engines: Sequence[Engine] = ()

    def warm(self) -> None:
        """Run both once or twice: the first run of an engine allocates and compiles."""
        blank = np.zeros((_WARM_SIDE, _WARM_SIDE, 3), np.uint8)
        for _ in range(_WARM_RUNS):
            self.detector.detect([blank])
            self.embedder.embed([blank])

    def close(self) -> None:
        """End the queue's thread and free the device."""
        if self.batcher is not None:
            self.batcher.close()
        for engine in self.engines:
            engine.close()


def load_networks(settings: Settings, on_batch: OnBatch | None = None) -> Networks:
    """Read and verify both bundles and put them on the device that the settings name.

    Raises:
        BundleError, EngineUnavailable
    """
    chosen = settings.engine
    detector = load_bundle(settings.bundles.detector, "detector")
    embedder = load_bundle(settings.bundles.embedder, "embedder")
    engines = {
        "detector": create_engine(detector, chosen.device, chosen.precision, chosen.threads),
        "embedder": create_engine(embedder, chosen.device, chosen.precision, chosen.threads),
    }
    batcher = Batcher(
        {name: _observed(name, engine.run, on_batch) for name, engine in engines.items()},
        max_batch=settings.batching.max_batch,
        max_queue=settings.batching.max_queue,
    )
    return Networks(
        RetinaNetDetector(detector, partial(batcher.call, "detector")),
        VectorEmbedder(embedder, partial(batcher.call, "embedder")),
        batcher,
        tuple(engines.values()),
    )


def _observed(name: str, run: Run, on_batch: OnBatch | None) -> Run:
    if on_batch is None:
        return run

    def observed(batch: NDArray[np.uint8]) -> Outputs:
        outputs = run(batch)
        on_batch(name, len(batch))
        return outputs

    return observed
