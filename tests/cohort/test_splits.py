from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.cohort.cohort_reader import read_cohort
from axilla.cohort.splits.folds import _Patients, _split, plan_folds, plan_inner, split_table
from axilla.config.study import ValidationSection
from axilla.records.errors import CohortError, LeakageError
from axilla.records.table_columns import SPLITS

SCHEMES = ("nested_cv", "holdout", "site")


def prove(folds, *, labels, groups, validation):
    """Check every promise of `plan_folds` from scratch."""
    for fold in folds:
        for split in (fold.outer, *fold.inner):
            assert list(split.train) == sorted(set(split.train))
            assert list(split.test) == sorted(set(split.test))
            assert split.test
            assert not {groups[i] for i in split.train} & {groups[i] for i in split.test}
            assert {labels[i] for i in split.train} == {0, 1}
        assert 2 <= len(fold.inner) <= validation.inner_folds
        for inner in fold.inner:
            assert tuple(sorted(inner.train + inner.test)) == fold.outer.train
        tested = Counter(i for inner in fold.inner for i in inner.test)
        assert tested == Counter(fold.outer.train)
        if validation.scheme != "site":
            assert sorted(fold.outer.train + fold.outer.test) == list(range(len(labels)))
    for repeat in range(1, validation.repeats + 1):
        tested = [i for fold in folds if fold.repeat == repeat for i in fold.outer.test]
        if validation.scheme == "holdout":
            assert len(set(tested)) == len(tested)
        else:
            assert sorted(tested) == list(range(len(labels)))


@settings(max_examples=120)
@given(
    members=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 14), st.sampled_from("ABC")),
        min_size=2,
        max_size=60,
    ),
    scheme=st.sampled_from(SCHEMES),
    folds=st.integers(2, 6),
    inner_folds=st.integers(2, 4),
    repeats=st.integers(1, 2),
    seed=st.integers(0, 2**31),
)
def test_splits_are_clean_or_refused(*, members, scheme, folds, inner_folds, repeats, seed):
    labels = [label for label, _, _ in members]
    groups = [f"g{group}" for _, group, _ in members]
    sites = [site for _, _, site in members]
    validation = ValidationSection(
        scheme=scheme, folds=folds, inner_folds=inner_folds, repeats=repeats
    )
    arguments = {
        "labels": labels,
        "groups": groups,
        "sites": sites,
        "validation": validation,
        "seed": seed,
    }
    try:
        planned = plan_folds(**arguments)
    except CohortError as error:
        assert error.problems[0].remedy  # noqa: PT017
        return
    prove(planned, labels=labels, groups=groups, validation=validation)
    assert plan_folds(**arguments) == planned


def study(config, folder):
    patients = read_cohort(config, folder).labelled_patients
    return {
        "labels": [p.label for p in patients],
        "groups": [p.group for p in patients],
        "sites": [p.site for p in patients],
    }


@pytest.mark.parametrize("scheme", SCHEMES[:2])
def test_paired_sample(paired, sample, scheme):
    patients = study(paired(), sample)
    validation = ValidationSection(scheme=scheme, repeats=2)
    folds = plan_folds(**patients, validation=validation, seed=2025)
    prove(folds, labels=patients["labels"], groups=patients["groups"], validation=validation)
    assert len(folds) == (10 if scheme == "nested_cv" else 2)
    assert len({fold.outer.test for fold in folds}) == len(folds)
    prevalence = [np.mean([patients["labels"][i] for i in fold.outer.test]) for fold in folds]
    if scheme == "holdout":
        assert [len(fold.outer.test) for fold in folds] == pytest.approx([42, 42], abs=2)
        assert prevalence == pytest.approx([107 / 211] * 2, abs=0.05)
    assert folds[0].name == ("repeat 1, fold 1" if scheme == "nested_cv" else "repeat 1, holdout")


def test_tcga_leaves_each_site_out(tcga, sample):
    patients = study(tcga(), sample / "tcga")
    validation = ValidationSection(scheme="site")
    folds = plan_folds(**patients, validation=validation, seed=1)
    prove(folds, labels=patients["labels"], groups=patients["groups"], validation=validation)
    assert [fold.name for fold in folds] == sorted(set(patients["sites"]))
    for fold in folds:
        assert {patients["sites"][i] for i in fold.outer.test} == {fold.name}


def test_folds_are_stratified():
    labels, groups = [0] * 60 + [1] * 40, [f"g{i // 2}" for i in range(100)]
    validation = ValidationSection(folds=5)
    folds = plan_folds(
        labels=labels, groups=groups, sites=[None] * 100, validation=validation, seed=3
    )
    assert [sum(labels[i] for i in fold.outer.test) for fold in folds] == [8] * 5
    assert [len(fold.outer.test) for fold in folds] == [20] * 5


