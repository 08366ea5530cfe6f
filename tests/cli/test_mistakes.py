"""What users get wrong: one readable message, exit code 1 or 2, nothing half-written."""

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app


@pytest.fixture
def make_study(make_study: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that makes a study of eight cases: mistakes need no more."""
    return functools.partial(make_study, cases_per_donor=1)


def run(*arguments: object) -> tuple[int, str]:
    """Run a command; a traceback fails the test."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def spoil(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    change(table).to_csv(folder / "cohort.csv", index=False)


def set_cell(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**{column: [value, *table[column][1:]]})


def no_positive(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(malignant="0")


def twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.head(1)])


MISTAKES = {
    "missing image": (set_cell("ultrasound", "images/nowhere.jpg"), ["row 2", "nowhere.jpg"]),
    "unknown value": (set_cell("age", "young"), ["row 2", "age", "young", "number"]),
    "unknown outcome": (set_cell("malignant", "perhaps"), ["malignant", "perhaps"]),
    "duplicate patient": (twice, ["patient_id", "P0"]),
    "one class only": (no_positive, ["malignant", "positive"]),
    "ROI outside": (set_cell("roi_left", "5000"), ["row 2", "roi", "5000"]),
    "empty table": (lambda table: table.head(0), ["cohort.csv"]),
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_table_is_one_clear_error(
    name: str, command: str, tmp_path: Path, make_study: Callable[..., Path]
) -> None:
    folder = make_study(tmp_path / "study")
    change, expected = MISTAKES[name]
    spoil(folder, change)
    code, output = run(command, folder)
    assert code == 1
    for word in ("error", *expected):
        assert word in output
    left = {path.name for path in (folder / "results").iterdir()}
    assert left <= {"check.json", "check.html", "flow.json", "progress.json", "cache"}
    assert str(tmp_path) not in output


def test_all_problems_are_reported_at_once(tmp_path: Path, make_study: Callable[..., Path]) -> None:
    folder = make_study(tmp_path / "study")
    for column, value in (("ultrasound", "images/nowhere.jpg"), ("age", "young")):
        spoil(folder, set_cell(column, value))
    spoil(folder, twice)
    code, output = run("check", folder)
    assert code == 1
    assert "nowhere.jpg" in output
    assert "young" in output
    assert "expected one row per patient" in output


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("seed = 7", "sead = 7"), ["study.sead", "Did you mean seed?"]),
        (('preset = "quick"', 'preset = "quik"'), ["preset", "Did you mean quick?"]),
        (("folds = 2", "folds = 1"), ["validation", "greater than or equal to 2"]),
        (('outcome = "malignant"', 'outcome = "malign"'), ["malign", "malignant"]),
        (('"squeezenet", "plnet"]', '"squeesenet", "plnet"]'), ["squeesenet", "squeezenet"]),
        (("[study]", "[study"), ["study.toml"]),
    ],
)
def test_a_wrong_study_toml_names_the_nearest_right_one(
    change: tuple[str, str], expected: list[str], tmp_path: Path, make_study: Callable[..., Path]
) -> None:
    folder = make_study(tmp_path / "study", change)
    code, output = run("run", folder)
    assert code in {1, 2}
    for word in expected:
        assert word in output
    assert not (folder / "results" / "predictions.csv").exists()


def test_missing_weights_name_the_fix_before_anything_is_trained(
    tmp_path: Path, make_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("AXILLA_WEIGHTS", raising=False)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    folder = make_study(tmp_path / "study", ('"squeezenet", "plnet"]', '"squeezenet", "resnet50"]'))
    code, output = run("run", folder)
    assert code == 1
    for word in ("resnet50", "AXILLA_WEIGHTS", 'weights = "none"'):
        assert word in output
    assert not list((folder / "results" / "cache").rglob("*.npy"))


def test_no_study_and_no_results(tmp_path: Path, make_study: Callable[..., Path]) -> None:
    code, output = run("run", tmp_path)
    assert code == 2
    assert "study.toml" in output
    assert "axilla init" in output
    code, output = run("report", make_study(tmp_path / "study"))
    assert code == 1
    assert "axilla run" in output


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    assert run("init", tmp_path / "new")[0] == 0
    before = (tmp_path / "new" / "study.toml").read_bytes()
    code, output = run("init", tmp_path / "new")
    assert code == 2
    assert "already" in output
    assert (tmp_path / "new" / "study.toml").read_bytes() == before


def test_the_template_of_init_is_a_valid_study_with_an_empty_table(tmp_path: Path) -> None:
    run("init", tmp_path / "new")
    code, output = run("check", tmp_path / "new")
    assert code == 1
    assert "cohort.csv" in output


def test_predict_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "not.axilla").write_text("no bundle")
    for bundle, word in (
        (tmp_path / "not.axilla", "not.axilla"),
        (tmp_path / "none", "no such file"),
    ):
        code, output = run("predict", bundle, "--ultrasound", "us.png")
        assert code in {1, 2}
        assert word in output


@pytest.mark.parametrize("command", ["demo", "init", "check", "run", "report", "predict", "doctor"])
def test_help_has_an_example(command: str) -> None:
    code, output = run(command, "--help")
    assert code == 0
    assert f"axilla {command}" in output.replace("│", "").replace("  ", " ")


def test_doctor_finds_this_installation_sound() -> None:
    code, output = run("doctor")
    assert code == 0
    assert "FAIL" not in output
    assert "weights of densenet121" in output
