import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import EstimationError
from recsim.metrics import ranking_values, yang_snips

# User 7 has four candidates, ranked c b d a; user 3 has two, ranked f e; user 5 clicked nothing.
USERS = [7, 7, 3, 7, 7, 3, 5]
SCORES = [0.1, 0.8, 0.2, 0.9, 0.5, 0.7, 0.3]
CLICKS = [1, 1, 1, 0, 1, 0, 0]
THETA = [0.125, 0.5, 0.25, 1.0, 0.25, 0.5, 1.0]
D = [1 / math.log2(rank + 1) for rank in range(1, 6)]  # discount of ranks 1, 2, ...


def value(metric, estimator="aoa", **options):
    propensities = None if estimator == "aoa" else THETA
    (result,) = ranking_values(
        USERS, SCORES, CLICKS, [metric], estimator=estimator, propensities=propensities, **options
    )
    assert result.user_ids.tolist() == [3, 5, 7]
    return result


def both(of_three, of_seven):
    """The mean over the two users who clicked."""
    return pytest.approx(float((of_three + of_seven) / 2), abs=1e-12)


# Clicked: user 7 at ranks 2, 3 and 4 (weights 2, 4 and 8), user 3 at rank 2 (weight 4).
@pytest.mark.parametrize(
    ("metric", "estimator", "of_three", "of_seven"),
    [
        ("recall@2", "aoa", 1, Fraction(1, 3)),
        ("recall@3", "aoa", 1, Fraction(2, 3)),
        ("recall@3", "ips", 4, 2 + 4),
        ("recall@3", "snips", 1, Fraction(2 + 4, 14)),
        ("dcg@3", "aoa", D[1], (D[1] + D[2]) / 3),
        ("dcg@3", "ips", 4 * D[1], 2 * D[1] + 4 * D[2]),
        ("dcg@3", "snips", D[1], (2 * D[1] + 4 * D[2]) / 14),
        ("ndcg@1", "aoa", 0, 0),
        ("ndcg@3", "aoa", D[1] / D[0], (D[1] + D[2]) / (D[0] + D[1] + D[2])),
        (
            "ndcg@3",
            "snips",
            D[1],
            (2 * D[1] + 4 * D[2]) / (8 * D[0] + 4 * D[1] + 2 * D[2]),
        ),
        # Precision at ranks 2, 3, 4 of user 7: 1/2, 2/3, 3/4; of user 3 at rank 2: 1/2.
        ("map@3", "aoa", Fraction(1, 2), Fraction(1, 3) * (Fraction(1, 2) + Fraction(2, 3))),
        ("map@9", "aoa", Fraction(1, 2), Fraction(1, 3) * Fraction(6 + 8 + 9, 12)),
        ("map@3", "ips", Fraction(4, 2), Fraction(2, 2) + Fraction(4 * (1 + 2), 3)),
        ("map@3", "snips", Fraction(1, 2), Fraction(1, 14) * (Fraction(2, 2) + Fraction(6, 3))),
        ("auc", "aoa", Fraction(1, 2), Fraction(1, 3) * Fraction(3 + 2 + 1, 4)),
        ("auc", "snips", Fraction(1, 2), Fraction(2 * 3 + 4 * 2 + 8 * 1, 4 * 14)),
    ],
)
def test_worked_cases(metric, estimator, of_three, of_seven):
    result = value(metric, estimator)
    assert result.value == both(of_three, of_seven)
    assert (result.users, result.skipped) == (2, 1)
    assert result.per_user[0] == pytest.approx(float(of_three), abs=1e-12)
    assert math.isnan(result.per_user[1])


@pytest.mark.parametrize(
    ("metric", "estimator", "of_three", "of_seven"),
    [
        # The published discount is 1, 1, 1/log2(3), 1/2.
        ("dcg@4", "aoa", 1, 1 + D[1] + 0.5),
        ("dcg@4", "snips", 1, (2 + 4 * D[1] + 8 * 0.5) / 14),
        ("map@3", "aoa", Fraction(1, 2), Fraction(1, 2) + Fraction(2, 3)),
        ("map@3", "snips", Fraction(1, 2), Fraction(1, 14) * (Fraction(2, 2) + Fraction(6, 3))),
        ("recall@3", "aoa", 1, Fraction(2, 3)),
    ],
)
def test_worked_cases_of_the_published_variant(metric, estimator, of_three, of_seven):
    assert value(metric, estimator, variant="published").value == both(of_three, of_seven)


def test_the_floor_cuts_weights():
    # With floor 1/4 the weight 8 becomes 4.
    assert value("recall@9", "clipped_ips", floor=0.25).value == both(4, 2 + 4 + 4)
    assert value("recall@3", "snips", floor=0.25).value == both(1, Fraction(6, 10))
    assert value("recall@9", "clipped_ips", floor=1.0).value == both(1, 3)
    assert value("recall@9", "clipped_ips", floor=1e-9).value == value("recall@9", "ips").value


