"""Confounding and missingness against scikit-learn, scipy and tables worked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.subgroups.confounding import apparent_auc, associate, confounding_table
from axilla.evaluation.subgroups.missing_values import missingness_table
from axilla.records.patients import Patient


def study(patients, **sections) -> EvaluationInputs:
    raw = {
        "study": {"outcome": "alnm"},
        "cohort": {"site": "hospital"},
        "models": {"ultrasound": ["plnet"], "pathology": ["plnet"]},
        "clinical": {"age": "number"},
        "reader": {"column": "birads", "positive": ["5"]},
    }
    config = StudyConfig.model_validate(raw | sections)
    return EvaluationInputs(
        config, patients, pd.DataFrame(), {}, {p.patient_id: p.group for p in patients}
    )


def patients_at(sites, labels, **more) -> list[Patient]:
    return [
        Patient(str(i), int(label), group=str(i), site=site, **more)
        for i, (site, label) in enumerate(zip(sites, labels, strict=True))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_apparent_auc_is_that_of_sklearn(seed):
    rng = np.random.default_rng(seed)
    origins = rng.integers(0, 6, 90)
    labels = rng.integers(0, 2, 90)
    share = np.array([labels[origins == o].mean() if (origins == o).any() else 0 for o in range(6)])
    sizes = np.bincount(origins, minlength=6)
    positive = np.bincount(origins, weights=labels, minlength=6)
    assert apparent_auc(positive, sizes) == pytest.approx(roc_auc_score(labels, share[origins]))


def test_apparent_auc_by_hand_and_where_undefined():
    # Of 10 positives 9 at the first site, of 10 negatives 9 at the second: 81 pairs right,
    # 1 wrong, 18 tied.
    assert apparent_auc(np.array([9, 1]), np.array([10, 10])) == pytest.approx(0.9)
    assert np.isnan(apparent_auc(np.array([5, 5]), np.array([5, 5])))


@pytest.mark.slow
def test_auc_by_chance_is_the_mean_over_permutations():
    rng = np.random.default_rng(3)
    origins = np.repeat(np.arange(12), 5)
    labels = (np.arange(60) < 24).astype(int)
    found = associate(
        rng.permutation(labels), origins, clusters=np.arange(60), rng=np.random.default_rng(0)
    )
    aucs = []
    for _ in range(3000):
        shuffled = rng.permutation(labels)
        share = np.bincount(origins, weights=shuffled) / 5
        aucs.append(roc_auc_score(shuffled, share[origins]))
    assert found.auc_by_chance == pytest.approx(np.mean(aucs), abs=0.004)
    assert found.auc_by_chance > 0.6


def test_site_rows_against_scipy():
    sites = ["A"] * 60 + ["B"] * 40 + [None] * 7
    labels = [1] * 40 + [0] * 20 + [1] * 10 + [0] * 30 + [1] * 7
    table = confounding_table(study(patients_at(sites, labels)))
    whole, first, second = table.to_dict("records")
    assert (whole["column"], whole["level"], whole["n"], whole["n_positive"]) == (
        *("hospital", "", 100, 50),
    )
    expected = stats.chi2_contingency([[40, 20], [10, 30]], correction=False).pvalue
    assert whole["p"] == pytest.approx(expected, rel=1e-12)
    assert whole["method"] == "Pearson chi-square"
    known = [(0 if site == "A" else 1, label) for site, label in zip(sites, labels, strict=True)]
    codes, truth = np.array(known[:100]).T
    assert whole["auc"] == pytest.approx(roc_auc_score(truth, np.array([2 / 3, 1 / 4])[codes]))
    assert (first["level"], first["n"], first["n_positive"]) == ("A", 60, 40)
    low, high = stats.binomtest(10, 40).proportion_ci(method="wilson")
    assert (second["low"], second["high"]) == pytest.approx((low, high))


def test_patients_who_share_a_group_are_not_counted_as_independent():
    sites = ["A"] * 30 + ["B"] * 30
    labels = [1] * 20 + [0] * 10 + [1] * 10 + [0] * 20
    alone = patients_at(sites, labels)
    shared = [
        Patient(p.patient_id, p.label, group=str(int(p.patient_id) // 5), site=p.site)
        for p in alone
    ]
    p_alone = confounding_table(study(alone))["p"].iloc[0]
    p_shared = confounding_table(study(shared))["p"].iloc[0]
    assert p_alone < 0.05 < p_shared
    assert confounding_table(study(shared))["method"].iloc[0] == "Rao-Scott"


@pytest.mark.parametrize(
    ("sites", "labels"),
    [(["A"] * 4, [0, 1, 0, 1]), ([None] * 4, [0, 1, 0, 1]), (["A", "B"] * 2, [1, 1, 1, 1])],
)
def test_one_site_no_site_or_one_class_give_no_table(sites, labels):
    assert confounding_table(study(patients_at(sites, labels))) is None


def test_device_counts_as_an_origin_where_it_is_known():
    devices = ["one", "two"] * 20
    people = [
        Patient(str(i), i % 3 == 0, group=str(i), attributes={"ultrasound_device": device})
        for i, device in enumerate(devices)
    ]
    table = confounding_table(study(people, cohort={}))
    assert set(table["column"]) == {"ultrasound_device"}


def test_same_seed_same_table():
    people = patients_at(["A", "B", "C"] * 12, [1, 0, 0, 1] * 9)
    pd.testing.assert_frame_equal(
        confounding_table(study(people)), confounding_table(study(people))
    )


def test_missingness_against_fisher():
    people = [
        Patient(
            str(i),
            int(i < 20),
            group=str(i),
            clinical={"age": None if i < 8 else 50.0},
            reader_positive=None if i == 39 else i < 15,
        )
        for i in range(40)
    ]
    table = missingness_table(study(people)).set_index("column")
    assert list(table.index) == ["ultrasound", "pathology", "age", "birads"]
    assert table.loc["ultrasound", "n_missing"] == 40
    assert np.isnan(table.loc["ultrasound", "p"])
    assert "all of it is missing" in table.loc["ultrasound", "method"]
    age = table.loc["age"]
    assert (age["n_missing"], age["prevalence_missing"], age["prevalence_known"]) == (8, 1, 12 / 32)
    assert age["p"] == pytest.approx(stats.fisher_exact([[12, 20], [8, 0]]).pvalue, rel=1e-9)
    assert table.loc["birads", "n_missing"] == 1


def test_nothing_missing_is_said_and_unknown_outcomes_do_not_count():
    people = [
        *(Patient(str(i), i % 2, group=str(i), clinical={"age": 50.0}) for i in range(6)),
        Patient("x", None, group="x"),
    ]
    config = {"models": {}, "reader": None}
    (row,) = missingness_table(study(people, **config)).to_dict("records")
    assert (row["n"], row["n_missing"]) == (6, 0)
    assert "nothing is missing" in row["method"]
    assert missingness_table(study([Patient("x", None, group="x")])) is None
