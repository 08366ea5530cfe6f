"""All fusion strategies of a study: heads on embeddings, or trained jointly with networks."""

from collections.abc import Sequence

from axilla.records.types import ImageModality
from axilla.training.candidates import SearchRow
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import carry_out
from axilla.training.engine.trials import FusionTrial
from axilla.training.fusion.fusion_heads import FusionCandidate, Selected, load_fused
from axilla.training.fusion.joint_trials import JointParts, JointPlan, pixels_of
from axilla.training.networks.optimisation import of_fusion
from axilla.training.unimodal_training import TrainingInputs, head_search, network_search

Fused = tuple[list[FusionCandidate], list[SearchRow]]


def train_fusions(
    material: TrainingInputs, pixels: dict[ImageModality, Pixels], selected: Sequence[Selected]
) -> Fused:
    """Train every strategy on the models `selected` in each fold; none selected trains none."""
    if not selected:
        return [], []
    joint = material.config.models.fusion_training == "joint"
    finished = _joint(material, pixels, selected) if joint else _heads(material, selected)
    return (
        [candidate for candidates, _ in finished for candidate in candidates],
        [row for _, rows in finished for row in rows],
    )


def _heads(material: TrainingInputs, selected: Sequence[Selected]) -> list[Fused]:
    config = material.config
    trials = [
        FusionTrial(
            name,
            tuple(selected),
            material.outcomes,
            head_search(config),
            of_fusion(config.training.of(name)),
            seed=config.study.seed,
            cache=material.folder.cache,
        )
        for name in config.models.fusion
    ]
    # The last strategies have the most layers: started first, they leave no process idle.
    material.engine.finish(trials[::-1], "Training fusions", progress=material.progress)
    return [trial.load() for trial in trials]


def _joint(
    material: TrainingInputs, pixels: dict[ImageModality, Pixels], selected: Sequence[Selected]
) -> list[Fused]:
    config = material.config
    plans = [
        JointPlan(
            name,
            JointParts(pixels_of(pixels, parts), parts, material.outcomes),
            next(iter(parts.values())).fold,
            network_search(config, material.engine.device),
            of_fusion(config.training.of(name)),
            modality_dropout=config.training.modality_dropout,
            cache=material.folder.cache,
        )
        for name in config.models.fusion
        for parts in selected
    ]
    carry_out(plans, material.engine, label="Training joint fusions", progress=material.progress)
    return [load_fused(plan.path, plan.name, [plan.parts.selected]) for plan in plans]
