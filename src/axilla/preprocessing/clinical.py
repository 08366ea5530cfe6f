"""Clinical variables become numbers: imputed, scaled and one-hot, fitted on training patients only.

The fitted encoder is plain data, so that a bundle can carry it without pickling anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, TypeAdapter

from axilla.records.errors import BundleError, Problem
from axilla.records.patients import ClinicalValue

Values = Mapping[str, ClinicalValue]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A number: missing becomes the training median, then (x - mean) / sd."""

    name: str
    median: FiniteFloat
    mean: FiniteFloat
    sd: Annotated[FiniteFloat, Field(gt=0)]
    kind: Literal["number"] = "number"

    @property
    def width(self) -> int:
        """Number of features the column becomes."""
        return 1

    def encode(self, value: ClinicalValue) -> list[float]:
        """Return the standardised value."""
        if value is None:
            value = self.median
        if isinstance(value, str):
            raise BundleError(Problem(self.name, repr(value), "a number", f"As in {self.name}=53."))
        return [(value - self.mean) / self.sd]


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A category, one-hot over the training levels; missing or unseen is all zeros."""

    name: str
    levels: tuple[str, ...]
    kind: Literal["category"] = "category"

    @property
    def width(self) -> int:
        """Number of features the column becomes."""
        return len(self.levels)

    def encode(self, value: ClinicalValue) -> list[float]:
        """Return one number per level."""
        return [float(value == level) for level in self.levels]


@dataclass(frozen=True, slots=True)
class ClinicalEncoder:
    """Turns clinical values into a feature vector, column after column."""

    columns: tuple[NumberColumn | CategoryColumn, ...]

    @property
    def width(self) -> int:
        """Number of features of a patient."""
        return sum(column.width for column in self.columns)

    def __call__(self, patients: Sequence[Values]) -> NDArray[np.float32]:
        """Encode patients as (N, K)."""
        rows = [
            [
                feature
                for column in self.columns
                for feature in column.encode(values.get(column.name))
            ]
            for values in patients
        ]
        return np.array(rows, dtype=np.float32).reshape(len(patients), self.width)

    def to_json(self) -> list[dict[str, Any]]:
        """Return what `from_json` reads back."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> "ClinicalEncoder":
        """Read an encoder from a bundle's JSON; raise `ValueError` for another's."""
        return cls(_COLUMNS.validate_python(columns))


_COLUMNS: TypeAdapter[tuple[NumberColumn | CategoryColumn, ...]] = TypeAdapter(
    tuple[Annotated[NumberColumn | CategoryColumn, Field(discriminator="kind")], ...]
)


def fit_encoder(
    patients: Sequence[Values], kinds: Mapping[str, Literal["number", "category"]]
) -> ClinicalEncoder:
    """Fit medians, scales and levels on training patients; an all-missing number becomes zero."""
    return ClinicalEncoder(
        tuple(
            _fit_number(name, patients) if kind == "number" else _fit_category(name, patients)
            for name, kind in kinds.items()
        )
    )


def _fit_number(name: str, patients: Sequence[Values]) -> NumberColumn:
    known = [v for values in patients if isinstance(v := values.get(name), int | float)]
    if not known:
        return NumberColumn(name, median=0.0, mean=0.0, sd=1.0)
    median = float(np.median(known))
    filled = np.array(known + [median] * (len(patients) - len(known)))
    # Equal values may have a mean, and so an sd, that is off by rounding: ask for their range.
    sd = float(filled.std()) if np.ptp(filled) > 0 else 1.0
    return NumberColumn(name, median, mean=float(filled.mean()), sd=sd)


def _fit_category(name: str, patients: Sequence[Values]) -> CategoryColumn:
    levels = {value for values in patients if isinstance(value := values.get(name), str)}
    return CategoryColumn(name, tuple(sorted(levels)))
