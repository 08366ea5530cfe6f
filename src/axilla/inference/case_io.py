"""One case as people give it, and its prediction as programs read it: no torch is needed for that.

The command line and the web share it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from axilla import RESEARCH_USE_ONLY
from axilla.inference.manifest import Manifest
from axilla.records.errors import ConfigError, Problem
from axilla.records.patients import ClinicalValue, ImageFile
from axilla.records.types import ClinicalKind

if TYPE_CHECKING:
    from axilla.inference.predictor import Prediction

RiskLevel = Literal["very low", "low", "intermediate", "high", "very high"]
# Upper ends, for reading only: no guideline has them, and no call is made by them.
_LEVELS: Final[tuple[tuple[float, RiskLevel], ...]] = (
    (0.05, "very low"),
    (0.2, "low"),
    (0.5, "intermediate"),
    (0.8, "high"),
)


def risk_level(probability: float) -> RiskLevel:
    """Return a word for a probability: very low below 5 %, low below 20, high from 50, very 80."""
    return next((word for end, word in _LEVELS if probability < end), "very high")


def clinical_columns(manifest: Manifest) -> dict[str, ClinicalKind]:
    """Return the clinical columns a bundle knows, and what they hold."""
    return {name: column["kind"] for name, column in _columns(manifest).items()}


def parse_clinical_values(
    values: Mapping[str, ClinicalValue], manifest: Manifest, *, option: str = ""
) -> dict[str, ClinicalValue]:
    """Read texts as the bundle's columns hold them; raise `ConfigError` for what none holds.

    `option` comes before a column's name in messages.
    """
    columns = _columns(manifest)
    read: dict[str, ClinicalValue] = {}
    for name, value in values.items():
        place = f"{option}{name}"
        if name not in columns:
            expected = (
                f"one of {', '.join(columns)}" if columns else "none: the bundle uses no value"
            )
            raise ConfigError(Problem(place, repr(value), expected))
        column = columns[name]
        read[name] = (
            _number(value, name=name, place=place)
            if column["kind"] == "number"
            else _level(value, place=place, known=column["levels"])
        )
    return read


def as_json_of(prediction: "Prediction", manifest: Manifest) -> dict[str, Any]:
    """Return a prediction as JSON has it; images are named as their files are."""
    return {
        "notice": RESEARCH_USE_ONLY,
        "outcome": manifest.outcome,
        "probability": prediction.probability,
        "threshold": prediction.threshold,
        "threshold_rule": manifest.threshold_rule,
        "call": "positive" if prediction.positive else "negative",
        "model": manifest.model,
        "used": list(prediction.used),
        "by_modality": prediction.by_modality,
        "warnings": list(prediction.warnings),
        "familiarity": {
            modality: {
                "squared_distance": one.squared_distance,
                "p": one.p,
                "patients": one.patients,
                "unfamiliar": one.unfamiliar,
            }
            for modality, one in prediction.familiarity.items()
        },
        "attention": {
            modality: [_share(file, share) for file, share in shares]
            for modality, shares in prediction.attention.items()
        },
        "performance": [number.model_dump() for number in manifest.performance],
    }


def _share(file: ImageFile, share: float) -> dict[str, Any]:
    box = None if file.tile is None else list(file.tile.sides)
    return {"image": file.path.name, "tile": box, "share": share}


def _columns(manifest: Manifest) -> dict[str, dict[str, Any]]:
    return {
        str(column["name"]): column for part in manifest.modalities for column in part.encoder or ()
    }


def _level(value: ClinicalValue, *, place: str, known: Sequence[str]) -> ClinicalValue:
    """Return the level as training knew it, whatever its case."""
    if value is None:
        return None
    for level in known:
        if level.casefold() == str(value).casefold():
            return level
    raise ConfigError(Problem(place, repr(value), f"one of {', '.join(known)}", "Or leave it out."))


def _number(value: ClinicalValue, *, name: str, place: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(Problem(place, repr(value), "a number", f"As {name}=53."))
    return number
