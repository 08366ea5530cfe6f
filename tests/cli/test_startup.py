"""What a command imports: a package that takes a second is one that this command needs."""

import subprocess
import sys

import pandas as pd
import pytest
from made import make_bundle
from typer.main import get_group

from axilla.cli.main import app
from axilla.inference.bundle import write_bundle

TORCH = {"torch", "torchvision", "timm", "captum"}
STATISTICS = {"pandas", "sklearn", "scipy.stats", "matplotlib", "docx"}
FILES = {"pydicom", "openpyxl", "openslide", "skimage"}
SLOW = TORCH | STATISTICS | FILES | {"numpy", "pydantic"}

RUN = """
import sys
from axilla.cli.main import app
sys.argv = ["axilla", *sys.argv[1:]]
try:
    app()
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules)
"""


def imported_by(*arguments):
    """Run `axilla` in a fresh process; return which of the slow packages it imported."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return SLOW & set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def study(make_study, tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("startup"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("startup") / "bundle.axilla"
    write_bundle(make_bundle(clinical=False), path)
    return path


def test_help_imports_nothing_slow():
    assert imported_by("--help") == set()


def test_help_says_of_each_command_what_its_own_help_says():
    commands = get_group(app).commands
    listed = get_group(app)._list_commands().commands
    assert list(listed) == list(commands)
    for name, command in listed.items():
        first, *_ = (commands[name].help or "").split("\n\n")
        assert command.help == " ".join(first.split())


@pytest.mark.slow
def test_check_imports_no_network_and_no_figures(study):
    unneeded = TORCH | FILES | {"matplotlib", "docx"}
    assert imported_by("check", study) & unneeded == set()


@pytest.mark.slow
def test_predicting_one_case_imports_torch_and_little_else(study, bundle):
    row = pd.read_csv(study / "cohort.csv").iloc[0]
    options = {
        "--ultrasound": row["ultrasound"],
        "--mask": row["ultrasound_mask"],
        "--pathology": row["pathology"],
    }
    given = [part for name, file in options.items() for part in (name, study / file)]
    found = imported_by("predict", bundle, *given)
    assert "torch" in found
    # PLNet is axilla's own: torchvision and timm are for those whose networks they are.
    assert found & (TORCH | STATISTICS | FILES) <= {"torch", "skimage"}


@pytest.fixture
def predictions(tmp_path):
    path = tmp_path / "predictions.csv"
    rows = [(f"P{n}", n % 2, n / 40) for n in range(40)]
    pd.DataFrame(rows, columns=["patient_id", "label", "probability"]).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_evaluating_imports_no_network_and_draws_only_what_is_written(predictions, tmp_path):
    unneeded = TORCH | FILES | {"sklearn", "docx"}
    assert imported_by("evaluate", predictions) & (unneeded | {"matplotlib"}) == set()
    with_report = imported_by("evaluate", predictions, "--out", tmp_path / "evaluation")
    assert with_report & unneeded == set()
    assert "matplotlib" in with_report