def test_users_without_a_click_can_count_as_zero():
    result = value("recall@3", "ips", without_clicks="zero")
    assert result.value == pytest.approx((4 + 0 + 6) / 3)
    assert (result.users, result.skipped) == (3, 0)
    assert result.per_user.tolist() == pytest.approx([4, 0, 6])


@pytest.mark.parametrize(("ties", "clicked_wins"), [("first", 1.0), ("last", 0.0)])
def test_ties_go_to_the_candidate_listed_first_or_last(ties, clicked_wins):
    (result,) = ranking_values([1, 1], [0.5, 0.5], [1, 0], ["recall@1"], ties=ties)
    assert result.value == clicked_wins


def test_no_user_with_a_click_gives_nan():
    (result,) = ranking_values([1, 1], [0.5, 0.4], [0, 0], ["recall@1"])
    assert math.isnan(result.value)
    assert "over 0 users, 1 without a click skipped" in str(result)
    assert math.isnan(ranking_values([], [], [], ["auc"])[0].value)


def observations(theta, relevant):
    """Yield every way in which the relevant items may be observed, with its probability."""
    for observed_items in itertools.product([0, 1], repeat=len(theta)):
        probability = Fraction(1)
        for observed, of_item in zip(observed_items, theta, strict=True):
            probability *= of_item if observed else 1 - of_item
        yield probability, [o * r for o, r in zip(observed_items, relevant, strict=True)]


@pytest.mark.parametrize("metric", ["recall@2", "dcg@3", "map@3", "auc"])
@pytest.mark.parametrize("relevant", [(1, 1, 0, 1), (0, 1, 1, 0), (0, 0, 0, 0)])
def test_ips_is_unbiased_over_all_possible_observations(metric, relevant):
    theta = [Fraction(1, 2), Fraction(1, 5), Fraction(3, 4), Fraction(1, 3)]
    scores = [0.4, 0.9, 0.1, 0.6]
    mean = 0.0
    for probability, clicks in observations(theta, relevant):
        (result,) = ranking_values(
            [0] * 4,
            scores,
            clicks,
            [metric],
            estimator="ips",
            propensities=[float(t) for t in theta],
            without_clicks="zero",
        )
        mean += float(probability) * result.value
    (truth,) = ranking_values(
        [0] * 4,
        scores,
        relevant,
        [metric],
        estimator="ips",
        propensities=[1.0] * 4,
        without_clicks="zero",
    )
    assert mean == pytest.approx(truth.value, abs=1e-12)


def test_the_bias_of_the_clipped_sum_is_its_formula():
    theta, relevant = [Fraction(1, 2), Fraction(1, 5), Fraction(1, 8)], (1, 0, 1)
    floor = Fraction(1, 4)
    mean = 0.0
    for probability, clicks in observations(theta, relevant):
        (result,) = ranking_values(
            [0] * 3,
            [3.0, 2.0, 1.0],
            clicks,
            ["recall@3"],
            estimator="clipped_ips",
            propensities=[float(t) for t in theta],
            floor=float(floor),
            without_clicks="zero",
        )
        mean += float(probability) * result.value
    bias = sum(r * (t / max(t, floor) - 1) for r, t in zip(relevant, theta, strict=True))
    assert mean == pytest.approx(float(sum(relevant) + bias), abs=1e-12)


def by_loops(candidates, metric, k):
    """SNIPS of one user's (score, click, weight), the first listed first among equals."""
    ranked = sorted(candidates, key=lambda row: -row[0])  # stable
    total, above = 0.0, 0.0
    for rank, (score, click, weight) in enumerate(ranked, start=1):
        above += click * weight
        if metric == "auc":
            better = sum(other[0] > score for other in ranked)
            total += click * weight * (1 - better / len(ranked))
        elif rank <= k:
            gain = {"recall": weight, "dcg": weight / math.log2(rank + 1), "map": above / rank}
            total += click * gain[metric]
    return total / above if above else None


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 4).map(float),
        st.integers(0, 1),
        st.floats(0.01, 1),
    ),
    min_size=1,
    max_size=25,
)


@given(ROWS, st.sampled_from(["recall", "dcg", "map", "auc"]), st.integers(1, 5))
def test_many_users_at_once_equal_each_user_alone(rows, metric, k):
    users, scores, clicks, theta = (list(column) for column in zip(*rows, strict=True))
    name = metric if metric == "auc" else f"{metric}@{k}"
    (result,) = ranking_values(users, scores, clicks, [name], estimator="snips", propensities=theta)
    for user, got in zip(result.user_ids, result.per_user, strict=True):
        own = [(s, c, 1 / t) for u, s, c, t in rows if u == user]
        expected = by_loops(own, metric, k)
        assert math.isnan(got) if expected is None else got == pytest.approx(expected, rel=1e-9)


@given(ROWS, st.floats(0.1, 1.0))
def test_snips_ignores_the_scale_of_propensities_and_is_aoa_where_all_are_equal(rows, scale):
    users, scores, clicks, theta = (np.array(column) for column in zip(*rows, strict=True))
    names = ["recall@3", "dcg@3", "ndcg@3", "map@3", "auc"]

    def values(propensities):
        results = ranking_values(
            users, scores, clicks, names, estimator="snips", propensities=propensities
        )
        return [result.value for result in results]

    assert values(theta * scale) == pytest.approx(values(theta), nan_ok=True)
    plain = [row.value for row in ranking_values(users, scores, clicks, names)]
    assert values(np.full(len(users), scale)) == pytest.approx(plain, nan_ok=True)


