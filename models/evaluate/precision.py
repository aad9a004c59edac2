"""What each precision of a bundle costs in accuracy, measured on annotated photos."""

from collections.abc import Sequence

import numpy as np

from models import boxes as box_ops
from models.bundle import Bundle
from models.data.sample import Sample
from models.engines import create_engine
from models.engines.select import PrecisionChoice
from models.errors import BundleError
from models.evaluate.detection import evaluate_detector
from models.evaluate.retrieval import recall_at
from models.predictors import RetinaNetDetector, VectorEmbedder
from models.types import Detections, Image, Vectors

_BATCH = 16
_HESITANT = 0.02  # average precision also counts detections of low score


def scores(
    bundle: Bundle, precision: PrecisionChoice, samples: Sequence[Sample]
) -> dict[str, float]:
    """Scores in [0,1] of a detector or embedder on the CPU in one precision.

    A detector is judged by COCO averages over all boxes. An embedder is judged by `recall_1`: the
    share of annotated crops whose most similar other crop has the same label.

    Raises:
        EngineUnavailable: the precision is not in the bundle or not on this machine.
    """
    task = bundle.manifest.task
    if task not in ("detector", "embedder"):
        raise BundleError(f"{bundle.path}: no measure is known for the task {task}")
    engine = create_engine(bundle, "cpu", precision)
    try:
        if task == "detector":
            found, _ = evaluate_detector(_Patient(RetinaNetDetector(bundle, engine.run)), samples)
            values = found.to_json()
            return {name: values[name] for name in ("ap", "ap50", "ar100")}
        labels, vectors = _vectors(VectorEmbedder(bundle, engine.run), samples)
        return {"recall_1": round(recall_at(vectors, labels, [1])[1], 4)}
    finally:
        engine.close()


def losses(reference: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """What is lost per metric, as a share of 1; negative where `other` is better."""
    return {name: round(value - other[name], 4) for name, value in reference.items()}


class _Patient:
    """A detector that also returns what it hardly believes in."""

    def __init__(self, detector: RetinaNetDetector) -> None:
        self._detector = detector
        self.name = detector.name

    def detect(self, images: Sequence[Image], min_score: float | None = None) -> list[Detections]:
        return self._detector.detect(images, _HESITANT if min_score is None else min_score)


def _vectors(
    embedder: VectorEmbedder, samples: Sequence[Sample]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Vectors]:
    """Label numbers int64 `[N]` and vectors `[N,D]` of all annotated crops."""
    names = sorted({label for sample in samples for label in sample.labels})
    labels = [names.index(label) for sample in samples for label in sample.labels]
    if not labels:
        raise ValueError("samples: expected at least one annotated box")
    rows = []
    for sample in samples:
        image = sample.load()
        crops = [box_ops.crop(image, box) for box in sample.boxes]
        rows += [embedder.embed(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)]
    return np.array(labels, np.int64), np.concatenate(rows)
