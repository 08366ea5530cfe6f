"""Tables of a blinded reading: planted readers come back, maps that match less are found."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import cohen_kappa_score

from axilla.evaluation.agreement.reader_study import (
    AGREEMENT,
    ALL,
    COMPARISON,
    agreement_table,
    comparison_table,
    ratings_frame,
)
from axilla.evaluation.intervals.clustered_proportions import (
    clustered_share,
    paired_share_difference,
    separate_share_difference,
)

CRITERIA = ("border", "stroma", "collagen")


def reading(rng, *, cases=40, decoys=10, readers=("R1", "R2"), real=0.8, decoy=0.3, skill=0.8):
    """Readers who see what is there with probability `skill`, else by chance."""
    rows = []
    for number in range(cases):
        patient = f"P{number:03d}"
        kinds = ("real", "decoy") if number < decoys else ("real",)
        there = rng.random(len(CRITERIA)) < 0.5
        for place, reader in enumerate(readers):
            seen = np.where(rng.random(len(CRITERIA)) < skill, there, rng.random(3) < 0.5)
            for kind in kinds:
                first = (kind == "real") == ((number + place) % 2 == 0)
                for criterion, present in zip(CRITERIA, seen, strict=True):
                    match = float(rng.random() < (real if kind == "real" else decoy))
                    rows.append(
                        (reader, patient, "pathology", criterion, kind,
                         number if first else 200 + number, float(present),
                         match if present else np.nan)
                    )  # fmt: skip
    return ratings_frame(rows)


def one(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_agreement_is_that_of_real_maps_by_criterion():
    ratings = reading(np.random.default_rng(0))
    table = agreement_table(ratings)
    assert list(table.columns) == list(AGREEMENT)
    real = ratings[(ratings["map"] == "real") & (ratings["criterion"] == "border")]
    wide = real.pivot_table(index="patient", columns="reader", values="present")
    kappa = one(table, criterion="border", question="present", measure="kappa")
    assert kappa["value"] == pytest.approx(cohen_kappa_score(wide["R1"], wide["R2"]))
    assert kappa["low"] < kappa["value"] < kappa["high"]
    assert (kappa["n"], kappa["method"]) == (40, "Cohen's kappa; profile likelihood")
    yes = one(table, criterion="border", question="present", measure="prevalence", reader="R2")
    assert yes["value"] == pytest.approx(wide["R2"].mean())
    both = real[real["patient"].isin(wide.index[(wide == 1).all(axis=1)])]
    matches = one(table, criterion="border", question="attention_matches", measure="kappa")
    assert matches["n"] == both["patient"].nunique()
    pooled = one(table, criterion=ALL, question="present", measure="AC1")
    assert pooled["n"] == 120
    assert "40 clusters" in pooled["method"]
    again = one(table, measure="repeatability", reader="R1")
    assert (again["value"], again["n"]) == (1, 30)


def test_three_readers_get_fleiss_kappa_and_gaps_are_left_out():
    ratings = reading(np.random.default_rng(1), readers=("R1", "R2", "R3"))
    ratings = ratings.drop(ratings.sample(40, random_state=1).index)
    table = agreement_table(ratings)
    found = one(table, criterion="stroma", question="present", measure="kappa")
    assert found["method"].startswith("Fleiss' kappa; Wilson")
    assert 0.3 < found["value"] < 0.95


def test_one_reader_has_shares_and_no_agreement():
    table = agreement_table(reading(np.random.default_rng(2), readers=("R1",)))
    assert set(table["measure"]) == {"prevalence", "repeatability"}


def test_decoys_that_match_less_are_found_and_equal_ones_are_not():
    rng = np.random.default_rng(3)
    table = comparison_table(reading(rng), right={}, rng=rng)
    assert list(table.columns) == list(COMPARISON)
    found = one(table, comparison="real_decoy", criterion=ALL)
    assert found["estimate"] == pytest.approx(found["share_a"] - found["share_b"])
    assert found["low"] > 0
    assert found["p"] < 0.02
    assert found["n_cases"] == 10
    assert np.isnan(found["p_holm"])
    single = table[(table["comparison"] == "real_decoy") & (table["criterion"] != ALL)]
    assert (single["p_holm"] >= single["p"]).all()
    first, second = (
        one(table, comparison=f"real_decoy_{kind}_first", criterion=ALL)
        for kind in ("real", "decoy")
    )
    assert first["n_ratings"] + second["n_ratings"] == found["n_ratings"]
    assert not (table["comparison"] == "right_wrong").any()
    same = comparison_table(reading(rng, decoy=0.8), right={}, rng=rng)
    assert one(same, comparison="real_decoy", criterion=ALL)["p"] > 0.05


def test_matches_are_compared_between_cases_that_the_model_calls_right_and_wrong():
    rng = np.random.default_rng(4)
    ratings = reading(rng)
    right = {f"P{n:03d}": n % 2 == 0 for n in range(40)}
    good = ratings["patient"].map(right)
    known = ratings["attention_matches"].notna()
    ratings.loc[known & good, "attention_matches"] = 1.0
    ratings.loc[known & ~good & (ratings["criterion"] == "border"), "attention_matches"] = 0.0
    found = one(
        comparison_table(ratings, right=right, rng=rng), comparison="right_wrong", criterion=ALL
    )
    real = ratings[(ratings["map"] == "real") & known]
    shares = real.groupby(good)["attention_matches"].mean()
    assert found["estimate"] == pytest.approx(shares[True] - shares[False])
    assert found["low"] > 0
    assert found["p"] < 0.01


def test_sign_flip_test_equals_scipys():
    rng = np.random.default_rng(5)
    change = pd.Series(rng.choice([-1.0, 0, 0, 1, 1], 30))
    clusters = pd.Series([f"P{k}" for k in np.arange(30) % 9])
    found = paired_share_difference(change, clusters, rng=rng)
    totals = change.groupby(clusters).sum().to_numpy()
    other = permutation_test(
        (totals,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert found.p == pytest.approx(other.pvalue, abs=0.02)
    assert found.estimate == pytest.approx(change.mean())


def test_differences_that_never_vary_still_have_bounds():
    change, clusters = pd.Series([1.0] * 12), pd.Series([f"P{k // 2}" for k in range(12)])
    found = paired_share_difference(change, clusters, rng=np.random.default_rng(0))
    assert found.interval.high == 1
    assert 0 < found.interval.low < 0.9
    assert found.p == pytest.approx(2 / 2**6)
    nothing = paired_share_difference(0 * change, clusters, rng=np.random.default_rng(0))
    assert (nothing.estimate, nothing.p) == (0, 1)
    assert nothing.interval.low < 0 < nothing.interval.high


def test_groups_of_one_case_have_no_interval():
    counted = pd.Series([1.0, 0.0, 1.0, 1.0])
    clusters, rng = pd.Series(["a", "b", "c", "c"]), np.random.default_rng(0)
    for first in ([True, False, False, False], [True] * 4):
        found = separate_share_difference(counted, clusters, pd.Series(first), rng=rng)
        assert np.isnan(found.interval.low)
        assert "no interval" in found.interval.method


def test_intervals_of_clustered_shares_and_paired_differences_cover():
    """Cases differ in how readable they are, so ratings of one case are alike."""
    rng = np.random.default_rng(6)
    draws, covered = 400, np.zeros(2)
    clusters = pd.Series(np.repeat([f"P{k}" for k in range(13)], 8))
    for _ in range(draws):
        easy = np.repeat(rng.beta(4, 2, 13), 8)  # mean 2/3
        real = (rng.random(104) < easy).astype(float)
        decoy = (rng.random(104) < easy / 2).astype(float)  # mean 1/3
        _, interval = clustered_share(pd.Series(real), clusters)
        covered[0] += interval.low <= 2 / 3 <= interval.high
        paired = paired_share_difference(pd.Series(real - decoy), clusters, rng=rng)
        covered[1] += paired.interval.low <= 1 / 3 <= paired.interval.high
    assert (covered / draws > 0.92).all(), covered / draws
    assert (covered / draws < 0.99).all(), covered / draws
