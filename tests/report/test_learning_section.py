"""The learning curve on the page: its numbers, its figure, and never one of another run."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from axilla.evaluation.planning.learning_curve import FITTED, GAIN, MEASURED, learning_curve_table
from axilla.records.run_folder import RunFolder
from axilla.report.answer import answer_of
from axilla.report.figures.all_figures import draw_figures
from axilla.report.sections.learning_section import learning_section
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import load_results

MODELS = (
    "multilayer", "selected", "single/selected", "ultrasound/selected", "pathology/selected",
    "clinical/logistic",
)  # fmt: skip
SHARES = (0.3, 0.45, 0.6, 0.8, 1.0)
GROUPS_OF = 6


@pytest.fixture
def study(paired, tmp_path):
    """The finished study, with a learning curve of these shares."""

    def make(shares=SHARES):
        config, finished = paired
        folder = RunFolder(shutil.copytree(finished.root, tmp_path / "study"))
        predictions = pd.read_csv(finished.table("predictions.csv"), dtype={"patient_id": str})
        whole = predictions[predictions["model"].isin(MODELS)]
        rng = np.random.default_rng(3)
        parts = []
        for share in shares:
            noise = 1.5 * (1 / share - 1) * rng.normal(size=len(whole))
            worse = expit(logit(whole["probability"].clip(1e-9, 1 - 1e-9)) + noise)
            if share == 1:
                worse = whole["probability"]
            parts.append(
                whole.assign(probability=worse, share=share, training_patients=round(168.8 * share))
            )
        groups = _groups(predictions)
        table = learning_curve_table(pd.concat(parts), groups=groups, seed=1)
        folder.write_table("learning_curve.csv", table)
        return config, folder, table

    return make


def _groups(predictions):
    """Any groups: the page shows the table as it stands."""
    patients = sorted(set(predictions["patient_id"]))
    return {patient: str(place // GROUPS_OF) for place, patient in enumerate(patients)}


def section(config, folder):
    results = load_results(config, folder)
    answer = answer_of(results)
    drawings = draw_figures(results, answer)
    return learning_section(ReportContext(results, answer, drawings)), drawings


@pytest.mark.slow
def test_the_section_tells_the_table(study):
    config, folder, table = study()
    made, drawings = section(config, folder)
    assert made.title == "Would more patients help?"
    words = re.sub(r"<[^>]+>", " ", str(made.html)).replace("\xa0", " ")
    words = " ".join(words.split())
    own = table[table["model"] == "multilayer"]
    for row in own[own["metric"] == MEASURED].itertuples():
        assert f"{row.value:.3f}" in words
        assert f"{row.low:.3f} to {row.high:.3f}" in words
    gain = own[own["metric"] == GAIN].iloc[-1]
    end = own[own["metric"] == FITTED].iloc[-1]
    assert (
        f"{gain['training_patients']} training patients would give an AUC of {end['value']:.3f} "
        f"(95 % interval {end['low']:.3f} to {end['high']:.3f}); on the curve that is a change of "
        f"{gain['value']:+.3f} (95 % interval {gain['low']:+.3f} to {gain['high']:+.3f})"
    ) in words
    assert "learning_curve" in drawings
    drawing = drawings["learning_curve"]
    assert drawing.svg.decode().count("<svg") == 1
    assert "Multilayer" in drawing.description
    assert "figures/learning_curve.svg" in str(made.html)


@pytest.mark.slow
def test_few_shares_have_points_and_no_curve(study):
    config, folder, _ = study(shares=(0.5, 1.0))
    made, drawings = section(config, folder)
    assert "no curve was fitted" in str(made.html)
    assert "training patients would give" not in str(made.html)
    assert "learning_curve" in drawings


@pytest.mark.slow
def test_a_curve_of_another_run_is_named_and_not_shown(study):
    config, folder, table = study()
    ends = (table["share"] == 1) & (table["metric"] == MEASURED)
    folder.write_table(
        "learning_curve.csv", table.assign(value=table["value"].where(~ends, table["value"] - 0.01))
    )
    made, drawings = section(config, folder)
    assert "of an earlier run" in str(made.html)
    assert "axilla plan DIR --learning-curve" in str(made.html)
    assert "learning_curve" not in drawings


@pytest.mark.slow
def test_without_a_curve_there_is_no_section(paired):
    made, drawings = section(*paired)
    assert made is None
    assert "learning_curve" not in drawings
