"""Run in a process of its own by `scale`: a study, stage by stage; print seconds as JSON.

The stages are those of `axilla run`, in its order; tasks are what a stage shows a bar for.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_START = time.perf_counter()

from axilla.checks import stage as cohort_stage  # noqa: E402
from axilla.config.load import read_study  # noqa: E402
from axilla.evaluation.stage import evaluate  # noqa: E402
from axilla.records.progress import Advance  # noqa: E402
from axilla.records.run_folder import RunFolder  # noqa: E402
from axilla.report.stage import write_report  # noqa: E402
from axilla.training import refit, stage  # noqa: E402


class Stopwatches:
    """Takes the seconds of stages, and of the tasks that they report."""

    def __init__(self) -> None:
        self.seconds = {"import": time.perf_counter() - _START}

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        del total
        with self.timing(f"  {description}"):
            yield lambda _: None

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start

    def stage(self, name: str, work: Callable[[], Any]) -> Any:
        with self.timing(name):
            return work()


def main(root: Path) -> None:
    watches, folder = Stopwatches(), RunFolder(root)
    config = read_study(root / "study.toml")
    cohort = watches.stage("check", lambda: cohort_stage.check(config, folder, watches))
    final = watches.stage("training", lambda: stage.run(config, folder, cohort, watches))
    metrics = watches.stage("evaluation", lambda: evaluate(config, folder, cohort))
    watches.stage("bundle", lambda: refit.write_final(config, folder, final, metrics))
    watches.stage("report", lambda: write_report(config, folder))
    print("RESULT " + json.dumps(watches.seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