def test_seed_and_repeat_change_the_folds():
    patients = {
        "labels": [0, 1] * 30,
        "groups": [str(i) for i in range(60)],
        "sites": [None] * 60,
        "validation": ValidationSection(repeats=2),
    }
    one, other = (plan_folds(**patients, seed=seed) for seed in (0, 1))
    assert len({frozenset(fold.outer.test) for fold in (*one, *other)}) == 20


def test_groups_across_sites_leave_training():
    labels = [0, 1] * 12
    groups = [str(i) for i in range(24)]
    groups[23] = "0"
    sites = ["A"] * 8 + ["B"] * 8 + ["C"] * 8
    validation = ValidationSection(scheme="site")
    first, _, third = plan_folds(
        labels=labels, groups=groups, sites=sites, validation=validation, seed=0
    )
    assert first.outer.train == tuple(range(8, 23))
    assert third.outer.train == tuple(range(1, 16))
    assert third.outer.test == tuple(range(16, 24))


def test_sites_of_one_class_are_tested():
    labels = [0, 1] * 8 + [1, 1, 1]
    validation = ValidationSection(scheme="site")
    folds = plan_folds(
        labels=labels,
        groups=[str(i) for i in range(19)],
        sites=["A"] * 8 + ["B"] * 8 + ["C"] * 2 + ["D"],
        validation=validation,
        seed=0,
    )
    assert [len(fold.outer.test) for fold in folds] == [8, 8, 2, 1]


@pytest.mark.parametrize(
    ("change", "place", "found"),
    [
        ({"labels": [0] * 20}, "validation.scheme", "0 groups with outcome 1"),
        ({"groups": ["a"] * 10 + ["b"] * 10}, "validation.scheme", "1 groups with outcome 0"),
        (
            {"groups": ["a"] * 5 + ["b"] * 5 + ["c"] * 5 + ["d"] * 5},
            "validation.folds",
            "2 groups with outcome 0 and 2 groups with outcome 1, of 4 groups in all",
        ),
        ({"validation": {"scheme": "site"}}, "validation.scheme", "20 patients without a site"),
        ({"validation": {"scheme": "site"}, "sites": ["A"] * 20}, "validation.scheme", "1 sites"),
        (
            {"validation": {"scheme": "site"}, "sites": ["A"] * 10 + ["B"] * 10},
            "site A, training set",
            "0 groups with outcome 0 and 10 groups with outcome 1",
        ),
        (
            {"labels": [0] * 18 + [1] * 2, "validation": {"folds": 2}},
            "inner folds",
            "1 groups with outcome 1",
        ),
        (
            {
                "labels": [0, 1] * 10,
                "groups": ["a"] * 10 + ["b"] * 10,
                "validation": {"scheme": "holdout", "test_share": 0.1},
            },
            "validation.test_share",
            "2 groups with outcome 0 and 2 groups with outcome 1",
        ),
    ],
)
def test_too_few_patients(change, place, found):
    whole = {"labels": [0] * 10 + [1] * 10, "groups": [str(i) for i in range(20)]}
    whole |= {"sites": [None] * 20, **change}
    whole["validation"] = ValidationSection(**change.get("validation", {}))
    with pytest.raises(CohortError) as caught:
        plan_folds(**whole, seed=0)
    (problem,) = caught.value.problems
    assert place in problem.place
    assert found in problem.found
    assert problem.remedy


def test_inner_folds_shrink_to_the_smaller_class():
    labels, groups = [0] * 12 + [1] * 3, [str(i) for i in range(15)]
    splits = plan_inner(range(15), labels=labels, groups=groups, folds=5, seed=0)
    assert len(splits) == 3
    with pytest.raises(CohortError, match="1 groups with outcome 1"):
        plan_inner(range(13), labels=labels, groups=groups, folds=5, seed=0)


@pytest.mark.parametrize("test", [{0, 1, 2}, {3, 4}])
def test_a_split_across_a_group_is_leakage(test):
    patients = _Patients(labels=[0, 1, 0, 1, 0, 1], groups=["a", "b", "c", "c", "d", "e"])
    with pytest.raises(LeakageError, match="groups in training and test: c"):
        _split(range(6), test, patients=patients, place="fold 1")


def test_split_table():
    labels, groups = [0, 1] * 5, [str(i) for i in range(10)]
    folds = plan_folds(
        labels=labels,
        groups=groups,
        sites=[None] * 10,
        validation=ValidationSection(folds=2, inner_folds=2, repeats=2),
        seed=0,
    )
    table = split_table(folds, [f"P{i}" for i in range(10)])
    assert tuple(table.columns) == SPLITS
    assert len(table) == 2 * 2 * 10
    tested = table[table["role"] == "test"].groupby("repeat")["patient_id"].apply(sorted)
    assert tested.tolist() == [[f"P{i}" for i in range(10)]] * 2
    assert sorted(table["fold"].unique()) == [1, 2]
