"""The threshold study on vectors whose right answers are known."""

import numpy as np
import pytest

from app.decision_study import STRANGER, Objects, Trials, read_objects, run_trials
from models.data.sample import Sample
from tests.fakes import BLUE, RED, FakeDetector, FakeEmbedder, tray


def well_separated(per_label: int = 6, labels: int = 5) -> Objects:
    """Products along the axes, each with its views on photos of their own."""
    names = np.repeat(np.arange(labels), per_label)
    vectors = np.eye(labels, dtype=np.float32)[names]
    return Objects(vectors, names.astype(np.int64), np.arange(len(names), dtype=np.int64))


def study(objects: Objects, enrolled: float, views: int = 2) -> Trials:
    rng = np.random.default_rng(0)
    return run_trials(
        objects, objects, views=views, enrolled=enrolled, trials=5, view_weight=0.7, rng=rng
    )


def test_separated_products_are_all_accepted_and_strangers_are_not() -> None:
    outcome = study(well_separated(), enrolled=0.6)
    assert outcome.accepted(0.9, 0.5) == (1.0, 1.0)
    assert outcome.reviewed(0.5) == (1.0, 1.0)
    assert 0 < outcome.known.sum() < len(outcome.known)
    assert not outcome.right[~outcome.known].any()


def test_photos_that_gave_a_view_are_not_asked_about() -> None:
    objects = well_separated(per_label=4, labels=3)
    outcome = study(objects, enrolled=1.0, views=2)
    assert len(outcome.known) == 5 * (3 * 4 - 3 * 2)


def test_a_stranger_is_never_right() -> None:
    objects = well_separated()
    strange = Objects(objects.vectors, np.full(len(objects.labels), STRANGER), objects.photos)
    outcome = run_trials(
        objects, strange, views=1, enrolled=1.0, trials=1, view_weight=1.0,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert not outcome.right.any()
    assert outcome.accepted(0.9, 0.0)[0] == 0.0


def test_thresholds_cut_as_a_plain_loop_would() -> None:
    rng = np.random.default_rng(3)
    known = rng.random(50) < 0.6
    outcome = Trials(rng.random(50), rng.random(50), known & (rng.random(50) < 0.8), known)
    rows = list(zip(outcome.similarity, outcome.margin, outcome.right, outcome.known, strict=True))
    taken = [right for similarity, margin, right, _ in rows if similarity >= 0.4 and margin >= 0.2]
    assert outcome.accepted(0.4, 0.2) == (sum(taken) / len(taken), sum(taken) / known.sum())
    kept = [similarity >= 0.4 for similarity, _, _, is_known in rows if is_known]
    below = [similarity < 0.4 for similarity, _, _, is_known in rows if not is_known]
    assert outcome.reviewed(0.4) == (sum(kept) / len(kept), sum(below) / len(below))


def test_too_few_products_are_refused() -> None:
    with pytest.raises(ValueError, match="2 products with more than 9 views"):
        study(well_separated(), enrolled=1.0, views=9)


def test_detections_take_the_label_of_the_object_they_show() -> None:
    image = tray((RED, (20, 20, 80, 80)), (BLUE, (200, 100, 260, 200)))
    boxes = np.array([[200, 100, 260, 200]], np.float32)
    sample = Sample("one", lambda: image, boxes, ("blue",), ("blue",))
    annotated, detected = read_objects([sample], FakeDetector(), FakeEmbedder(), 0.0)
    assert annotated.labels.tolist() == [0]
    assert sorted(detected.labels.tolist()) == [STRANGER, 0]
    blue = detected.vectors[detected.labels == 0][0]
    assert float(blue @ annotated.vectors[0]) > 0.99
