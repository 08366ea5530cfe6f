import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import axilla
from axilla.config.study import StudyConfig

SAMPLE = Path(axilla.__file__).parent / "sample"

PAIRED = {
    "study": {"outcome": "malignant", "positive": 1},
    "cohort": {"group": "pathology_donor", "site": "site"},
    "reader": {"column": "birads", "positive": ["4c", 5, 6]},
    "clinical": {"age": "number", "lesion_diameter_mm": "number"},
    "models": {"ultrasound": ["densenet121"], "pathology": ["densenet121"]},
}
TCGA = {
    "study": {"outcome": "alnm"},
    "cohort": {"site": "site"},
    "eligibility": {"paper": False},  # some of these patients had neoadjuvant therapy
    "clinical": {
        "age": "number",
        "sex": "category",
        "menopausal_status": "category",
        "tumour_location": "category",
        "histological_type": "category",
        "pathological_t": "category",
        "er": "category",
        "pr": "category",
        "her2": "category",
        "neoadjuvant": "category",
        "prior_cancer": "category",
    },
}


def config_of(settings, **changes):
    merged = {key: dict(value) for key, value in settings.items()}
    for section, values in changes.items():
        merged[section] = None if values is None else {**merged.get(section, {}), **values}
    return StudyConfig.model_validate({k: v for k, v in merged.items() if v is not None})


@pytest.fixture(scope="session")
def sample():
    return SAMPLE


@pytest.fixture
def paired():
    return lambda **changes: config_of(PAIRED, **changes)


@pytest.fixture
def tcga():
    return lambda **changes: config_of(TCGA, **changes)


class Study:
    """A small study folder cut from the sample cohort, whose cells tests spoil."""

    def __init__(self, root):
        self.root = root
        with (SAMPLE / "cohort.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        picked = [r for r in rows if r["malignant"] == "0" and r["age"]][:5]
        picked += [r for r in rows if r["malignant"] == "1" and r["birads"] == "4c"][:1]
        picked += [r for r in rows if r["malignant"] == "1" and r["birads"] == "5"][:4]
        self.columns = list(rows[0])
        self.rows = picked
        (root / "images").mkdir()
        for row in picked:
            for column in ("ultrasound", "ultrasound_mask", "pathology"):
                shutil.copy(SAMPLE / row[column], root / row[column])

    def set(self, row, **cells):
        """Change cells of the row that a person sees as `row` (2 is the first patient)."""
        for column, text in cells.items():
            if column not in self.columns:
                self.columns.append(column)
            self.rows[row - 2][column] = text
        return self

    def write(self):
        with (self.root / "cohort.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, self.columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)
        return self.root

    def image(self, name, *, width, height, value=9):
        pixels = np.full((height, width), value, dtype=np.uint8)
        Image.fromarray(pixels).save(self.root / "images" / name)
        return f"images/{name}"


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)
