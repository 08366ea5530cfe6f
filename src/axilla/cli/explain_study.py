"""What `axilla run` and `axilla explain` do once a study's models are at hand."""

from functools import partial

from axilla.config.study import StudyConfig
from axilla.explanation.methods.case_model import Described
from axilla.explanation.out_of_fold import OutOfFold
from axilla.explanation.stage import explain
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.report.images.explained_cases import patients_to_show
from axilla.training.engine.workers import open_map
from axilla.training.refit import bundle_of_fold, model_of_fold, outputs_of_fold
from axilla.training.selected_models import FoldModels
from axilla.training.stage import choose_device


def explain_study(
    config: StudyConfig, folder: RunFolder, final: FoldModels, progress: Progress
) -> None:
    """Map patients' images by the model of the fold that tested the patient."""
    models = [
        OutOfFold(
            fold.name,
            fold.tested,
            bundle=partial(bundle_of_fold, config, fold),
            outputs=partial(_get_outputs, config, fold),
        )
        for fold in final.out_of_fold
    ]
    reported = patients_to_show(folder, [model_of_fold(fold) for fold in final.out_of_fold])
    with open_map(config.compute, choose_device(config.compute.device)) as in_turn:
        explain(config, folder, models, progress, reported=reported, in_turn=in_turn)


def _get_outputs(config: StudyConfig, fold: FoldModels) -> Described | None:
    """Return the fold's tested patients as training kept them: their images are not needed."""
    outputs = outputs_of_fold(config, fold)
    return Described({}, outputs.components, outputs.logits, outputs.present) if outputs else None
