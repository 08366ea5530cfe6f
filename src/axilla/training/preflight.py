"""Before any work: does every model of the study exist, and are its weights at hand?"""

from collections.abc import Iterator

from axilla.config.study import ModelsSection, StudyConfig
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pretrained import load_pretrained
from axilla.records.errors import ConfigError, Problem, WeightsError

CLINICAL_MODELS = ("logistic",)


def require_models(config: StudyConfig) -> None:
    """Raise `ConfigError` for all unknown models, or for all that cannot pool as asked.

    Then raise `WeightsError` for all missing weights.
    """
    models = config.models
    networks = tuple(dict.fromkeys((*models.ultrasound, *models.pathology)))
    if unknown := [*_unknown(networks, models.fusion), *_unknown_clinical(models.clinical)]:
        raise ConfigError(unknown)
    if models.pooling != "mean" and (unfit := list(_not_pooled(models, networks))):
        raise ConfigError(unfit)
    if models.weights == "pretrained" and (missing := list(_without_weights(networks))):
        raise WeightsError(missing)


def _unknown(networks: tuple[str, ...], strategies: tuple[str, ...]) -> Iterator[Problem]:
    for name in networks:
        try:
            find_backbone(name)
        except ConfigError as error:
            yield from error.problems
    for name in strategies:
        try:
            fusions[name]
        except ConfigError as error:
            yield from error.problems


def _unknown_clinical(names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if name not in CLINICAL_MODELS:
            yield Problem("study.toml, models.clinical", repr(name), ", ".join(CLINICAL_MODELS))


def _not_pooled(models: ModelsSection, networks: tuple[str, ...]) -> Iterator[Problem]:
    """Tell what learns from single images, and so leaves nothing to weigh them by.

    A network that was trained with its patients' outcomes tells its own training images apart
    whatever they show: shares learnt on these would not hold for new patients.
    """
    asked, mean = f"with pooling = {models.pooling!r}", "or pooling = 'mean'"
    if models.training == "finetune":
        yield Problem(
            "study.toml, models.training",
            f"'finetune' {asked}",
            "'frozen': shares are learnt on fixed networks only",
            f"Set training = 'frozen', {mean}.",
        )
    if models.fusion_training == "joint":
        yield Problem(
            "study.toml, models.fusion_training",
            f"'joint' {asked}",
            "'head': shares are learnt on fixed networks only",
            f"Set fusion_training = 'head', {mean}.",
        )
    scratch = [name for name in networks if find_backbone(name).weights is None]
    if models.training == "frozen" and scratch:
        yield Problem(
            "study.toml, models",
            f"{', '.join(scratch)} {asked}",
            "pretrained networks: shares are learnt on fixed networks only",
            f"Leave {', '.join(scratch)} out of ultrasound and pathology, {mean}.",
        )


def _without_weights(networks: tuple[str, ...]) -> Iterator[Problem]:
    for name in networks:
        try:
            load_pretrained(name, find_backbone(name).build())
        except WeightsError as error:
            yield from error.problems
