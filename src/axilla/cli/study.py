"""The chain of a whole study: check, train, evaluate, bundle, explain, report."""

import json
from pathlib import Path
from typing import Final

from axilla.cli.console import bars
from axilla.cli.external import validate_externally
from axilla.cohort import stage as cohort_stage
from axilla.evaluation.stage import evaluate
from axilla.records.errors import Problem, StudyError
from axilla.records.folder import RunFolder
from axilla.records.patients import Cohort
from axilla.records.progress import Both
from axilla.records.progress_file import ProgressFile
from axilla.records.study import StudyConfig
from axilla.report.stage import write_report

STAGES: Final = ("check", "train", "evaluate", "bundle", "explain", "external", "report")


def run_study(config: StudyConfig, folder: RunFolder) -> Path:
    """Run every stage of a study, resuming finished trials; return the report's path.

    results/progress.json tells how far it is while it runs.
    """
    # torch takes seconds to import; commands that do not train must not wait for it.
    from axilla.cli.explanation import explain_study  # noqa: PLC0415
    from axilla.training import refit, stage  # noqa: PLC0415

    told = ProgressFile(folder, stages=STAGES)
    listeners = Both(bars, told)
    with told.running():
        with told.stage("check"):
            cohort = cohort_stage.check(config, folder, listeners)
        with told.stage("train"):
            final = stage.run(config, folder, cohort, listeners)
        with told.stage("evaluate"):
            metrics = evaluate(config, folder, cohort)
        with told.stage("bundle"):
            refit.write_final(config, folder, final, metrics)
        with told.stage("explain"):
            explain_study(config, folder, final, listeners)
        with told.stage("external"):
            validate_externally(config, folder, cohort, listeners)
        with told.stage("report"):
            return write_report(config, folder)


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
