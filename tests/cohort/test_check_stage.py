import json
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from axilla.checks.stage import check
from axilla.records.errors import CohortError
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder


class Counting:
    def __init__(self):
        self.done = {}

    @contextmanager
    def task(self, description, *, total):
        self.done[description] = [0, total]

        def advance(steps):
            self.done[description][0] += steps

        yield advance


def results(root, name):
    return json.loads((root / "results" / name).read_text(encoding="utf-8"))


def singles(study):
    """Make every patient a group of its own, so that ten of them can be split."""
    for n in range(2, 12):
        study.set(n, pathology_donor="")
    return study


@pytest.mark.slow
def test_paired_sample_is_clean(paired, sample, tmp_path):
    (tmp_path / "cohort.csv").write_bytes((sample / "cohort.csv").read_bytes())
    (tmp_path / "images").symlink_to(sample / "images")
    progress = Counting()
    cohort = check(paired(), RunFolder(tmp_path), progress)
    assert len(cohort) == 211
    assert progress.done == {"Reading the cohort": [211, 211], "Decoding images": [633, 633]}
    report = results(tmp_path, "check.json")
    assert report["errors"] == []
    assert report["summary"] == {
        "in_table": 211,
        "excluded": 0,
        "without_outcome": 0,
        "labelled": 211,
        "positive": 107,
        "negative": 104,
        "groups": 36,
        "sites": 2,
        "images": 422,
        "masks": 211,
        "errors": 0,
        "warnings": len(report["warnings"]),
        "accepted": 0,
    }
    codes = {finding["code"] for finding in report["warnings"]}
    known = {"reader_code", "modality_missing", "sparse", "groups_of_one_class", "burned_in_text"}
    assert codes == known  # docs/findings.md says how often, and how often rightly
    flow = results(tmp_path, "flow.json")
    assert flow["modalities"]["ultrasound"] == {"positive": 107, "negative": 104}
    assert flow["sites"]["BrEaST"] == {"positive": 53, "negative": 52}


def test_tcga_sample_is_clean(tcga, sample, tmp_path):
    (tmp_path / "cohort.csv").write_bytes((sample / "tcga" / "cohort.csv").read_bytes())
    config = tcga(validation={"scheme": "site"})
    assert len(check(config, RunFolder(tmp_path), Silent())) == 1080
    flow = results(tmp_path, "flow.json")
    assert (flow["in_table"], flow["without_outcome"], flow["positive"]) == (1080, 20, 554)


def test_table_and_pixel_errors_come_together(paired, study):
    singles(study).set(2, age="old")
    for row, column in ((3, "pathology"), (4, "ultrasound")):
        path = study.root / study.rows[row - 2][column]
        path.write_bytes(path.read_bytes()[:-400])
    empty = study.root / study.rows[3]["ultrasound_mask"]
    Image.fromarray(np.zeros_like(np.asarray(Image.open(empty)))).save(empty)
    with pytest.raises(CohortError) as caught:
        check(paired(), RunFolder(study.write()), Silent())
    report = results(study.root, "check.json")
    assert [(e["code"], e["place"], e["patients"]) for e in report["errors"]] == [
        ("unknown_value", "cohort.csv, row 2, column age", [study.rows[0]["patient_id"]]),
        ("image_unreadable", "cohort.csv, row 3, column pathology", [study.rows[1]["patient_id"]]),
        ("image_unreadable", "cohort.csv, row 4, column ultrasound", [study.rows[2]["patient_id"]]),
        ("mask_empty", "cohort.csv, row 5, column ultrasound_mask", [study.rows[3]["patient_id"]]),
    ]
    assert [p.place for p in caught.value.problems] == [e["place"] for e in report["errors"]]
    assert report["summary"]["errors"] == 4
    assert results(study.root, "flow.json")["in_table"] == 10


def test_each_error_is_said_once(paired, study):
    (study.root / "images" / "bad.jpg").write_text("no image")
    singles(study).set(2, pathology="images/bad.jpg").set(3, pathology="none.jpg")
    with pytest.raises(CohortError) as caught:
        check(paired(), RunFolder(study.write()), Silent())
    assert len(caught.value.problems) == 2


def test_impossible_splits_are_an_error(paired, study):
    for n in range(2, 12):
        study.set(n, pathology_donor=study.rows[n - 2]["malignant"])
    with pytest.raises(CohortError, match="1 groups with outcome 0"):
        check(paired(), RunFolder(study.write()), Silent())
    assert results(study.root, "check.json")["errors"][0]["code"] == "splits"


def test_a_table_that_cannot_be_read_replaces_old_results(paired, study):
    root = singles(study).write()
    check(paired(), RunFolder(root), Silent())
    (root / "cohort.csv").write_text("")
    with pytest.raises(CohortError):
        check(paired(), RunFolder(root), Silent())
    assert [e["code"] for e in results(root, "check.json")["errors"]] == ["table"]
    assert results(root, "flow.json")["in_table"] == 0


@pytest.mark.parametrize(
    ("cells", "code", "found"),
    [
        ({"malignant": ""}, "outcome_missing", "1 of 10 patients without outcome"),
        ({"pathology": ""}, "modality_missing", "1 of 10 patients without pathology"),
    ],
)
def test_warnings_about_patients(paired, study, cells, code, found):
    singles(study).set(3, pathology_donor="x").set(2, **cells)
    check(paired(), RunFolder(study.write()), Silent())
    (warning,) = [
        w for w in results(study.root, "check.json")["warnings"] if w["found"].startswith(found)
    ]
    assert (warning["code"], warning["severity"]) == (code, "warning")
    assert warning["patients"] == [study.rows[0]["patient_id"]]


def test_a_group_on_both_sides_of_the_external_split_is_an_error(paired, study):
    singles(study).set(3, pathology_donor="x").set(2, split="external", pathology_donor="x")
    with pytest.raises(CohortError, match="1 of them in the development set, 1 in the external"):
        check(paired(), RunFolder(study.write()), Silent())
    (found,) = results(study.root, "check.json")["errors"]
    both = [row["patient_id"] for row in study.rows[:2]]
    assert (found["code"], found["patients"]) == ("group_across_split", both)


@pytest.mark.parametrize(
    ("values", "code"), [(["4"] * 10, "constant"), ([""] * 10, "constant"), (["1", "2"], "sparse")]
)
def test_warnings_about_clinical_columns(paired, study, values, code):
    for n, value in enumerate(values, start=2):
        singles(study).set(n, weight=value)
    check(paired(clinical={"weight": "number"}), RunFolder(study.write()), Silent())
    warnings = results(study.root, "check.json")["warnings"]
    assert [w["code"] for w in warnings if w["place"].endswith("column weight")] == [code]
