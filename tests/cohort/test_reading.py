"""What a cohort table is read as."""

import pickle
from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from PIL import Image

from axilla.cohort.cohort_reader import read_cases, read_cohort
from axilla.cohort.cohort_schema import wanted_by
from axilla.cohort.values.cells import as_number, code_of
from axilla.records.errors import CohortError
from axilla.records.roi_rectangle import Roi


def test_paired_sample_reads(paired, sample):
    cohort = read_cohort(paired(), sample)
    assert len(cohort) == len(cohort.labelled_patients) == 211
    assert sum(patient.label for patient in cohort.labelled_patients) == 107
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
    labels = [patient.label for patient in cohort.labelled_patients]
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


def test_clinical_values(paired, study):
    config = paired(clinical={"her2": "category", "ki67": "number", "note": "category"})
    study.set(3, ki67="30 %").set(4, ki67="２５％")  # noqa: RUF001 - digits of full width
    root = study.set(2, her2="Positive", ki67="14", note="As written").write()
    cohort = read_cohort(config, root)
    assert cohort.patients[0].clinical["her2"] == "positive"
    assert [patient.clinical["ki67"] for patient in cohort][:4] == [14.0, 30.0, 25.0, None]
    assert cohort.patients[0].clinical["note"] == "As written"
    assert cohort.patients[1].clinical["her2"] is None


def test_columns_of_unused_modalities_are_not_read(paired, study):
    for n in range(2, 12):
        study.set(n, age="50", ultrasound="no/such.png")
    study.columns.remove("pathology")
    root = study.write()
    cohort = read_cohort(paired(models={"ultrasound": [], "pathology": []}), root)
    assert not any(patient.ultrasound or patient.pathology for patient in cohort)


def test_reader_codes(paired, study):
    root = study.set(2, birads="").set(3, birads="4C").write()
    opinions = [p.reader_positive for p in read_cohort(paired(), root)]
    assert opinions[:3] == [None, True, False]  # code 6 is absent, as it may be
    assert opinions[5:] == [True] * 5


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


def test_groups_are_closed_under_shared_values(paired, study):
    for n in range(2, 12):
        study.set(n, pathology_donor=f"d{n}", family="")
    study.set(3, pathology_donor="d2").set(3, family="f").set(7, family="f").set(8, family="")
    config = paired(cohort={"group": ["pathology_donor", "family"]})
    groups = [patient.group for patient in read_cohort(config, study.write())]
    ids = [row["patient_id"] for row in study.rows]
    assert groups == [ids[0], ids[0], *ids[2:5], ids[0], *ids[6:]]


def test_cases_need_no_outcome(paired, study):
    study.columns = [
        c for c in study.columns if c not in ("malignant", "pathology_donor", "site", "birads")
    ]
    wanted = replace(wanted_by(paired()), asked_by="model.axilla")
    cohort = read_cases(study.write() / "cohort.csv", wanted)
    assert not cohort.labelled_patients
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
