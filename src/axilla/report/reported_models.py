"""Which models a study compared, what a reader calls them, and which family each belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from axilla.records.prespecified import HEADLINE_FUSION
from axilla.records.types import BEST_SINGLE, SELECTED, TRIVIAL
from axilla.report.figures.palette import (
    BASELINE_STYLE,
    BROWN,
    CHOSEN_STYLE,
    INK,
    SERIES,
    SeriesStyle,
    series_style,
)

FamilyKey = Literal["pathology", "ultrasound", "fusion", "clinical", "reader", "single", "models"]

# The paper's order: its Tables and Figures 2, 3 and 4, then what it does not have.
FAMILIES: tuple[FamilyKey, ...] = (
    "pathology",
    "ultrasound",
    "fusion",
    "clinical",
    "reader",
    "single",
    "models",
)

FAMILY_TITLES: dict[FamilyKey, str] = {
    "pathology": "Pathology",
    "ultrasound": "Ultrasound",
    "fusion": "Fusion",
    "clinical": "Clinical",
    "reader": "Reader",
    "single": "Best single modality",
    "models": "Models",
}


_CLINICAL_START = SERIES.index(BROWN)

_LABELS = {
    "densenet121": "DenseNet121",
    "cross_attention": "Cross-modal attention",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_v2_s": "EfficientNetV2-S",
    "gated": "Gated (Kronecker)",
    "googlenet": "GoogLeNet",
    "logistic": "Logistic regression",
    "plnet": "PLNet",
    "resnet50": "ResNet50",
    "selected": "Chosen in each fold",
    "squeezenet": "SqueezeNet",
    "swin_t": "Swin-T",
    "trivial": "Trivial features",
    "ulnet": "ULNet",
    "vit": "ViT",
    "vit_b_16": "ViT-B/16",
    "birads": "BI-RADS",
}


@dataclass(frozen=True, slots=True)
class StudyModel:
    """One model or reader; `name` is the results' own, `label` is what a page prints.

    A trivial entry is a baseline; a chosen one is whatever model each fold's inner splits chose.
    """

    name: str
    label: str
    family: FamilyKey
    modality: str
    trivial: bool
    chosen: bool
    style: SeriesStyle

    @property
    def competes(self) -> bool:
        """Tell a model of its own from baselines, readers and what the folds chose among models."""
        return not (self.trivial or self.chosen or self.family == "reader")

    @property
    def title(self) -> str:
        """The label within its own family: a reader is called one."""
        return f"Reader ({self.label})" if self.family == "reader" else self.label

    @property
    def long_label(self) -> str:
        """The label with its family, for lists that mix families."""
        if self.family == "reader":
            return self.title
        if self.family == "single":
            return "Best single modality, chosen in each fold"
        if self.chosen:
            return f"{self.family}, {self.label[:1].lower()}{self.label[1:]}"
        if self.family == "models":
            return self.label
        if self.family == "fusion":
            return f"{self.label} fusion"
        return f"{self.label}, {self.family}"


def line_up(predictions: pd.DataFrame, *, reader_name: str | None = None) -> tuple[StudyModel, ...]:
    """Return the models of predictions.csv by family, in the order the study lists them.

    The same backbone has the same colour in every family; the headline fusion has the first.
    """
    rows = predictions[["model", "kind", "modality"]].drop_duplicates("model")
    named = [
        (str(model), _family(str(model), kind=str(kind), modality=str(modality)), str(modality))
        for model, kind, modality in rows.itertuples(index=False)
    ]
    named.sort(key=lambda item: FAMILIES.index(item[1]))
    ranks = _colour_ranks([(name, family) for name, family, _ in named])
    return tuple(
        StudyModel(
            name=name,
            label=_label(name, family=family, reader_name=reader_name),
            family=family,
            modality=modality,
            trivial=_stem(name) == TRIVIAL,
            chosen=_stem(name) == SELECTED,
            style=_style(name, family=family, rank=ranks.get(name, 0)),
        )
        for name, family, modality in named
    )


def of_family(entries: Sequence[StudyModel], family: FamilyKey) -> tuple[StudyModel, ...]:
    """Return the entries of one family, trivial baselines last."""
    return tuple(
        sorted((e for e in entries if e.family == family), key=lambda entry: entry.trivial)
    )


def model_label(name: str) -> str:
    """Return how a page prints a model's name: as the field spells it, without its modality."""
    stem = _stem(name)
    if "/" not in name and stem.isalpha() and stem.islower():
        stem = stem.capitalize()
    return _LABELS.get(stem.lower(), stem.replace("_", " "))


def _label(name: str, *, family: FamilyKey, reader_name: str | None) -> str:
    if family == "reader" and reader_name:
        return reader_name
    return name if family == "models" else model_label(name)


def _stem(name: str) -> str:
    return name.rsplit("/", maxsplit=1)[-1]


def _colour_ranks(named: Sequence[tuple[str, FamilyKey]]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for families in (("pathology", "ultrasound"), ("fusion",), ("clinical",), ("models",)):
        names = [
            name
            for name, family in named
            if family in families and _stem(name) not in (TRIVIAL, SELECTED)
        ]
        names.sort(key=lambda name: name != HEADLINE_FUSION)
        stems = list(dict.fromkeys(_stem(name) for name in names))
        ranks |= {name: stems.index(_stem(name)) for name in names}
    return ranks


def _family(model: str, *, kind: str, modality: str) -> FamilyKey:
    if model == BEST_SINGLE:
        return "single"
    if kind == "fusion":
        return "fusion"
    if kind == "reader":
        return "reader"
    if modality == "pathology":
        return "pathology"
    if modality in ("ultrasound", "clinical"):
        return "ultrasound" if modality == "ultrasound" else "clinical"
    return "models"


def _style(name: str, *, family: FamilyKey, rank: int) -> SeriesStyle:
    if _stem(name) == TRIVIAL:
        return BASELINE_STYLE
    if _stem(name) == SELECTED:
        return CHOSEN_STYLE
    if family == "reader":
        return SeriesStyle(colour=INK)
    style = series_style(rank + (_CLINICAL_START if family == "clinical" else 0))
    if name == HEADLINE_FUSION:
        return SeriesStyle(colour=style.colour, dashes=style.dashes, width_pt=2.2)
    return style
