import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.decide import Decision, Neighbour, Policy, ThresholdPolicy, decide

POLICY = ThresholdPolicy(accept=0.75, review=0.55, margin=0.04)
RANK = {"unknown": 0, "review": 1, "accept": 2}

similarities = st.floats(-1.0, 1.0, width=32)
weights = st.floats(0.5, 1.0)


@st.composite
def neighbour_lists(draw: st.DrawFn) -> list[Neighbour]:
    """Views of up to six products; a product has at least the views that are near."""
    products = draw(st.lists(st.integers(1, 6), min_size=1, max_size=20))
    far = draw(st.dictionaries(st.integers(1, 6), st.integers(0, 3)))
    return [
        Neighbour(product, view, draw(similarities), products.count(product) + far.get(product, 0))
        for view, product in enumerate(products)
    ]


def views(product_id: int, *near: float, of: int | None = None) -> list[Neighbour]:
    """Neighbours of one product that has `of` views in all."""
    first = 100 * product_id
    count = len(near) if of is None else of
    return [Neighbour(product_id, first + i, value, count) for i, value in enumerate(near)]


def test_no_neighbours_is_unknown() -> None:
    assert decide([], POLICY) == Decision("unknown", None, 0.0, 0.0, 0.0, ())


def test_a_clear_winner_is_accepted() -> None:
    found = decide(views(1, 0.97, 0.97) + views(2, 0.5, 0.5), POLICY)
    assert found.outcome == "accept"
    assert found.product_id == 1
    assert found.similarity == pytest.approx(0.97)
    assert found.margin == pytest.approx(0.47)
    assert [c.product_id for c in found.candidates] == [1, 2]
    assert found.confidence > 0.9


def test_two_alike_go_to_review() -> None:
    found = decide(views(1, 0.9) + views(2, 0.88), POLICY)
    assert (found.outcome, found.product_id) == ("review", 1)
    assert found.confidence < 0.7


def test_not_near_enough_goes_to_review_and_far_is_unknown() -> None:
    assert decide(views(1, 0.74), POLICY).outcome == "review"
    found = decide(views(1, 0.54), POLICY)
    assert (found.outcome, found.product_id) == ("unknown", None)
    assert [c.product_id for c in found.candidates] == [1]
    assert found.similarity == pytest.approx(0.54)


def test_thresholds_belong_to_the_better_side() -> None:
    policy = ThresholdPolicy(accept=0.75, review=0.5, margin=0.25)
    assert policy.judge(0.75, 0.25)[0] == "accept"
    assert policy.judge(0.5, 0.25)[0] == "review"
    assert policy.judge(math.nextafter(0.75, 0), 1.0)[0] == "review"
    assert policy.judge(0.75, math.nextafter(0.25, 0))[0] == "review"
    assert policy.judge(math.nextafter(0.5, 0), 1.0)[0] == "unknown"


def test_without_a_rival_the_margin_is_the_similarity() -> None:
    assert decide(views(1, 0.8), POLICY).margin == pytest.approx(0.8)
    assert decide(views(1, -0.2), POLICY).margin == 0.0


def test_many_views_of_one_product_do_not_hide_its_twin() -> None:
    """The twin may be just behind the farthest neighbour if the search stopped there."""
    near = views(1, *(0.9 - 0.001 * i for i in range(20)), of=50)
    assert decide(near, POLICY).outcome == "accept"
    found = decide(near, POLICY, truncated=True)
    assert found.outcome == "review"
    assert found.margin == pytest.approx(found.similarity - 0.881)


def test_score_is_the_weighted_mean_of_the_two_best_views() -> None:
    found = decide(views(1, 0.6, 0.9, 0.7), POLICY, view_weight=0.75)
    assert found.similarity == pytest.approx(0.75 * 0.9 + 0.25 * 0.7)
    assert decide(views(1, 0.6, 0.9), POLICY, view_weight=1.0).similarity == pytest.approx(0.9)


def test_a_far_second_view_counts_as_the_farthest_neighbour() -> None:
    found = decide(views(1, 0.9, of=3) + views(2, 0.4), POLICY, view_weight=0.75)
    assert found.similarity == pytest.approx(0.75 * 0.9 + 0.25 * 0.4)


def test_at_most_top_k_candidates() -> None:
    near = [n for product in range(1, 9) for n in views(product, 0.1 * product)]
    assert [c.product_id for c in decide(near, POLICY, 3).candidates] == [8, 7, 6]
    assert decide(near, POLICY, 1).margin == pytest.approx(0.1)


def test_equal_products_come_by_id() -> None:
    found = decide(views(5, 0.9) + views(3, 0.9), POLICY)
    assert [c.product_id for c in found.candidates] == [3, 5]
    assert (found.outcome, found.margin) == ("review", 0.0)


@pytest.mark.parametrize(("top_k", "weight"), [(0, 0.7), (5, -0.1), (5, 1.1), (5, math.nan)])
def test_bad_parameters_are_refused(top_k: int, weight: float) -> None:
    with pytest.raises(ValueError, match="top_k >= 1 and view_weight in"):
        decide(views(1, 0.9), POLICY, top_k, view_weight=weight)


