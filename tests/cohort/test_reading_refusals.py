"""What a cohort table is refused for: each mistake with its place, and what to do."""

import pytest

from axilla.cohort.cohort_reader import read_cohort
from axilla.records.errors import CohortError


def problems(config, root):
    with pytest.raises(CohortError) as caught:
        read_cohort(config, root)
    assert str(root) not in str(caught.value)
    return caught.value.problems


def only(config, root):
    (problem,) = problems(config, root)
    return problem


@pytest.mark.parametrize(
    ("cells", "place", "found", "expected"),
    [
        ({"patient_id": ""}, "row 4, column patient_id", "nothing", "identifier"),
        ({"patient_id": "="}, "row 4, column patient_id", "which row 2 has too", "one row per"),
        ({"malignant": "2"}, "column malignant", "'0', '2', '1'", "'1' and one other value"),
        ({"pathology": "no/such.jpg"}, "row 4, column pathology", "'no/such.jpg'", "existing file"),
        ({"ultrasound_mask": "m.png"}, "row 4, column ultrasound_mask", "'m.png'", "existing file"),
        ({"ultrasound_mask": "a;b"}, "row 4, column ultrasound_mask", "'a;b'", "images (1)"),
        ({"roi_left": ""}, "row 4, column roi_left, roi_top", "empty", "four whole numbers"),
        ({"roi_left": "1.5"}, "row 4, column roi_left, roi_top", "1.5", "four whole numbers"),
        ({"roi_width": "0"}, "row 4, column roi_left, roi_top", ", 0,", "at least 1 px"),
        ({"roi_left": "-1"}, "row 4, column roi_left, roi_top", "-1,", "inside its image of"),
        ({"roi_width": "9999"}, "row 4, column roi_left, roi_top", "9999", "inside its image of"),
        ({"ultrasound_pixel_mm": "0"}, "row 4, column ultrasound_pixel_mm", "'0'", "above 0"),
        ({"ultrasound_pixel_mm": "0,07"}, "row 4, column ultrasound_pixel_mm", "'0,07'", "above 0"),
        ({"split": "test"}, "row 4, column split", "'test'", "development, external"),
        ({"age": "old"}, "row 4, column age", "'old'", "a number from 0 to 120"),
        ({"age": "nan"}, "row 4, column age", "'nan'", "a number from 0 to 120"),
        ({"age": "340"}, "row 4, column age", "'340'", "a number from 0 to 120"),
        ({"lesion_diameter_mm": "7,5"}, "column lesion_diameter_mm", "'7,5'", "a number, or"),
    ],
)
def test_wrong_cells(paired, study, *, cells, place, found, expected):
    if cells.get("patient_id") == "=":
        cells = {"patient_id": study.rows[0]["patient_id"]}
    problem = only(paired(), study.set(4, **cells).write())
    assert problem.place.startswith("cohort.csv")
    assert place in problem.place
    assert found in problem.found
    assert expected in problem.expected


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("er", "maybe", "positive, negative or an empty cell"),
        ("pr", "1", "positive, negative or an empty cell"),
        ("her2", "equivocal", "positive, negative or an empty cell"),
        ("ki67", "101", "a number from 0 to 100, or an empty cell"),
        ("ki67", "30 of 100", "a number from 0 to 100, or an empty cell"),
        ("axillary_ultrasound", "normal", "suspicious, unsuspicious or an empty cell"),
        ("menopausal_status", "unknown", "premenopausal, perimenopausal"),
    ],
)
def test_unknown_clinical_values(paired, study, column, text, expected):
    kind = "number" if column == "ki67" else "category"
    config = paired(clinical={column: kind})
    problem = only(config, study.set(5, **{column: text}).write())
    assert problem.place == f"cohort.csv, row 5, column {column}"
    assert problem.found == repr(text)
    assert expected in problem.expected


