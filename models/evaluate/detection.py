"""COCO scores of a detector on annotated pictures, and pictures of its worst mistakes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from models import boxes as box_ops
from models.data.sample import Sample
from models.types import Detections, Detector, Image

_GOOD_IOU = 0.5


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """COCO averages in [0,1] over all boxes, class-agnostic.

    Attributes:
        ap: mean precision over IoU thresholds .50 to .95.
        ap50: at IoU .50.
        ap75: at IoU .75.
        ar100: recall of at most 100 boxes a picture, mean over the thresholds.
        images: pictures counted.
        boxes: annotated boxes counted.
    """

    ap: float
    ap50: float
    ap75: float
    ar100: float
    images: int
    boxes: int

    def to_json(self) -> dict[str, float]:
        """Rounded plain values."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def score(samples: Sequence[Sample], found: Sequence[Detections]) -> DetectionScores:
    """COCO scores of detections, one per sample and in the same order.

    Ignore regions count as crowd boxes: what is found in them is neither right nor wrong.
    """
    if len(samples) != len(found):
        raise ValueError(f"found: expected {len(samples)} Detections, got {len(found)}")
    count = sum(len(sample.boxes) for sample in samples)
    if not count:
        raise ValueError("samples: expected at least one annotated box")
    if not any(len(detections) for detections in found):
        return DetectionScores(0.0, 0.0, 0.0, 0.0, len(samples), count)
    truth = COCO(_truth(samples))
    results = [
        {"image_id": number, "category_id": 1, "bbox": row.tolist(), "score": float(value)}
        for number, detections in enumerate(found, 1)
        for row, value in zip(box_ops.to_coco(detections.boxes), detections.scores, strict=True)
    ]
    evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=_silent)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    stats = evaluation.stats
    return DetectionScores(
        float(stats[0]), float(stats[1]), float(stats[2]), float(stats[8]), len(samples), count
    )


def run(detector: Detector, samples: Sequence[Sample], batch: int = 8) -> list[Detections]:
    """Detections of every sample, in order; pictures are read batch by batch."""
    found: list[Detections] = []
    for start in range(0, len(samples), batch):
        found += detector.detect([sample.load() for sample in samples[start : start + batch]])
    return found


def evaluate_detector(
    detector: Detector, samples: Sequence[Sample], batch: int = 8
) -> tuple[DetectionScores, list[Detections]]:
    """Scores of a detector on samples, and what it found (for `worst` and for reports)."""
    found = run(detector, samples, batch)
    return score(samples, found), found


def mistakes(sample: Sample, found: Detections, min_score: float = 0.5) -> int:
    """Annotated boxes that were missed plus confident boxes that fit nothing, at IoU .5."""
    confident = found.boxes[found.scores >= min_score]
    if not len(sample.boxes) or not len(confident):
        return len(sample.boxes) + len(confident)
    overlaps = box_ops.iou(sample.boxes, confident) >= _GOOD_IOU
    if len(sample.ignore):
        area = np.maximum(box_ops.area(confident), 1e-9)
        shares = box_ops.intersection(sample.ignore, confident) / area
        unjudged = (shares >= _GOOD_IOU).any(axis=0)
    else:
        unjudged = np.zeros(len(confident), np.bool_)
    missed = int((~overlaps.any(axis=1)).sum())
    invented = int((~overlaps.any(axis=0) & ~unjudged).sum())
    return missed + invented


def worst(
    samples: Sequence[Sample], found: Sequence[Detections], folder: Path, count: int = 6
) -> list[Path]:
    """Write the pictures with most mistakes as JPEG (green: annotated, red: found), worst first."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = np.array([mistakes(s, f) for s, f in zip(samples, found, strict=True)], np.int64)
    paths = []
    for rank, index in enumerate(np.argsort(-wrong, kind="stable")[:count]):
        path = folder / f"worst_{rank:02d}.jpg"
        picture = annotated(samples[index], found[index])
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        paths.append(path)
    return paths


def annotated(sample: Sample, found: Detections, min_score: float = 0.3) -> Image:
    """The picture with annotated boxes in green and found ones in red with their scores."""
    picture = sample.load().copy()
    for box in sample.boxes:
        x1, y1, x2, y2 = (round(float(v)) for v in box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), (0, 200, 0), 2)
    for box, value in zip(found.boxes, found.scores, strict=True):
        if value < min_score:
            continue
        x1, y1, x2, y2 = (round(float(v)) for v in box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), (230, 0, 0), 1)
        cv2.putText(
            picture, f"{value:.2f}", (x1 + 2, y1 + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (230, 0, 0)
        )
    return picture


def _silent(*_: object) -> None:
    """The library prints a table at each step; the scores are returned instead."""


def _truth(samples: Sequence[Sample]) -> dict[str, list[dict[str, object]]]:
    images: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    for number, sample in enumerate(samples, 1):
        images.append({"id": number, "file_name": sample.name})
        for boxes, crowd in ((sample.boxes, 0), (sample.ignore, 1)):
            for box, size in zip(box_ops.to_coco(boxes), box_ops.area(boxes), strict=True):
                rows.append(
                    {
                        "id": len(rows) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "bbox": box.tolist(),
                        "area": float(size),
                        "iscrowd": crowd,
                    }
                )
    return {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "object"}]}
