from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from axilla.checks.leakage.missingness_leakage import missingness_findings
from axilla.cohort.cohort_schema import CohortSchema
from axilla.records.patients import ImageFile, Patient
from axilla.records.roi_rectangle import Roi

COLUMNS = tuple(f"c{number}" for number in range(6))
WANTED = CohortSchema(modalities=("clinical",), clinical=dict.fromkeys(COLUMNS, "number"))


def cohort(rng, *, n, groups=None, planted=0.0):
    """Patients with gaps drawn apart from the outcome, but for the share `planted` of c0."""
    group = np.arange(n) if groups is None else rng.integers(0, groups, n)
    labels = rng.integers(0, 2, int(group.max()) + 1)[group]
    gaps = rng.random((n, len(COLUMNS))) < rng.uniform(0.05, 0.6, len(COLUMNS))
    if planted:
        gaps[:, 0] = rng.random(n) < 0.1 + planted * labels
    return [
        Patient(
            f"P{i}",
            int(labels[i]),
            str(group[i]),
            clinical={c: None if gaps[i, j] else 1.0 for j, c in enumerate(COLUMNS)},
        )
        for i in range(n)
    ]


def found(patients, wanted=WANTED, *, draws=2000):
    return list(missingness_findings(patients, wanted, table="cohort.csv", seed=1, draws=draws))


@pytest.mark.parametrize("kind", [{"n": 80}, {"n": 120, "groups": 40}], ids=str)
@pytest.mark.slow
def test_chance_gives_an_alarm_in_at_most_a_twentieth_of_cohorts(kind):
    rng = np.random.default_rng(8)
    wrong = sum(bool(found(cohort(rng, **kind), draws=300)) for _ in range(120))
    assert wrong <= 10  # exceeded by 5 % of such tests if the true rate is 5 %


@pytest.mark.parametrize("groups", [None, 60])
def test_gaps_that_follow_the_outcome_are_found_with_their_counts(groups):
    patients = cohort(np.random.default_rng(2), n=300, groups=groups, planted=0.35)
    (finding,) = found(patients)
    lacking = [p for p in patients if p.clinical["c0"] is None]
    having = [p for p in patients if p.clinical["c0"] is not None]
    assert (finding.code, finding.severity) == ("missingness", "warning")
    assert finding.problem.place == "cohort.csv, c0"
    assert finding.problem.found.startswith(
        f"{sum(p.label for p in lacking)} of {len(lacking)} patients without it positive, "
        f"{sum(p.label for p in having)} of {len(having)} with it (p "
    )
    assert list(finding.patients) == [p.patient_id for p in lacking]


def small(lacking_positive, lacking_negative, having_positive, having_negative):
    kinds = [(1, None), (0, None), (1, 1.0), (0, 1.0)]
    counts = (lacking_positive, lacking_negative, having_positive, having_negative)
    return [
        Patient(f"{label}{value}{i}", label, f"{label}{value}{i}", clinical={"c0": value})
        for (label, value), count in zip(kinds, counts, strict=True)
        for i in range(count)
    ]


@pytest.mark.parametrize("counts", [(8, 1, 10, 12), (4, 0, 10, 12), (3, 4, 10, 12)])
def test_without_groups_the_test_is_fishers(counts):
    wanted = CohortSchema(modalities=("clinical",), clinical={"c0": "number"})
    p = fisher_exact([counts[:2], counts[2:]]).pvalue
    findings = found(small(*counts), wanted)
    assert bool(findings) == (p < 0.05)
    assert all(f"p = {p:.2g} " in finding.problem.found for finding in findings)


def test_a_group_counts_once():
    patients = [
        Patient(str(i), (i // 20) % 2, str(i // 20), clinical={"c0": (None, 1.0)[(i // 20) % 2]})
        for i in range(80)
    ]
    assert found(patients) == []


def test_modalities_marks_and_readings_are_looked_at_in_the_development_set_only():
    wanted = CohortSchema(modalities=("ultrasound", "pathology"), outcome="y", reader="birads")
    image, marked = ImageFile(Path("a.png")), ImageFile(Path("a.png"), roi=Roi(0, 0, 5, 5))

    def patient(i, **changes):
        label = i % 2
        given = {"ultrasound": (marked,), "pathology": (image,), "reader_positive": True}
        return Patient(f"P{i}", label, f"P{i}", **{**given, **(changes if label else {})})

    def places(**changes):
        return [f.problem.place for f in found([patient(i, **changes) for i in range(40)], wanted)]

    assert places() == []
    assert places(ultrasound=(image,)) == ["cohort.csv, mask or rectangle of the lesion"]
    assert places(pathology=()) == ["cohort.csv, pathology"]
    assert places(reader_positive=None) == ["cohort.csv, birads"]
    assert places(pathology=(), split="external") == []


def test_nothing_to_compare_is_no_finding():
    assert found([]) == []
    assert found([Patient("A", None, "A", clinical={"c0": None})]) == []
    assert found([Patient(str(i), 1, str(i), clinical={"c0": None}) for i in range(9)]) == []
