"""The chain of a whole study: check, train, evaluate, bundle, report."""

from pathlib import Path

from axilla.cli.console import bars
from axilla.cohort import stage as cohort_stage
from axilla.evaluation.stage import evaluate
from axilla.records.folder import RunFolder
from axilla.records.study import StudyConfig
from axilla.report.stage import write_report


def run_study(config: StudyConfig, folder: RunFolder) -> Path:
    """Run every stage of a study, resuming finished trials; return the report's path."""
    # torch takes seconds to import; commands that do not train must not wait for it.
    from axilla.training import refit, stage  # noqa: PLC0415

    cohort = cohort_stage.check(config, folder, bars)
    final = stage.run(config, folder, cohort, bars)
    metrics = evaluate(config, folder, cohort)
    refit.write_final(config, folder, final, metrics)
    return write_report(config, folder)
