from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from axilla.checks.leakage.metadata_leakage import (
    TOGETHER,
    Metadata,
    metadata_findings,
    metadata_of,
    metadata_relations,
)
from axilla.records.patients import ImageFile, Patient


def unrelated(rng, *, n, groups=None):
    """Patients whose outcome and metadata are drawn apart; both are those of the group, if any."""
    group = np.arange(n) if groups is None else rng.integers(0, groups, n)
    count = int(group.max()) + 1
    labels = rng.integers(0, 2, count)[group]
    words = {
        "site": rng.choice(["a", "b", "c"], count, p=[0.6, 0.3, 0.1])[group],
        "device": rng.choice([f"d{number}" for number in range(12)], count)[group],
        "size": rng.choice(["640 x 480", "800 x 600", "1024 x 768"], count)[group],
    }
    numbers = {
        "bytes": rng.lognormal(0, 1, count)[group],
        "date": rng.integers(0, 9, count)[group],
        "pixels": rng.integers(0, 40, count)[group],
    }
    return [
        Metadata(
            patient_id=f"P{i}",
            group=str(group[i]),
            label=int(labels[i]),
            variables={
                **{name: str(values[i]) for name, values in words.items()},
                **{name: float(values[i]) for name, values in numbers.items()},
            },
        )
        for i in range(n)
    ]


def planted(rows, name, value_of):
    return [replace(row, variables={**row.variables, name: value_of(row.label)}) for row in rows]


def alarms(rows, *, seed=1, draws=2000):
    return [r.name for r in metadata_relations(rows, seed=seed, draws=draws) if r.alarming]


@pytest.mark.parametrize("kind", [{"n": 80}, {"n": 120, "groups": 40}], ids=str)
@pytest.mark.slow
def test_chance_gives_an_alarm_in_at_most_a_twentieth_of_cohorts(kind):
    rng = np.random.default_rng(8)
    wrong = sum(bool(alarms(unrelated(rng, **kind), seed=s, draws=300)) for s in range(120))
    # 95 % of studies of 120 cohorts see at most 10 if the true rate is 5 %.
    assert wrong <= 10


@pytest.mark.parametrize("groups", [None, 40])
def test_a_site_with_more_positives_is_found(groups):
    rng = np.random.default_rng(3)
    rows = unrelated(rng, n=150, groups=groups)
    rows = planted(rows, "site", lambda label: "a" if rng.random() < 0.25 + 0.6 * label else "b")
    assert alarms(rows) == ["site"]


def test_an_export_on_other_days_is_found_and_said_with_its_numbers():
    rng = np.random.default_rng(3)
    rows = planted(unrelated(rng, n=150), "date", lambda label: float(rng.normal(9 * label, 6)))
    (finding,) = metadata_findings(rows, table="cohort.csv", seed=5)
    (relation,) = [r for r in metadata_relations(rows, seed=5) if r.name == "date"]
    positives = sum(row.label for row in rows)
    assert (finding.code, finding.severity, finding.patients) == (
        "metadata_predicts",
        "warning",
        (),
    )
    assert finding.problem.place == "cohort.csv, date"
    assert f"AUC of {relation.auc:.2f} (n = 150, {positives} positive, p" in finding.problem.found
    assert 0.75 < relation.auc < 0.95
    assert "same sources" in finding.problem.remedy


def test_what_no_variable_tells_alone_is_said_of_all_together():
    rng = np.random.default_rng(6)
    rows = unrelated(rng, n=600)
    for number in range(8):
        rows = planted(
            rows,
            f"extra {number}",
            lambda label: "a" if rng.random() < 0.5 + 0.11 * (2 * label - 1) else "b",
        )
    assert alarms(rows) == [TOGETHER]
    (finding,) = metadata_findings(rows, table="cohort.csv", seed=1)
    assert TOGETHER in finding.problem.place


