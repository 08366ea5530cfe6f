"""Which pairs of models a study compares: asked before any result is seen, family by family.

A family is a set of comparisons that answer one question together; Holm's correction is made
within it, separately for each test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.types import BEST_SINGLE, MODALITIES, SELECTED, TRIVIAL, Modality

VERDICT: Final = "verdict"
WITHIN: Final = "within "
WORTH: Final = "worth of "
READER: Final = "against the reader "
ALL_PAIRS: Final = "all pairs"


@dataclass(frozen=True, slots=True)
class PlannedComparison:
    """One planned comparison: first model minus second."""

    one: str
    other: str
    family: str


def planned_contests(
    models: Mapping[str, ModelPredictions], *, modality_of: Mapping[str, str]
) -> tuple[PlannedComparison, ...]:
    """Return the comparisons of a study, or all pairs of models that are not from one.

    `modality_of` maps a model to its modality as predictions.csv has it, `ultrasound+pathology`
    for a fusion. A study is known by the models that its folds chose.
    """
    chosen = {m: name for m in MODALITIES if (name := _chosen_of(m, models, modality_of))}
    if not chosen:
        pairs = combinations(models, 2)
        return tuple(PlannedComparison(one, other, ALL_PAIRS) for one, other in pairs)
    return (
        *_of_fusion(models, chosen, modality_of),
        *_floors(models, chosen),
        *_within(models, modality_of),
        *_readers(models, chosen),
    )


def competing(models: Mapping[str, ModelPredictions]) -> list[str]:
    """Return the models that are no reader, no baseline and no choice among others."""
    return [
        name
        for name, model in models.items()
        if model.kind != "reader" and _stem(name) not in (SELECTED, TRIVIAL)
    ]


def _of_fusion(
    models: Mapping[str, ModelPredictions],
    chosen: Mapping[Modality, str],
    modality_of: Mapping[str, str],
) -> Iterator[PlannedComparison]:
    """The verdict, each strategy against the same rival, and what each modality is worth."""
    if SELECTED not in models:
        return
    if BEST_SINGLE in models:
        yield PlannedComparison(SELECTED, BEST_SINGLE, VERDICT)
        for name in competing(models):
            if models[name].kind == "fusion":
                yield PlannedComparison(
                    name, BEST_SINGLE, "fusion against the best single modality"
                )
    fused = modality_of[SELECTED].split("+")
    for name, model in models.items():
        if model.kind == "fusion" and " without " in name:
            yield PlannedComparison(name.partition(" without ")[0], name, f"{WORTH}a modality")
    if len(fused) == len(("one", "other")):
        by_name: Mapping[str, str] = {str(modality): name for modality, name in chosen.items()}
        for modality, rest in zip(fused, reversed(fused), strict=True):
            if rest in by_name:
                yield PlannedComparison(SELECTED, by_name[rest], f"{WORTH}{modality}")


def _floors(
    models: Mapping[str, ModelPredictions], chosen: Mapping[Modality, str]
) -> Iterator[PlannedComparison]:
    for modality, name in chosen.items():
        if (floor := f"{modality}/{TRIVIAL}") in models:
            yield PlannedComparison(name, floor, "against trivial features")


def _within(
    models: Mapping[str, ModelPredictions], modality_of: Mapping[str, str]
) -> Iterator[PlannedComparison]:
    names = competing(models)
    fusions = [name for name in names if models[name].kind == "fusion" and " without " not in name]
    families = {
        modality: [n for n in names if models[n].kind == "unimodal" and modality_of[n] == modality]
        for modality in MODALITIES
    } | {"fusion": fusions}
    for family, members in families.items():
        for one, other in combinations(members, 2):
            yield PlannedComparison(one, other, f"{WITHIN}{family}")


def _readers(
    models: Mapping[str, ModelPredictions], chosen: Mapping[Modality, str]
) -> Iterator[PlannedComparison]:
    readers = [name for name, model in models.items() if model.kind == "reader"]
    for reader in readers:
        for name in (*([SELECTED] if SELECTED in models else []), *chosen.values()):
            yield PlannedComparison(name, reader, f"{READER}{reader}")


def _chosen_of(
    modality: Modality, models: Mapping[str, ModelPredictions], modality_of: Mapping[str, str]
) -> str | None:
    """The modality's model that each fold chose; its only model where there was no choice."""
    if (name := f"{modality}/{SELECTED}") in models:
        return name
    own = [name for name in competing(models) if name.startswith(f"{modality}/")]
    return own[0] if len(own) == 1 and modality_of[own[0]] == modality else None


def _stem(name: str) -> str:
    return name.rsplit("/", maxsplit=1)[-1]