@pytest.mark.parametrize(
    "values",
    [{"accept": 0.4, "review": 0.5}, {"accept": 1.5}, {"margin": -0.1}, {"known_slope": 0.0}],
)
def test_bad_thresholds_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ThresholdPolicy(**values)


def test_the_policy_is_a_seam() -> None:
    class AskAlways:
        def judge(self, similarity: float, margin: float) -> tuple[str, float]:
            return "review", 0.25

    policy: Policy = AskAlways()  # type: ignore[assignment]
    found = decide(views(1, 0.99), policy)
    assert (found.outcome, found.confidence) == ("review", 0.25)


@given(
    st.lists(st.floats(0.3, 1.0), min_size=2, max_size=5),
    st.floats(0.0, 1.0),
    st.lists(st.floats(-1.0, 1.0), max_size=4),
    weights,
)
def test_one_bad_view_cannot_win(
    good: list[float], bad: float, others: list[float], weight: float
) -> None:
    """However near the one bad view of a wrong product is, its other views hold it back.

    The wrong product loses wherever two good views beat the best that one view can reach.
    """
    others = [min(other, bad) for other in others]
    held_back = weight * bad + (1 - weight) * max(others, default=min(good))
    assume(sorted(good)[-2] > held_back + 1e-6)
    wrong = views(2, bad, *others, of=1 + max(1, len(others)))
    found = decide(views(1, *good) + wrong, POLICY, view_weight=weight)
    assert found.candidates[0].product_id == 1


def test_a_wrong_photo_in_another_product_does_not_sell_it() -> None:
    """A photo of product 1 was enrolled as product 2 by mistake, and the very same one comes."""
    found = decide(views(1, 0.9, 0.88, 0.8) + views(2, 1.0, 0.3, 0.25), POLICY)
    assert found.candidates[0].product_id == 1
    assert found.outcome == "accept"


@given(neighbour_lists(), st.randoms(use_true_random=False), weights)
def test_the_order_of_the_neighbours_does_not_matter(
    near: list[Neighbour], random: Random, weight: float
) -> None:
    shuffled = list(near)
    random.shuffle(shuffled)
    assert decide(shuffled, POLICY, view_weight=weight) == decide(near, POLICY, view_weight=weight)


@given(neighbour_lists(), weights, st.integers(1, 8))
def test_a_decision_is_consistent(near: list[Neighbour], weight: float, top_k: int) -> None:
    found = decide(near, POLICY, top_k, view_weight=weight)
    products = {neighbour.product_id for neighbour in near}
    ids = [candidate.product_id for candidate in found.candidates]
    assert len(ids) == len(set(ids)) == min(top_k, len(products))
    assert set(ids) <= products
    assert all(a.similarity >= b.similarity for a, b in pairwise(found.candidates))
    assert all(0.0 <= candidate.confidence <= 1.0 for candidate in found.candidates)
    # only one product can be the right one
    assert sum(candidate.confidence for candidate in found.candidates) <= 1.0 + 1e-9
    assert found.margin >= 0.0
    best = found.candidates[0]
    assert (found.similarity, found.confidence) == (best.similarity, best.confidence)
    assert found.product_id == (None if found.outcome == "unknown" else best.product_id)
    assert best.similarity <= max(neighbour.similarity for neighbour in near)


@given(neighbour_lists(), st.floats(0.0, 0.5), weights)
def test_a_nearer_best_view_never_worsens_the_decision(
    near: list[Neighbour], step: float, weight: float
) -> None:
    before = decide(near, POLICY, view_weight=weight)
    for value, threshold in (
        (before.similarity, 0.75),
        (before.similarity, 0.55),
        (before.margin, 0.04),
    ):
        assume(abs(value - threshold) > 1e-9)  # rounding may decide such a case either way
    best = before.candidates[0].product_id
    position = max(
        (i for i, n in enumerate(near) if n.product_id == best), key=lambda i: near[i].similarity
    )
    old = near[position]
    nearer = Neighbour(best, old.view_id, min(1.0, old.similarity + step), old.product_views)
    after = decide([*near[:position], nearer, *near[position + 1 :]], POLICY, view_weight=weight)
    assert after.candidates[0].product_id == best
    assert RANK[after.outcome] >= RANK[before.outcome]
    assert after.confidence >= before.confidence - 1e-9


@given(similarities, similarities, st.floats(0, 2), st.floats(0, 2))
def test_the_policy_is_monotone(a: float, b: float, m: float, n: float) -> None:
    worse = POLICY.judge(min(a, b), min(m, n))
    better = POLICY.judge(max(a, b), max(m, n))
    assert RANK[better[0]] >= RANK[worse[0]]
    assert better[1] >= worse[1]
    assert 0.0 <= worse[1] <= better[1] <= 1.0


@given(similarities, st.floats(0, 2))
def test_two_rivals_share_the_confidence(similarity: float, margin: float) -> None:
    both = POLICY.judge(similarity, margin)[1] + POLICY.judge(similarity - margin, -margin)[1]
    assert both <= 1.0 + 1e-9
    assert POLICY.judge(similarity, 0.0)[1] <= 0.5
