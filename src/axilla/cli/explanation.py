"""What `axilla run` and `axilla explain` do once a study's models are at hand."""

from functools import partial

from axilla.explanation.out_of_fold import OutOfFold
from axilla.explanation.stage import explain
from axilla.records.folder import RunFolder
from axilla.records.progress import Progress
from axilla.records.study import StudyConfig
from axilla.training.finals import Final
from axilla.training.refit import bundle_of_fold


def explain_study(config: StudyConfig, folder: RunFolder, final: Final, progress: Progress) -> None:
    """Map every patient's images by the model of the fold that tested the patient."""
    models = [
        OutOfFold(fold.name, fold.tested, partial(bundle_of_fold, config, fold))
        for fold in final.out_of_fold
    ]
    explain(config, folder, models, progress)
