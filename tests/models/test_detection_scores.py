import cv2
import numpy as np
import pytest

pytest.importorskip("faster_coco_eval")

from models import boxes as box_ops
from models.data.sample import Sample
from models.evaluate.detection import evaluate_detector, mistakes, score, worst
from models.types import Detections


def _sample(boxes, ignore=(), name="p"):
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    names = ("",) * len(rows)
    regions = np.array(ignore, np.float32).reshape(-1, 4)
    return Sample(name, lambda: np.full((100, 100, 3), 90, np.uint8), rows, names, names, regions)


def _found(boxes, scores):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def _average_precision(samples, found, threshold):
    """Precision averaged over the 101 recalls of COCO, with plain loops."""
    entries = sorted(
        ((float(d.scores[i]), n, d.boxes[i]) for n, d in enumerate(found) for i in range(len(d))),
        key=lambda e: -e[0],
    )
    free = [[True] * len(s.boxes) for s in samples]
    total, right, curve = sum(map(len, free)), 0, []
    for rank, (_, number, box) in enumerate(entries, 1):
        overlaps = box_ops.iou(box[None], samples[number].boxes)[0]
        options = [i for i, ok in enumerate(free[number]) if ok and overlaps[i] >= threshold]
        if options:
            free[number][max(options, key=lambda i: overlaps[i])] = False
            right += 1
        curve.append((right / total, right / rank))
    recalls = np.linspace(0, 1, 101)
    return float(np.mean([max((p for r, p in curve if r >= x), default=0.0) for x in recalls]))


def test_perfect_detections():
    samples = [_sample([(10, 10, 50, 50)]), _sample([(5, 5, 30, 90), (40, 40, 90, 90)])]
    found = [_found(s.boxes, np.full(len(s.boxes), 0.9)) for s in samples]

    scores = score(samples, found)

    assert (scores.ap, scores.ap50, scores.ap75, scores.ar100) == pytest.approx((1, 1, 1, 1))
    assert (scores.images, scores.boxes) == (2, 3)
    assert scores.to_json()["ap50"] == 1.0


def test_scores_equal_plain_loops():
    rng = np.random.default_rng(0)
    samples, found = [], []
    for _ in range(12):
        corner = rng.uniform(0, 60, (4, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(15, 40, (4, 2))], 1)
        samples.append(_sample(boxes))
        noisy = np.concatenate([boxes + rng.normal(0, 3, boxes.shape), boxes[:2] + 30])
        values = np.sort(rng.choice(1000, 6, replace=False) / 1000)[::-1]
        found.append(_found(noisy, values))

    scores = score(samples, found)

    thresholds = np.arange(0.5, 1.0, 0.05)
    by_loops = [_average_precision(samples, found, t) for t in thresholds]
    assert scores.ap50 == pytest.approx(by_loops[0], abs=1e-3)
    assert scores.ap75 == pytest.approx(by_loops[5], abs=1e-3)
    assert scores.ap == pytest.approx(np.mean(by_loops), abs=1e-3)
    assert 0 < scores.ap < scores.ap50 < 1


def test_what_lies_in_an_ignore_region_is_not_counted():
    found = [_found([(10, 10, 50, 50), (60, 60, 90, 90)], (0.9, 0.95)[::-1])]
    found = [_found(found[0].boxes[::-1], (0.95, 0.9))]

    strict = score([_sample([(10, 10, 50, 50)])], found)
    lenient = score([_sample([(10, 10, 50, 50)], [(55, 55, 95, 95)])], found)

    assert strict.ap50 == pytest.approx(0.5, abs=0.01)
    assert lenient.ap50 == pytest.approx(1.0)


def test_nothing_found_and_nothing_annotated():
    assert score([_sample([(10, 10, 50, 50)])], [Detections.empty()]).ap == 0.0
    with pytest.raises(ValueError, match="at least one annotated box"):
        score([_sample([])], [Detections.empty()])
    with pytest.raises(ValueError, match="expected 1 Detections, got 0"):
        score([_sample([(10, 10, 50, 50)])], [])


def test_mistakes_by_hand():
    sample = _sample([(10, 10, 50, 50), (60, 60, 90, 90)], [(0, 80, 20, 100)])
    assert mistakes(sample, Detections.empty()) == 2
    assert mistakes(sample, _found([(11, 10, 50, 50), (0, 0, 9, 9)], (0.9, 0.8))) == 2
    assert mistakes(sample, _found([(11, 10, 50, 50), (2, 82, 18, 98)], (0.9, 0.8))) == 1
    assert mistakes(sample, _found([(60, 60, 90, 90), (10, 10, 50, 50)], (0.9, 0.3))) == 1


class _Half:
    """Finds the first box of the pictures it is shown, in order."""

    name = "half"

    def __init__(self, samples):
        self._next = iter(samples)

    def detect(self, images):
        return [_found(next(self._next).boxes[:1], (0.9,)) for _ in images]


def test_evaluation_in_batches_and_worst_pictures(tmp_path):
    samples = [_sample([(10, 10, 50, 50)], name=str(n)) for n in range(4)]
    samples[2] = _sample([(10, 10, 50, 50), (60, 60, 90, 90), (0, 60, 20, 90)], name="2")

    scores, found = evaluate_detector(_Half(samples), samples, batch=3)
    paths = worst(samples, found, tmp_path / "worst", count=2)

    assert scores.ar100 == pytest.approx(4 / 6, abs=0.01)
    assert len(paths) == 2
    first = cv2.imread(str(paths[0]))
    assert first is not None
    assert (first[60:90, 60, 1] > 150).mean() > 0.5  # the green side of the second box
