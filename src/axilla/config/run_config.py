"""The settings that a study's results were made with."""

import json

from axilla.config.study import StudyConfig
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder


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
