"""What a running command says of itself, by a clock that the test turns."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from axilla.cli.pipeline import describe_runtime
from axilla.cli.progress_display import (
    ConsoleProgress,
    RunningTask,
    bar_line,
    duration,
    format_rough_duration,
)

LONG = "100% Embedding pathology with timm:vit_small_patch16_224.dino"


class Clock:
    """A clock that stands still until it is turned."""

    now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock):
    """Progress into a file, and a function that turns the clock and returns what is new."""
    stream = io.StringIO()
    progress = ConsoleProgress(Console(file=stream, width=20), clock=clock)
    seen = 0

    def after(seconds=0.0):
        nonlocal seen
        clock.now += seconds
        progress.tick()
        text = stream.getvalue()
        new, seen = text[seen:], len(text)
        return new.splitlines()

    return progress, after


def test_a_log_hears_of_a_task_after_two_seconds_every_ten_and_at_its_end(log):
    progress, after = log
    with progress.task("Reading images", total=1200) as advance:
        assert after(1.9) == []
        advance(100)
        assert after(0.2) == ["Reading images: 100 of 1,200"]
        assert after(5) == []
        advance(500)
        assert after(4.9) == ["Reading images: 600 of 1,200, 0:12 so far, about 0:12 left"]
        assert after(1) == []
        assert after(8) == ["Reading images: 600 of 1,200, 0:21 so far, about 0:21 left"]
        advance(600)
    assert after() == ["Reading images: 1,200 of 1,200 in 0:21"]


def test_a_log_does_not_hear_of_short_tasks(log):
    progress, after = log
    with progress.task("Reading images", total=3) as advance:
        advance(3)
        assert after(2.0 - 1e-6) == []
    assert after(60) == []


def test_work_that_counts_no_steps_is_told_of_by_its_time(log):
    progress, after = log
    with progress.activity("Evaluating"):
        assert after(2) == ["Evaluating ..."]
        assert after(61) == ["Evaluating: 1:03 so far"]
    assert after() == ["Evaluating: done in 1:03"]


def test_a_task_speaks_for_the_work_around_it(log):
    progress, after = log
    with progress.activity("Training"):
        assert after(2) == ["Training ..."]
        with progress.task("Training fusions", total=4) as advance:
            advance(1)
            assert after(12) == ["Training fusions: 1 of 4, 0:12 so far, about 0:36 left"]
        assert after() == ["Training fusions: 1 of 4 in 0:12"]
        assert after(1.9) == []
        assert after(0.2) == ["Training: 0:16 so far"]
    assert after() == ["Training: done in 0:16"]


def test_a_failed_task_is_not_called_done(log):
    progress, after = log

    def evaluate():
        with progress.activity("Evaluating"):
            after(5)
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        evaluate()
    assert after(60) == []


def test_a_log_has_no_control_characters_and_lines_of_any_width(log):
    progress, after = log
    with progress.task(LONG, total=211) as advance:
        advance(1)
        (line,) = after(30)
    assert line == f"{LONG}: 1 of 211, 0:30 so far, about 1:45:00 left"
    assert line.isascii()


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 100, 119, 200])
@pytest.mark.parametrize("description", ["Decoding images", LONG, "读取超声图像" * 12])
def test_a_bar_fits_its_terminal_and_keeps_count_and_times(width, description):
    task = RunningTask(description, 211, 0.0, done=98)
    line = bar_line(task, now=31.0, width=width).plain
    assert cell_len(line) <= width
    if width >= 40:
        assert re.search(r"98/211 +0:31 +0:35 left", line)


def test_columns_of_bars_stand_below_each_other():
    names = ("Decoding images", "Training chosen networks", LONG)
    tasks = [RunningTask(name, 211, 0.0, done=1) for name in names]
    tasks.append(RunningTask("Writing the report", None, 0.0))
    lines = [bar_line(task, now=754.0, width=79).plain for task in tasks]
    assert len({line.index(" 12:34 ") for line in lines}) == 1
    assert lines[1].startswith("Training chosen networks  ")


def test_a_bar_is_ascii_where_the_terminal_is():
    tasks = RunningTask("Decoding images", 8, 0.0, done=2), RunningTask("Evaluating", None, 0.0)
    lines = [bar_line(task, now=1.0, width=79, ascii_only=True).plain for task in tasks]
    assert all(line.isascii() for line in lines)
    assert "##" in lines[0]


def test_a_terminal_keeps_a_line_of_each_finished_task(clock):
    stream = Terminal()
    progress = ConsoleProgress(Console(file=stream, width=80, force_terminal=True), clock=clock)
    with progress.activity("Checking"):
        with progress.task("Decoding images", total=633) as advance:
            advance(633)
            clock.now += 8
        clock.now += 1
    with progress.activity("Writing check.html"):
        clock.now += 1
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert re.search(r"Decoding images .*━ +633/633 +0:08", plain)
    assert re.search(r"Checking +0:09", plain)


def test_colour_in_a_log_brings_no_bars(clock, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    progress = ConsoleProgress(Console(file=stream), clock=clock)
    with progress.task("Decoding images", total=3):
        clock.now += 5
    assert stream.getvalue() == "Decoding images: 0 of 3 in 0:05\n"


def test_durations_read_as_clocks_do():
    found = [duration(seconds) for seconds in (0, 7.9, 59.99, 60, 754, 3599, 3600, 36_061)]
    assert found == ["0:00", "0:07", "0:59", "1:00", "12:34", "59:59", "1:00:00", "10:01:01"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "about 10 seconds"),
        (44, "about 40 seconds"),
        (89, "about 90 seconds"),
        (91, "about 2 minutes"),
        (3000, "about 50 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_an_expected_time_is_round(seconds, said):
    assert format_rough_duration(seconds) == said


def test_the_expected_time_of_a_study_says_for_whom_and_what_is_kept():
    assert describe_runtime(120, patients=211, resumed=False) == (
        "211 patients: about 2 minutes on this machine."
    )
    assert describe_runtime(120, patients=211, resumed=True).endswith("is not done again.")
