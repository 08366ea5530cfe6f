"""Before any work: does every model of the study exist, and are its weights at hand?"""

from collections.abc import Iterator

from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pretrained import load_pretrained
from axilla.records.errors import ConfigError, Problem, WeightsError
from axilla.records.study import StudyConfig

CLINICAL_MODELS = ("logistic",)


def require_models(config: StudyConfig) -> None:
    """Raise `ConfigError` for all unknown models, then `WeightsError` for all missing weights."""
    models = config.models
    networks = tuple(dict.fromkeys((*models.ultrasound, *models.pathology)))
    if unknown := [*_unknown(networks, models.fusion), *_unknown_clinical(models.clinical)]:
        raise ConfigError(unknown)
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


def _without_weights(networks: tuple[str, ...]) -> Iterator[Problem]:
    for name in networks:
        try:
            load_pretrained(name, find_backbone(name).build())
        except WeightsError as error:
            yield from error.problems
