"""From images to boxes and vectors: prepare, infer, finish around any engine.

`run` is `engine.run`, or a batcher's `call` bound to a network's name. Only that middle step
touches the device.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models import boxes as box_ops
from models.anchors import AnchorConfig, anchors, decode
from models.batcher import Run
from models.bundle import Bundle
from models.errors import BatchFailed, BundleError
from models.preprocess import Placement
from models.types import Detections, Image, Vectors

_CANDIDATES = 300  # best anchors per image that go into suppression, which is quadratic in them


class RetinaNetDetector:
    """Finds objects with a one-class RetinaNet.

    The bundle's settings give `score_threshold`, `nms_iou`, `nms_contained` and `max_detections`.

    Args:
        bundle: a bundle for the task `detector`.
        run: uint8 `[B,H,W,3]` -> logits float32 `[B,A]`, box deltas float32 `[B,A,4]`.
        name: name for people and logs; the bundle's by default.
    """

    def __init__(self, bundle: Bundle, run: Run, *, name: str | None = None) -> None:
        _check_task(bundle, "detector")
        manifest = bundle.manifest
        self.name = name or bundle.name
        self._run = run
        self._preprocess = manifest.preprocess
        try:
            config = AnchorConfig.from_json(manifest.architecture["anchors"])
            self._min_score = float(manifest.settings["score_threshold"])
            self._nms_iou = float(manifest.settings["nms_iou"])
            self._nms_contained = float(manifest.settings["nms_contained"])
            self._limit = int(manifest.settings["max_detections"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.path}: detector settings: {error!r}") from error
        # The input size is fixed, so the anchors are made once.
        self._anchors = anchors(self._preprocess.height, self._preprocess.width, config)

    def detect(self, images: Sequence[Image], min_score: float | None = None) -> list[Detections]:
        """One `Detections` per image, in the same order.

        Args:
            images: uint8 `[H,W,3]` each, of any sizes; there may be none.
            min_score: lowest score to return, in (0,1); None for the bundle's threshold.

        Returns:
            Boxes in pixels of each image, cut to it, with sides of at least one pixel.
        """
        threshold = self._min_score if min_score is None else min_score
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"min_score: expected a number in (0,1), got {threshold}")
        if not images:
            return []
        batch, placements = self._preprocess.batch(images)
        logits, deltas = self._infer(batch)
        return [
            self._finish(logits[i], deltas[i], placement, threshold)
            for i, placement in enumerate(placements)
        ]

    def _infer(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        outputs = self._run(batch)
        rows = (len(batch), len(self._anchors))
        shapes = [output.shape for output in outputs]
        if shapes != [rows, (*rows, 4)]:
            raise BatchFailed(f"{self.name}: expected outputs {[rows, (*rows, 4)]}, got {shapes}")
        return outputs[0], outputs[1]

    def _finish(
        self,
        logits: NDArray[np.float32],
        deltas: NDArray[np.float32],
        placement: Placement,
        min_score: float,
    ) -> Detections:
        """Logits `[A]` and deltas `[A,4]` of one image -> its detections."""
        # The threshold is moved to the logits: a sigmoid of every anchor would cost more.
        limit = np.float32(np.log(min_score / (1.0 - min_score)))
        chosen = np.flatnonzero(logits >= limit)
        if len(chosen) > _CANDIDATES:
            chosen = chosen[np.argpartition(-logits[chosen], _CANDIDATES)[:_CANDIDATES]]
        boxes = placement.to_image(decode(deltas[chosen], self._anchors[chosen]))
        large = box_ops.valid(boxes)  # False for NaN, too
        boxes = boxes[large]
        scores = _sigmoid(logits[chosen][large])
        kept = box_ops.nms(boxes, scores, self._nms_iou, self._nms_contained)[: self._limit]
        return Detections(boxes[kept], scores[kept])


class VectorEmbedder:
    """Turns crops into unit vectors.

    Args:
        bundle: a bundle for the task `embedder`; its settings give `dim`.
        run: uint8 `[B,H,W,3]` -> vectors float32 `[B,D]`.
        name: name for people and logs; the bundle's by default.
    """

    def __init__(self, bundle: Bundle, run: Run, *, name: str | None = None) -> None:
        _check_task(bundle, "embedder")
        self.name = name or bundle.name
        self.space = bundle.space
        self._run = run
        self._preprocess = bundle.manifest.preprocess
        dim = bundle.manifest.settings.get("dim")
        if not isinstance(dim, int) or dim < 1:
            raise BundleError(f"{bundle.path}: settings: dim: expected 1 or more, got {dim!r}")
        self.dim = dim

    def embed(self, crops: Sequence[Image]) -> Vectors:
        """Crops uint8 `[H,W,3]` of any sizes -> float32 `[N,D]`, rows of norm 1, same order."""
        if not crops:
            return np.zeros((0, self.dim), np.float32)
        batch, _ = self._preprocess.batch(crops)
        vectors = self._run(batch)[0]
        if vectors.shape != (len(crops), self.dim):
            raise BatchFailed(
                f"{self.name}: expected vectors {(len(crops), self.dim)}, got {vectors.shape}"
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and (norms > 0).all()):
            raise BatchFailed(f"{self.name}: expected finite vectors other than 0")
        # Low precision leaves norms a little off 1, and similarities must not exceed 1 by that.
        unit: Vectors = (vectors / norms).astype(np.float32)
        return unit


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # The form with tanh cannot overflow.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)


def _check_task(bundle: Bundle, task: str) -> None:
    if bundle.manifest.task != task:
        raise BundleError(
            f"{bundle.path}: expected a bundle for {task}, got one for {bundle.manifest.task}"
        )
