import pickle
from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from PIL import Image

from axilla.cohort.cells import as_number, code_of
from axilla.cohort.reading import read_cases, read_cohort
from axilla.cohort.wanted import wanted_by
from axilla.records.errors import CohortError
from axilla.records.roi import Roi


def problems(config, root):
    with pytest.raises(CohortError) as caught:
        read_cohort(config, root)
    assert str(root) not in str(caught.value)
    return caught.value.problems


def only(config, root):
    (problem,) = problems(config, root)
    return problem


def test_paired_sample_reads(paired, sample):
    cohort = read_cohort(paired(), sample)
    assert len(cohort) == len(cohort.labelled) == 211
    assert sum(patient.label for patient in cohort.labelled) == 107
    assert len({patient.group for patient in cohort}) == 36
    second = cohort.patients[1]
    assert (second.patient_id, second.site, second.split) == ("P002", "BrEaST", "development")
    assert second.ultrasound[0].roi == Roi(207, 47, 151, 71)
    assert second.ultrasound[0].pixel_mm == 0.06944
    assert second.ultrasound[0].mask.name == "P002_us_mask.png"
    assert second.clinical == {"age": 74.0, "lesion_diameter_mm": 10.5}
    assert second.reader_positive is False
    assert pickle.loads(pickle.dumps(cohort)) == cohort  # noqa: S301


def test_tcga_sample_reads(tcga, sample):
    cohort = read_cohort(tcga(), sample / "tcga")
    labels = [patient.label for patient in cohort.labelled]
    assert (len(cohort), len(labels), sum(labels)) == (1080, 1060, 554)
    assert cohort.patients[1].clinical["er"] == "positive"
    assert cohort.patients[1].group == "TCGA-3C-AALI"


def test_excel_reads_like_csv(paired, study):
    root = study.write()
    expected = read_cohort(paired(), root).patients
    book = openpyxl.Workbook()
    book.active.append(study.columns)
    for row in study.rows:
        book.active.append([text if (n := as_number(text)) is None else n for text in row.values()])
    book.save(root / "cohort.xlsx")
    assert read_cohort(paired(cohort={"table": "cohort.xlsx"}), root).patients == expected


def test_digest_follows_table_and_pixels_only(paired, study):
    root = study.write()
    (root / "other.txt").write_text("unrelated")
    first = read_cohort(paired(), root).digest
    assert read_cohort(paired(), root).digest == first
    image = root / study.rows[0]["pathology"]
    pixels = np.asarray(Image.open(image)).copy()
    Image.fromarray(255 - pixels).save(image)
    second = read_cohort(paired(), root).digest
    study.set(2, age="33").write()
    assert len({first, second, read_cohort(paired(), root).digest}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("true", "1"), ("YES", "1"), ("False", "0"), ("Malignant", "malignant")],
)
def test_spellings_of_one_code(one, other):
    assert code_of(one) == code_of(other)


@pytest.mark.parametrize(
    ("positive", "yes", "no"),
    [(1, "1.0", "0"), (1, "TRUE", "False"), ("malignant", "Malignant", "benign"), (2, "2", "1")],
)
def test_outcome_codes(paired, study, positive, yes, no):
    for n in range(2, 12):
        study.set(n, malignant=yes if study.rows[n - 2]["malignant"] == "1" else no)
    cohort = read_cohort(paired(study={"positive": positive}), study.set(2, malignant="").write())
    assert [patient.label for patient in cohort] == [None, *[0] * 4, *[1] * 5]


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


def test_clinical_values(paired, study):
    config = paired(clinical={"her2": "category", "ki67": "number", "note": "category"})
    study.set(3, ki67="30 %").set(4, ki67="２５％")  # noqa: RUF001 - digits of full width
    root = study.set(2, her2="Positive", ki67="14", note="As written").write()
    cohort = read_cohort(config, root)
    assert cohort.patients[0].clinical["her2"] == "positive"
    assert [patient.clinical["ki67"] for patient in cohort][:4] == [14.0, 30.0, 25.0, None]
    assert cohort.patients[0].clinical["note"] == "As written"
    assert cohort.patients[1].clinical["her2"] is None


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


def test_columns_of_unused_modalities_are_not_read(paired, study):
    for n in range(2, 12):
        study.set(n, age="50", ultrasound="no/such.png")
    study.columns.remove("pathology")
    root = study.write()
    cohort = read_cohort(paired(models={"ultrasound": [], "pathology": []}), root)
    assert not any(patient.ultrasound or patient.pathology for patient in cohort)


