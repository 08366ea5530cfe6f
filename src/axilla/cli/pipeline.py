"""The chain of a whole study: check, train, evaluate, bundle, explain, report."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from axilla.checks import stage as cohort_stage
from axilla.cli.console import err, progress
from axilla.cli.external_validation import validate_externally
from axilla.cli.progress_display import format_rough_duration
from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate
from axilla.records.errors import Problem, StudyError
from axilla.records.patients import Cohort, Patient
from axilla.records.progress import Both, ProgressFile
from axilla.records.run_folder import RunFolder
from axilla.report.stage import write_report
from axilla.training.engine.processes import call_in_background, start_server

_TITLES: Final = {
    "check": "Checking",
    "train": "Training",
    "evaluate": "Evaluating",
    "bundle": "Writing the bundle",
    "explain": "Mapping heatmaps",
    "external": "Predicting the external set",
    "report": "Writing the report",
}
STAGES: Final = tuple(_TITLES)


def run_study(config: StudyConfig, folder: RunFolder) -> Path:
    """Run every stage of a study, resuming finished trials; return the report's path.

    results/progress.json tells how far it is while it runs.
    """
    if config.compute.engine == "local":
        start_server()
    told = ProgressFile(folder, stages=STAGES)
    listeners = Both(progress, told)
    with told.running(), _announce_runtime(config, folder) as start_estimate:
        with _stage("check", told):
            cohort = cohort_stage.check(config, folder, listeners, on_read=start_estimate)
        with _stage("train", told):
            with progress.activity("Loading PyTorch"):
                # It takes seconds to import: what the check finds must not wait for it.
                from axilla.cli.explain_study import explain_study  # noqa: PLC0415
                from axilla.training import refit, stage  # noqa: PLC0415

            final = stage.run(config, folder, cohort, listeners)
        with _stage("evaluate", told):
            metrics = evaluate(config, folder, cohort)
        with _stage("bundle", told):
            refit.write_final(config, folder, final, metrics)
        with _stage("explain", told):
            explain_study(config, folder, final, listeners)
        with _stage("external", told):
            validate_externally(config, folder, cohort, listeners)
        with _stage("report", told):
            return write_report(config, folder)


@contextmanager
def _announce_runtime(
    config: StudyConfig, folder: RunFolder
) -> Iterator[Callable[[Sequence[Patient]], None]]:
    """Yield a function that takes the patients, and prints how long their study will take.

    The estimate runs in a process of its own while the data are checked. It is stopped when the
    block ends.
    """
    resumed = folder.cache.is_dir()
    with ExitStack() as background:

        def start_estimate(patients: Sequence[Patient]) -> None:
            if config.compute.engine != "local":
                return  # the speed of a cluster is unknown here

            def print_estimate(seconds: float | None) -> None:
                if seconds is not None:
                    err.print(describe_runtime(seconds, patients=len(patients), resumed=resumed))

            cancel = call_in_background(
                *("axilla.training.runtime_estimate", "estimate_seconds", config, patients),
                on_result=print_estimate,
            )
            background.callback(cancel)

        yield start_estimate


def describe_runtime(seconds: float, *, patients: int, resumed: bool) -> str:
    """Return the line that tells how long a study takes on this machine."""
    kept = "; what an earlier run has finished is not done again" if resumed else ""
    return f"{patients} patients: {format_rough_duration(seconds)} on this machine{kept}."


@contextmanager
def _stage(name: str, told: ProgressFile) -> Iterator[None]:
    """Show a stage of the study while the block runs, and tell progress.json of it."""
    with told.stage(name), progress.activity(_TITLES[name]):
        yield


def require_same_cohort(folder: RunFolder, cohort: Cohort) -> None:
    """Raise `StudyError` unless the results are those of this cohort, its images included."""
    provenance = folder.table("provenance.json")
    made = json.loads(provenance.read_text(encoding="utf-8")) if provenance.is_file() else {}
    if made.get("cohort_digest") != cohort.digest:
        raise StudyError(
            Problem(
                "results",
                "another cohort than the study's table and images now are",
                "results of this cohort",
                "Run `axilla run` again first, or restore the table.",
            )
        )
