"""Seeds: tables and configurations as people write them, and what axilla ships."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files

import openpyxl

from axilla.config.load import preset_names
from fuzz.zips import members, zipped

_PACKAGE = files("axilla")
_LINES = 9
_CORE = "docProps/core.xml"  # holds when the file was saved
_HOSPITAL = """\
\u60a3\u8005;\u5e74\u9f84;her2;er;pr;ki67;biopsy_date;surgery_date;alnm;ultrasound;axillary_ultrasound
A1;53;\u9633\u6027;positive;negative;30%;2024-01-05;2024-01-15;1;a.png;suspicious
A2;61;\u9634\u6027;positive;positive;10;05.02.2024;14.02.2024;0;b.png;unsuspicious
A3;1970-03-02;3+;1;0;14;2024/03/01;2024/03/09;yes;c.png;
"""
_PREDICTIONS = """\
patient_id,model,kind,modality,repeat,fold,label,probability,threshold,site
P1,a,unimodal,ultrasound,0,0,1,0.9,0.5,X
P2,a,unimodal,ultrasound,0,0,0,0.2,0.5,X
P3,a,unimodal,ultrasound,0,1,1,1.5e-3,0.5,Y
P4,a,unimodal,ultrasound,0,1,0,0.25,0.5,Y
"""
_REPORTED = """\
table,model,precision,recall,f1,accuracy,auc
2,ResNet50,0.6875,0.5455,0.6429,0.7126,0.7185
2,ViT,62.5%,78.79%,,60.47%,0.62
"""
_ROIS = """\
image,roi_left,roi_top,roi_width,roi_height,mask,source,label
images/P001_us.jpg,128,73,360,191,P001_us_mask.png,coco.json,lesion
./images/P002_us.jpg,207,47,151,71,,drawn,
"""
_STUDY = """\
preset = "paper"
[study]
outcome = "alnm"
positive = ["1"]
[cohort]
table = "cohort.csv"
group = ["family"]
columns = { age = "Alter", ultrasound = "Bild" }
[cohort.values]
her2 = { "3+" = "positive", "0" = "negative" }
[eligibility]
surgery_days = [7, 14]
include = { "under 18" = "age >= 18", "not operated" = "surgery_date > biopsy_date" }
[[accept]]
code = "burned_in_text"
patients = ["P1", "P2"]
reason = "looked at"
[models]
ultrasound = ["squeezenet"]
pooling = "attention"
[training.optimisation.multilayer]
rate = 1e-3
[validation]
threshold = "sensitivity=0.95"
[evaluation]
subgroups = ["site", "age"]
bands = { age = [40, 50.5] }
"""


def _sample_lines() -> str:
    text = (_PACKAGE / "sample" / "cohort.csv").read_text(encoding="utf-8")
    return "\n".join(text.splitlines()[:_LINES]) + "\n"


def csv_files() -> Mapping[str, bytes]:
    """Return CSV files of several delimiters, encodings and purposes."""
    sample = _sample_lines()
    clinical = (_PACKAGE / "sample" / "tcga" / "cohort.csv").read_text(encoding="utf-8")
    return {
        "cohort.csv": sample.encode(),
        "cohort.tsv": sample.replace(",", "\t").encode("utf-16"),
        "quoted.csv": sample.replace("GE Logiq", '"GE; ""Logiq""\n').encode("utf-8-sig"),
        "clinical.csv": "\n".join(clinical.splitlines()[:20]).encode(),
        "hospital.csv": _HOSPITAL.encode("gb18030"),
        "hospital.txt": _HOSPITAL.replace(";", ",").encode(),
        "western.csv": "patient_id;ort;alter\nM\u00fcller;K\u00f6ln;53\n".encode("cp1252"),
        "predictions.csv": _PREDICTIONS.encode(),
        "reported.csv": _REPORTED.encode(),
        "rois.csv": _ROIS.encode(),
    }


def xlsx_files() -> Mapping[str, bytes]:
    """Return Excel workbooks: the cohort, and one of numbers, dates and truths."""
    sample = [line.split(",") for line in _sample_lines().splitlines()]
    mixed: list[list[object]] = [
        ["patient_id", "age", "alnm", "biopsy_date", "seen", "note", "label", "probability"],
        ["P1", 53, True, date(2024, 1, 5), datetime(2024, 1, 5, 10, 30, tzinfo=UTC).replace(
            tzinfo=None), "1+1", 1, 0.75],
        ["P2", 61.5, False, date(1899, 12, 31), None, "\u5317\u4eac", 0, 0.5],
        [3, None, None, None, None, "a\nb", 1, 1e-12],
    ]  # fmt: skip
    reported = [line.split(",") for line in _REPORTED.splitlines()]
    return {
        "cohort.xlsx": _workbook(sample),
        "mixed.xlsx": _workbook(mixed, sheets=2),
        "reported.xlsm": _workbook(reported),
    }


def _workbook(rows: Sequence[Sequence[object]], *, sheets: int = 1) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for _ in range(sheets - 1):
        book.create_sheet().append(["other"])
    buffer = io.BytesIO()
    book.save(buffer)
    parts = members(buffer.getvalue())
    parts[_CORE] = re.sub(rb"\d{4}-[\dT:-]+Z", b"2026-01-01T00:00:00Z", parts[_CORE])
    return zipped(parts)


def toml_files() -> Mapping[str, bytes]:
    """Return the templates and presets that axilla ships, and a study that uses every section."""
    templates = {
        f"{name}.toml": (_PACKAGE / "cli" / "templates" / f"{name}.toml").read_bytes()
        for name in ("study", "paired", "tcga")
    }
    presets = {
        f"preset-{name}.toml": (_PACKAGE / "config" / "presets" / f"{name}.toml").read_bytes()
        for name in preset_names()
    }
    return templates | presets | {"every.toml": _STUDY.encode()}
