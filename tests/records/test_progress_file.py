"""What a run tells of itself: it only goes up, it ends as it ended, and silence is noticed."""

import json
import time
from pathlib import Path

import pytest

from axilla.records.errors import Problem, StudyError
from axilla.records.progress import NAME, Both, ProgressFile, Silent, read_run
from axilla.records.run_folder import RunFolder


def told(folder: Path):
    return read_run(folder / "results" / NAME)


def wait_for(folder: Path, good) -> None:
    for _ in range(60):
        if (run := told(folder)) and good(run):
            return
        time.sleep(0.1)
    pytest.fail(f"never told: {told(folder)}")


def test_a_run_is_told_while_it_goes_on_and_when_it_ended(tmp_path: Path) -> None:
    file = ProgressFile(RunFolder(tmp_path), stages=("check", "train"))
    with file.running():
        with file.stage("check"):
            pass
        with file.stage("train"), Both(Silent(), file).task("Trials", total=5) as advance:
            advance(2)
            wait_for(tmp_path, lambda run: run.task is not None and run.task.done == 2)
            run = told(tmp_path)
            assert (run.state, run.stage.name, run.task.total) == ("running", "train", 5)
            assert [stage.name for stage in run.stages] == ["check"]
            assert run.planned == ("check", "train")
    run = told(tmp_path)
    assert (run.state, run.stage, run.task, run.message) == ("finished", None, None, "")
    assert [stage.name for stage in run.stages] == ["check", "train"]
    assert [path.name for path in (tmp_path / "results").iterdir()] == [NAME]


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (StudyError(Problem("a.csv", "nothing", "rows")), "failed", "a.csv: found nothing"),
        (OSError(28, "No space left on device", "/secret/place"), "failed", "No space left"),
        (KeyboardInterrupt(), "stopped", ""),
        (ZeroDivisionError(), "failed", "error of its own"),
    ],
)  # fmt: skip
def test_how_it_ended_is_told(tmp_path: Path, error, state: str, message: str) -> None:
    file = ProgressFile(RunFolder(tmp_path), stages=("check",))
    with pytest.raises(type(error)), file.running(), file.stage("check"):
        raise error
    run = told(tmp_path)
    assert run.state == state
    assert message in run.message
    assert "secret" not in run.message
    assert run.stage.name == "check"


def test_silence_is_noticed(tmp_path: Path) -> None:
    file = ProgressFile(RunFolder(tmp_path), stages=("check",))
    with file.running():
        path = tmp_path / "results" / NAME
        content = json.loads(path.read_text(encoding="utf-8"))
    for silence_s, state in ((5, "running"), (60, "lost")):
        past = content | {"seen": time.time() - silence_s}
        path.write_text(json.dumps(past), encoding="utf-8")
        assert told(tmp_path).state == state


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"state": 1}', '{"state": "odd"}'])
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / NAME
    path.write_text(content, encoding="utf-8")
    assert read_run(path) is None
    assert read_run(tmp_path / "none") is None


def test_a_place_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the folder should be", encoding="utf-8")
    with ProgressFile(RunFolder(tmp_path), stages=()).running():
        pass
