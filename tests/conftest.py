"""Small real cohorts for the tests, cut from the sample that ships with axilla."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import axilla

SAMPLE = Path(axilla.__file__).parent / "sample"


def cut_sample(folder: Path, *, donors_per_class: int, cases_per_donor: int) -> pd.DataFrame:
    """Copy a few donors' cases of the paired sample, table and images, into a study folder."""
    table = pd.read_csv(SAMPLE / "cohort.csv", dtype=str, keep_default_na=False)
    chosen = []
    for _, cases in table.groupby("malignant"):
        donors = cases["pathology_donor"].value_counts().index[:donors_per_class]
        mine = cases[cases["pathology_donor"].isin(donors)]
        chosen.append(mine.groupby("pathology_donor").head(cases_per_donor))
    cut = pd.concat(chosen).sort_values("patient_id").reset_index(drop=True)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for column in ("ultrasound", "ultrasound_mask", "pathology"):
        for name in cut[column]:
            shutil.copy(SAMPLE / name, folder / name)
    cut.to_csv(folder / "cohort.csv", index=False)
    return cut


STUDY = """
preset = "quick"
[study]
name = "Small study"
about = "A cut of the sample cohort."
outcome = "malignant"
seed = 7
[cohort]
group = ["pathology_donor"]
site = "site"
[clinical]
age = "number"
[reader]
column = "birads"
positive = ["4c", "5", "6"]
[preprocessing]
image_size_px = 64
[models]
ultrasound = ["squeezenet", "plnet"]
pathology = ["squeezenet", "plnet"]
fuse = ["ultrasound", "pathology"]
[training]
network_size_px = 32
network_epochs = 2
head_epochs = 6
[search]
rate_factors = [10.0]
batch_sizes = [8, 16]
[validation]
folds = 2
inner_folds = 2
[explanation]
patients = 0
"""


MakeStudy = Callable[..., Path]


@pytest.fixture(scope="session")
def make_study() -> MakeStudy:
    """Return a function that makes a study folder of 24 cases, its study.toml changed as asked."""

    def make(folder: Path, *changes: tuple[str, str]) -> Path:
        cut_sample(folder, donors_per_class=4, cases_per_donor=3)
        toml = STUDY
        for old, new in changes:
            assert old in toml
            toml = toml.replace(old, new)
        (folder / "study.toml").write_text(toml, encoding="utf-8")
        return folder

    return make
