"""The chain of a whole study: check, train, evaluate, bundle, explain, report."""

import json
from pathlib import Path

from axilla.cli.console import bars
from axilla.cli.external import validate_externally
from axilla.cohort import stage as cohort_stage
from axilla.evaluation.stage import evaluate
from axilla.records.errors import Problem, StudyError
from axilla.records.folder import RunFolder
from axilla.records.patients import Cohort
from axilla.records.study import StudyConfig
from axilla.report.stage import write_report


def run_study(config: StudyConfig, folder: RunFolder) -> Path:
    """Run every stage of a study, resuming finished trials; return the report's path."""
    # torch takes seconds to import; commands that do not train must not wait for it.
    from axilla.cli.explanation import explain_study  # noqa: PLC0415
    from axilla.training import refit, stage  # noqa: PLC0415

    cohort = cohort_stage.check(config, folder, bars)
    final = stage.run(config, folder, cohort, bars)
    metrics = evaluate(config, folder, cohort)
    refit.write_final(config, folder, final, metrics)
    explain_study(config, folder, final)
    validate_externally(config, folder, cohort)
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


def as_run(config: StudyConfig, folder: RunFolder) -> StudyConfig:
    """Return the settings that the results were made with; title and description may be edited."""
    provenance = folder.table("provenance.json")
    if not provenance.is_file():
        return config
    try:
        made = StudyConfig.model_validate(
            json.loads(provenance.read_text(encoding="utf-8"))["config"]
        )
    except (ValueError, KeyError) as error:
        raise StudyError(
            Problem(
                provenance.name, "no readable settings", "those of the run", "Run the study again."
            )
        ) from error
    words = {"name": config.study.name, "about": config.study.about}
    return made.model_copy(update={"study": made.study.model_copy(update=words)})