def test_one_class_only(paired, study):
    for n in range(2, 12):
        study.set(n, malignant="1")
    assert only(paired(), study.write()).found == "only '1'"
    for n in range(2, 12):
        study.set(n, malignant="")
    assert only(paired(), study.write()).found == "no value"


def test_reader_codes(paired, study):
    root = study.set(2, birads="").set(3, birads="4C").write()
    opinions = [p.reader_positive for p in read_cohort(paired(), root)]
    assert opinions[:3] == [None, True, False]  # code 6 is absent, as it may be
    assert opinions[5:] == [True] * 5


def test_patient_without_any_modality(paired, study):
    nothing = dict.fromkeys(["ultrasound", "pathology", "age", "lesion_diameter_mm"], "")
    nothing |= dict.fromkeys(["ultrasound_mask", "ultrasound_pixel_mm"], "")
    nothing |= dict.fromkeys(["roi_left", "roi_top", "roi_width", "roi_height"], "")
    problem = only(paired(), study.set(4, **nothing).write())
    assert problem.place == "cohort.csv, row 4"
    assert "nothing in ultrasound, pathology, age" in problem.found
    cohort = read_cohort(paired(), study.set(4, malignant="").write())  # takes no part at all
    assert not cohort.patients[2].has("ultrasound")


def test_several_images_of_a_patient_are_a_bag(paired, study):
    one, two = (study.image(f"{n}.png", width=50, height=40) for n in "ab")
    mask = study.image("m.png", width=50, height=40)
    study.set(
        2,
        ultrasound=f"{one}; {two}",
        ultrasound_mask=f";{mask}",
        ultrasound_pixel_mm="0.1",
        roi_left="1;",
        roi_top="2;",
        roi_width="3;",
        roi_height="4;",
        pathology=f"{one};",
    )
    patient = read_cohort(paired(), study.write()).patients[0]
    first, second = patient.ultrasound
    assert (first.roi, second.roi) == (Roi(1, 2, 3, 4), None)
    assert (first.mask, second.mask) == (None, study.root / mask)
    assert (first.pixel_mm, second.pixel_mm) == (0.1, 0.1)
    assert len(patient.pathology) == 1


def test_windows_and_absolute_paths(paired, study):
    study.set(2, pathology=study.rows[0]["pathology"].replace("/", "\\"))
    study.set(3, pathology=str(study.root / study.rows[1]["pathology"]))
    cohort = read_cohort(paired(), study.write())
    assert all(patient.pathology[0].path.is_file() for patient in cohort)


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


def test_groups_are_closed_under_shared_values(paired, study):
    for n in range(2, 12):
        study.set(n, pathology_donor=f"d{n}", family="")
    study.set(3, pathology_donor="d2").set(3, family="f").set(7, family="f").set(8, family="")
    config = paired(cohort={"group": ["pathology_donor", "family"]})
    groups = [patient.group for patient in read_cohort(config, study.write())]
    ids = [row["patient_id"] for row in study.rows]
    assert groups == [ids[0], ids[0], *ids[2:5], ids[0], *ids[6:]]


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


def test_cases_need_no_outcome(paired, study):
    study.columns = [
        c for c in study.columns if c not in ("malignant", "pathology_donor", "site", "birads")
    ]
    wanted = replace(wanted_by(paired()), asked_by="model.axilla")
    cohort = read_cases(study.write() / "cohort.csv", wanted)
    assert not cohort.labelled
    assert [p.group for p in cohort] == [p.patient_id for p in cohort]
    study.columns.remove("age")
    with pytest.raises(CohortError, match=r"model\.axilla, clinical\.age: found no column 'age'"):
        read_cases(study.write() / "cohort.csv", wanted)


def test_cases_may_have_one_class(paired, study):
    for n in range(2, 12):
        study.set(n, malignant="0", birads="2")
    table = study.write() / "cohort.csv"
    assert {p.label for p in read_cases(table, wanted_by(paired()))} == {0}
    study.set(2, malignant="3").write()
    with pytest.raises(CohortError, match="found '3', '0'; expected '1' and one other value"):
        read_cases(table, wanted_by(paired()))


def test_missing_table(paired, tmp_path):
    with pytest.raises(CohortError, match=r"cohort\.csv: found no such file"):
        read_cohort(paired(), tmp_path)
