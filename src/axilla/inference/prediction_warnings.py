"""Warnings that a prediction carries, as templates and their values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from axilla.inference.manifest import ModalityManifest
from axilla.records.patients import ClinicalValue

if TYPE_CHECKING:  # scikit-learn, which pages need not wait for
    from axilla.inference.ood import OodScore


NO_MODALITY: Final = "no {modality}: predicted from the rest, which was not validated"
NO_MASK: Final = "no lesion mask: the ROI rectangle stands in, unlike in training"
NO_ROI: Final = "no ROI and no mask: the whole ultrasound image stands in for the lesion"
FURTHEST: Final = "{modality}: further from the training patients than each of all {patients}"
FURTHER: Final = "{modality}: further from the training patients than {share} of them"
NEW_LEVEL: Final = "{column}: a level that no training patient had; it counts as unknown"
OUTSIDE: Final = "{column}: {value} is outside the training patients' {low} to {high}"
TEMPLATES: Final = (NO_MODALITY, NO_MASK, NO_ROI, FURTHEST, FURTHER, NEW_LEVEL, OUTSIDE)
"""Every sentence, its values in braces."""


class PredictionWarning(str):
    """A warning: a string, made of a `template` and the `values` that stand in its braces."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, str]

    def __new__(cls, template: str, **values: str) -> Self:
        """Fill `template` with `values`."""
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made


def unlike_training(modality: str, found: "OodScore") -> PredictionWarning:
    """Say how far a case lies from the training patients."""
    if found.furthest:
        return PredictionWarning(FURTHEST, modality=modality, patients=str(found.patients))
    return PredictionWarning(FURTHER, modality=modality, share=f"{1 - found.p:.1%}")


def unseen_values(
    values: Mapping[str, ClinicalValue], part: ModalityManifest
) -> list[PredictionWarning]:
    """Say which numbers lie outside the range of the training patients, and which levels are new.

    A number is only judged if the bundle knows its range.
    """
    said = []
    for column in part.encoder or ():
        name = str(column["name"])
        value = values.get(name)
        if isinstance(value, str):
            if value not in column.get("levels", ()):
                said.append(PredictionWarning(NEW_LEVEL, column=name))
        elif value is not None and name in (part.ranges or {}):
            low, high = (part.ranges or {})[name]
            if not low <= value <= high:
                inside = {"low": f"{low:g}", "high": f"{high:g}"}
                said.append(PredictionWarning(OUTSIDE, column=name, value=f"{value:g}", **inside))
    return said