@given(ROWS)
def test_normalised_metrics_are_shares_and_inputs_are_not_changed(rows):
    users, scores, clicks, theta = (np.array(column) for column in zip(*rows, strict=True))
    before = [array.copy() for array in (users, scores, clicks, theta)]
    names = ["recall@3", "dcg@3", "ndcg@3", "auc"]
    for result in ranking_values(
        users, scores, clicks, names, estimator="snips", propensities=theta
    ):
        shares = result.per_user[~np.isnan(result.per_user)]
        assert ((shares >= 0) & (shares <= 1 + 1e-9)).all()
    for old, array in zip(before, (users, scores, clicks, theta), strict=True):
        assert np.array_equal(old, array)


def test_a_perfect_ranking_has_an_ndcg_of_one():
    (result,) = ranking_values([1] * 4, [4, 3, 2, 1], [1, 1, 0, 0], ["ndcg@3"])
    assert result.value == pytest.approx(1.0)


def test_yang_counts_only_clicks_on_items_seen_in_training():
    # Propensity (16/16)^1 and (4/16)^1; the item with count 0 was clicked but does not count.
    result = yang_snips(
        [1] * 4, [4, 3, 2, 1], [1, 0, 1, 1], [16, 9, 4, 0], ["auc", "recall@1"], gamma=1
    )
    assert result[0].value == pytest.approx(float((1 + 4 * Fraction(2, 4)) / 5))
    assert result[1].value == pytest.approx(1 / 5)


def test_yang_with_gamma_minus_one_is_the_average_over_all():
    users, scores, clicks = [1, 1, 1, 2, 2], [3, 2, 1, 1, 2], [0, 1, 1, 1, 0]
    counts = [5, 1, 9, 2, 4]
    plain = ranking_values(users, scores, clicks, ["auc", "dcg@2"])
    yang = yang_snips(users, scores, clicks, counts, ["auc", "dcg@2"], gamma=-1)
    assert [v.value for v in yang] == pytest.approx([v.value for v in plain])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["dgc@5"]}, r"Unknown metric 'dgc@5'\. Did you mean 'dcg'"),
        ({"metrics": ["dcg"]}, r"'dcg' needs a rank of at least 1"),
        ({"metrics": ["dcg@0"]}, r"needs a rank of at least 1"),
        ({"metrics": ["auc@3"]}, r"'auc' takes no rank"),
        ({"estimator": "snip"}, r"Unknown estimator 'snip'\. Did you mean 'snips'"),
        ({"estimator": "ips"}, r"'ips' needs the propensity of every candidate"),
        ({"propensities": [0.5, 0.5]}, r"'aoa' uses neither"),
        ({"estimator": "ips", "propensities": [0.5]}, r"have shape \(1,\), candidates \(2,\)"),
        ({"estimator": "ips", "propensities": [0.5, 0.0]}, r"Row 1: 0.0 is not a probability"),
        ({"estimator": "ips", "propensities": [1.5, 0.5]}, r"Row 0: 1.5 is not a probability"),
        ({"estimator": "snips", "propensities": [0.5, np.nan]}, r"Row 1: nan is not a prob"),
        ({"estimator": "ips", "propensities": [1, 1], "floor": 0.1}, r"use 'clipped_ips'"),
        ({"estimator": "clipped_ips", "propensities": [1, 1]}, r"needs a floor"),
        ({"estimator": "snips", "propensities": [1, 1], "floor": 0.0}, r"floor must be in"),
        (
            {"estimator": "ips", "propensities": [1, 1], "metrics": ["ndcg@1"]},
            r"'ndcg' cannot be estimated with 'ips'",
        ),
        ({"ties": "random"}, r"ties must be"),
        ({"without_clicks": "drop"}, r"without_clicks must be"),
        ({"variant": "coded"}, r"variant must be"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(EstimationError, match=message):
        ranking_values([1, 1], [0.5, 0.4], [1, 0], **options)


@pytest.mark.parametrize(
    ("scores", "clicks", "message"),
    [
        ([0.5, np.nan], [1, 0], r"Row 1: nan is not a score"),
        ([0.5, 0.4], [1, 2], r"Row 1: 2.0 is not a click"),
        ([0.5, 0.4], [1], r"columns of one length"),
    ],
)
def test_malformed_entries_are_named(scores, clicks, message):
    with pytest.raises(EstimationError, match=message):
        ranking_values([1, 1], scores, clicks)


def test_yang_refuses_negative_counts():
    with pytest.raises(EstimationError, match=r"Row 1: -1.0 is not a number of clicks"):
        yang_snips([1, 1], [1, 2], [1, 0], [3, -1])
    with pytest.raises(EstimationError, match=r"gamma must be"):
        yang_snips([1, 1], [1, 2], [1, 0], [3, 1], gamma=-2)