def test_a_group_counts_once():
    # 4 groups of 30, one day each: as likely by chance as 4 patients, whatever their number.
    rows = [
        Metadata(str(i), str(i // 30), (i // 30) % 2, {"date": float((i // 30) % 2)})
        for i in range(120)
    ]
    (relation,) = metadata_relations(rows, seed=1)
    assert relation.auc == pytest.approx(1)
    assert relation.p == pytest.approx(2 / 6, abs=0.04)
    singles = [replace(row, group=row.patient_id) for row in rows]
    assert alarms(singles) == ["date"]


def test_variables_that_cannot_be_tested_are_left_out():
    rows = unrelated(np.random.default_rng(0), n=40)
    rows = planted(rows, "same", lambda _: "x")
    rows = planted(rows, "unknown", lambda _: None)
    names = [relation.name for relation in metadata_relations(rows, seed=1)]
    assert names == ["site", "device", "size", "bytes", "date", "pixels", TOGETHER]
    assert metadata_relations(rows[:6], seed=1) == ()
    assert metadata_relations([], seed=1) == ()
    assert metadata_relations([replace(row, label=1) for row in rows], seed=1) == ()


def test_gaps_of_a_variable_lower_its_n():
    rng = np.random.default_rng(3)
    rows = planted(unrelated(rng, n=90), "site", lambda label: "ab"[label])
    rows = [
        replace(row, variables={**row.variables, "site": None}) if i % 3 == 0 else row
        for i, row in enumerate(rows)
    ]
    (site,) = [r for r in metadata_relations(rows, seed=1) if r.name == "site"]
    assert (site.n, site.auc, site.alarming) == (60, 1.0, True)


def test_the_same_cohort_gives_the_same_numbers():
    rng = np.random.default_rng(3)
    rows = planted(unrelated(rng, n=90), "date", lambda label: float(rng.normal(label)))
    assert metadata_relations(rows, seed=4) == metadata_relations(rows, seed=4)


def test_a_planted_date_is_found_among_two_thousand_patients():
    rng = np.random.default_rng(3)
    rows = planted(unrelated(rng, n=2000), "date", lambda label: float(rng.normal(2 * label)))
    assert alarms(rows) == ["date"]


def look(patient_id, name, *, modality="ultrasound", width_px=640, day=1):
    return SimpleNamespace(
        patient_id=patient_id,
        modality=modality,
        file=ImageFile(Path(name)),
        width_px=width_px,
        height_px=480,
        file_bytes=1000,
        modified=date(2024, 1, day),
    )


def test_metadata_are_those_of_the_first_image_of_patients_to_develop_on():
    files = (ImageFile(Path("a.JPG")), ImageFile(Path("b.png")))
    patients = [
        Patient("A", 1, "A", site="north", ultrasound=files, attributes={"ultrasound_device": 7.0}),
        Patient("B", 0, "g", pathology=files[:1]),
        Patient("C", None, "C", ultrasound=files),
        Patient("D", 1, "D", split="external", ultrasound=files),
    ]
    looks = [look("A", "a.JPG"), look("A", "b.png", width_px=9), look("C", "c.png")]
    looks.append(look("B", "a.JPG", modality="pathology", day=3))
    first, second = metadata_of(patients, looks, devices={"A": "other", "B": "Acme 5"})
    assert (first.patient_id, first.group, first.label) == ("A", "A", 1)
    assert first.variables == {
        "site": "north",
        "ultrasound device": "7.0",
        "number of ultrasound images": 2.0,
        "ultrasound image size": "640 x 480",
        "ultrasound pixels": 307200.0,
        "ultrasound file size": 1000.0,
        "ultrasound file date": float(date(2024, 1, 1).toordinal()),
        "ultrasound file type": ".jpg",
    }
    assert (second.group, second.variables["ultrasound device"]) == ("g", "Acme 5")
    assert second.variables["pathology file date"] == float(date(2024, 1, 3).toordinal())
    assert not any(name.startswith("ultrasound f") for name in second.variables)
