"""Shorter ways through a study, for tests that ask less than `axilla run` does."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import read_study
from axilla.evaluation.stage import evaluate
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.training import refit, stage


@pytest.fixture(scope="session")
def train() -> Callable[..., pd.DataFrame]:
    """Return a function that trains a study and returns its predictions.

    It draws no report; statistics and the bundle are made if asked for.
    """

    def train_study(folder: Path, *, bundle: bool = False, jobs: int | None = None) -> pd.DataFrame:
        config = read_study(folder / "study.toml", compute={"jobs": jobs} if jobs else {})
        place = RunFolder(folder)
        cohort = read_cohort(config, folder)
        final = stage.run(config, place, cohort, Silent())
        if bundle:
            refit.write_final(config, place, final, evaluate(config, place, cohort))
        return pd.read_csv(folder / "results" / "predictions.csv", dtype={"patient_id": str})

    return train_study
