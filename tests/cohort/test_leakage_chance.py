import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from axilla.checks.leakage.crossfit_auc import (
    Together,
    by_level,
    by_order,
    folds_by_group,
    holm,
    p_by_chance,
    shuffled_outcomes,
)


def shuffles(labels, groups, *, draws=3000):
    rng = np.random.default_rng(4)
    parts = shuffled_outcomes(np.array(labels), np.array(groups), rng=rng, draws=draws)
    return np.hstack(list(parts))


def test_without_groups_a_shuffle_is_a_permutation():
    labels = [1, 1, 1, 0, 0, 0, 0, 0]
    drawn = shuffles(labels, np.arange(8))
    assert drawn.shape == (8, 3000)
    assert set(drawn.sum(axis=0)) == {3}
    assert drawn.mean(axis=1) == pytest.approx([3 / 8] * 8, abs=0.04)
    assert len(np.unique(drawn, axis=1).T) == 56  # 8 choose 3


def test_outcomes_that_are_alike_in_groups_stay_alike_after_a_shuffle():
    groups = np.array([2, 0, 0, 1, 1, 1, 2, 3])
    drawn = shuffles([1, 0, 0, 1, 1, 1, 1, 0], groups)
    for group in range(4):
        members = drawn[groups == group]
        assert (members == members[0]).all()
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)


def test_a_mixed_group_lends_its_members_in_turn():
    drawn = shuffles([1, 0, 0, 0], [0, 0, 1, 1], draws=400)
    pairs = {tuple(column) for column in drawn.T.astype(int)}
    assert pairs == {(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)}


def test_many_patients_are_shuffled_in_parts_of_the_same_total():
    labels = np.arange(3000) % 2
    parts = list(
        shuffled_outcomes(labels, np.arange(3000), rng=np.random.default_rng(0), draws=700)
    )
    assert len(parts) > 1
    assert sum(part.shape[1] for part in parts) == 700
    assert all((part.sum(axis=0) == 1500).all() for part in parts)


def test_holm_as_published():
    # Holm's own steps: 0.01 x 4, 0.02 x 3, 0.03 x 2, and never below an earlier one.
    corrected = holm({"a": 0.03, "b": 0.01, "c": 0.04, "d": 0.02}, tests=4)
    assert corrected == pytest.approx({"b": 0.04, "d": 0.06, "a": 0.06, "c": 0.06})
    assert holm({"a": 0.01}, tests=5) == pytest.approx({"a": 0.05})
    assert holm({"a": 0.9}, tests=5) == {"a": 1.0}


def test_p_counts_the_observed_order_as_one_of_the_shuffles():
    assert p_by_chance(0.8, np.array([0.1, 0.8, 0.9])) == 3 / 4
    assert p_by_chance(1.0, np.zeros(99)) == 0.01


def test_folds_keep_groups_together_and_are_of_similar_size():
    groups = np.repeat(np.arange(40), [1, 2, 3, 4] * 10)
    folds = folds_by_group(groups, rng=np.random.default_rng(0))
    assert all(len(set(folds[groups == group])) == 1 for group in range(40))
    assert np.bincount(folds).tolist() == [20] * 5


@pytest.fixture
def cohort():
    rng = np.random.default_rng(11)
    labels = rng.integers(0, 2, 90)
    folds = folds_by_group(np.arange(90), rng=rng)
    outcomes = np.stack([labels, 1 - labels, rng.integers(0, 2, 90)], axis=1).astype(np.float32)
    return rng, labels, folds, outcomes


def held_out_auc(score_of, labels, folds):
    """The definition in words: scores from other folds, pairs inside a fold, all pairs alike."""
    won = pairs = 0.0
    for fold in range(5):
        test = folds == fold
        scores = score_of(~test, test)
        pos, neg = scores[labels[test] == 1], scores[labels[test] == 0]
        won += sum((p > n) + 0.5 * (p == n) for p in pos for n in neg)
        pairs += len(pos) * len(neg)
    return won / pairs


def test_rates_are_held_out(cohort):
    rng, labels, folds, outcomes = cohort
    words = np.where(rng.random(90) < 0.3, "one" + (folds // 3).astype(str), "abc")
    words = np.where(rng.random(90) < 0.4 * labels, "xyz", words)

    def rates(train, test):
        prior = labels[train].mean()
        return np.array(
            [
                (labels[train & (words == word)].sum() + 2 * prior)
                / ((train & (words == word)).sum() + 2)
                for word in words[test]
            ]
        )

    assert min(np.unique(words, return_counts=True)[1]) >= 3
    auc = by_level(words, folds).auc(outcomes)
    assert auc[0] == pytest.approx(held_out_auc(rates, labels, folds), abs=1e-9)
    assert auc[1] == pytest.approx(auc[0], abs=1e-9)  # the same pairs, called the other way round
    assert auc[0] > 0.6
    assert auc[2] < 0.6


def test_numbers_count_in_either_direction(cohort):
    rng, labels, folds, outcomes = cohort
    values = np.round(rng.normal(labels, 0.7), 1)
    expected = roc_auc_score(labels, values)
    assert expected > 0.7
    for sign in (1, -1):
        auc = by_order(sign * values, folds).auc(outcomes[:, :1])
        assert auc[0] >= expected - 1e-6
        assert auc[0] == pytest.approx(expected, abs=0.02)


def test_numbers_that_are_only_unusual_are_noticed_by_their_bins():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 400)
    values = rng.normal(0, np.where(labels == 1, 0.4, 3))
    folds = folds_by_group(np.arange(400), rng=rng)
    assert abs(roc_auc_score(labels, values) - 0.5) < 0.1
    assert by_order(values, folds).auc(labels[:, np.newaxis].astype(float))[0] > 0.75


def test_all_together_is_ridge_regression_per_fold(cohort):
    rng, labels, folds, outcomes = cohort
    design = rng.normal(size=(90, 4)) + labels[:, np.newaxis] * [1, 0.5, 0, 0]

    def ridge(train, test):
        return Ridge(alpha=5.0).fit(design[train], labels[train]).predict(design[test])

    auc = Together(design, folds).auc(outcomes)
    assert auc[0] == pytest.approx(held_out_auc(ridge, labels, folds), abs=1e-6)


def test_a_variable_of_one_value_or_of_unique_words_tells_nothing(cohort):
    _, _, folds, _ = cohort
    assert by_level(np.array(["same"] * 90), folds) is None
    assert by_level(np.arange(90).astype(str), folds) is None
    assert by_order(np.ones(90), folds) is None