@pytest.mark.parametrize(
    ("changes", "place", "found", "remedy"),
    [
        ({"study": {"outcome": "Malignnt"}}, "study.outcome", "'Malignnt'", "mean malignant?"),
        ({"cohort": {"site": "hospital"}}, "cohort.site", "'hospital'", "Add the column"),
        ({"cohort": {"group": ["donor"]}}, "cohort.group", "'donor'", "pathology_donor?"),
        ({"clinical": {"AGE": "number"}}, "clinical.AGE", "'AGE'", "Did you mean age?"),
        ({"reader": {"column": "bi-rads"}}, "reader.column", "'bi-rads'", "Did you mean birads?"),
        ({"clinical": {"age": "category"}}, "clinical.age", "'category'", "Correct it"),
        ({"clinical": {"malignant": "number"}}, "clinical.malignant", "the outcome", "Remove it"),
        ({"study": {"positive": "yeah"}}, "study.positive", "'yeah'", "means positive"),
        ({"reader": {"positive": ["7", "8"]}}, "reader.positive", "'7', '8'", "misspelt"),
        (
            {"models": {"ultrasound": [], "pathology": [], "clinical": []}},
            "models",
            "no model",
            "Name models",
        ),
        (
            {"cohort": {"site": None}, "validation": {"scheme": "site"}},
            "cohort.site",
            "nothing",
            "Name the column",
        ),
    ],
)
def test_study_toml_against_the_table(paired, study, *, changes, place, found, remedy):
    problem = only(paired(**changes), study.write())
    assert problem.place == f"study.toml, {place}"
    assert found in problem.found
    assert remedy in problem.remedy


def test_missing_columns_list_those_of_the_table(paired, study):
    study.columns = [c for c in study.columns if c not in ("patient_id", "ultrasound")]
    first, second = problems(paired(), study.write())
    assert (first.place, first.expected) == ("cohort.csv, row 1", "a column patient_id")
    assert second.place == "study.toml, models.ultrasound"
    assert "site, malignant, ultrasound_mask" in second.expected
    assert second.remedy == "Did you mean ultrasound_mask?"


def test_some_roi_columns_are_too_few(paired, study):
    study.columns.remove("roi_top")
    found = [problem.found for problem in problems(paired(), study.write())]
    assert found[0] == "only roi_left, roi_width, roi_height"


def test_one_class_only(paired, study):
    for n in range(2, 12):
        study.set(n, malignant="1")
    assert only(paired(), study.write()).found == "only '1'"
    for n in range(2, 12):
        study.set(n, malignant="")
    assert only(paired(), study.write()).found == "no value"


def test_patient_without_any_modality(paired, study):
    nothing = dict.fromkeys(["ultrasound", "pathology", "age", "lesion_diameter_mm"], "")
    nothing |= dict.fromkeys(["ultrasound_mask", "ultrasound_pixel_mm"], "")
    nothing |= dict.fromkeys(["roi_left", "roi_top", "roi_width", "roi_height"], "")
    problem = only(paired(), study.set(4, **nothing).write())
    assert problem.place == "cohort.csv, row 4"
    assert "nothing in ultrasound, pathology, age" in problem.found
    cohort = read_cohort(paired(), study.set(4, malignant="").write())  # takes no part at all
    assert not cohort.patients[2].has("ultrasound")


def test_mask_and_image_sizes_must_agree(paired, study):
    mask = study.image("m.png", width=50, height=40)
    problem = only(paired(), study.set(4, ultrasound_mask=mask).write())
    assert problem.place == "cohort.csv, row 4, column ultrasound_mask"
    assert problem.found == "'images/m.png', 50 x 40 px"
    assert "the size of its image" in problem.expected


def test_unreadable_header(paired, study):
    (study.root / "images" / "bad.jpg").write_text("no image")
    problem = only(paired(), study.set(4, pathology="images/bad.jpg").write())
    assert problem.place == "cohort.csv, row 4, column pathology"
    assert "another kind" in problem.found


def test_every_patient_needs_a_site_to_leave_sites_out(paired, study):
    config = paired(validation={"scheme": "site"})
    assert only(config, study.set(4, site="").write()).place == "cohort.csv, row 4, column site"


def test_all_problems_come_at_once(paired, study):
    for n in range(2, 12):
        study.set(n, age="?", pathology="none.jpg", split="x", site="")
    study.set(2, **{f"extra{n}": "" for n in range(3)})
    config = paired(clinical={f"extra{n}": "number" for n in range(3)})
    for n in range(2, 12):
        study.set(n, **{f"extra{i}": "?" for i in range(3)})
    with pytest.raises(CohortError) as caught:
        read_cohort(config, study.write())
    assert len(caught.value.problems) == 60
    lines = str(caught.value).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "... and 10 more problems, all in results/check.json."


def test_missing_table(paired, tmp_path):
    with pytest.raises(CohortError, match=r"cohort\.csv: found no such file"):
        read_cohort(paired(), tmp_path)
