"""Checks of arrays that a caller passes: one sentence that names the argument, or clean arrays."""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from axilla.records.arrays import FloatArray, IntArray


def check_labels(name: str, values: ArrayLike) -> IntArray:
    """Return labels of 0 and 1 as integers (n,); raise `ValueError` for anything else."""
    array = _check_1d(name, values)
    if array.dtype == np.bool_:
        return array.astype(np.int64)
    numbers = _check_numbers(name, array, expected="0 and 1, or booleans")
    if strange := sorted({float(number) for number in numbers} - {0.0, 1.0}):
        found = ", ".join(f"{number:g}" for number in strange[:3])
        raise ValueError(f"{name} must hold 0 and 1, or booleans; it holds {found}.")
    return numbers.astype(np.int64)


def check_scores(name: str, values: ArrayLike) -> FloatArray:
    """Return finite numbers (n,); raise `ValueError` for anything else."""
    return _check_numbers(name, _check_1d(name, values), expected="finite numbers")


def check_probabilities(name: str, values: ArrayLike) -> FloatArray:
    """Return numbers (n,) from 0 to 1; raise `ValueError` for anything else."""
    numbers = check_scores(name, values)
    low, high = float(numbers.min()), float(numbers.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} must hold probabilities from 0 to 1; it goes from {low:g} to {high:g}."
        )
    return numbers


def check_groups(name: str, values: ArrayLike | None, *, n: int) -> IntArray:
    """Return the number of each patient's group (n,) from 0; without groups each is its own."""
    if values is None:
        return np.arange(n, dtype=np.int64)
    array = _check_1d(name, values)
    if (missing := int(pd.isna(array).sum())) > 0:
        raise ValueError(f"{name} must name a group for every patient; {missing} have none.")
    return pd.factorize(array)[0].astype(np.int64)


def check_lengths(arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Raise `ValueError` unless all arrays have the same length."""
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(array)}" for name, array in arrays.items())
        raise ValueError(f"All arguments must have one value per patient: {lengths}.")


def _check_1d(name: str, values: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension; its shape is {array.shape}.")
    if not len(array):
        raise ValueError(f"{name} is empty.")
    return array


def _check_numbers(name: str, array: NDArray[np.generic], *, expected: str) -> FloatArray:
    if array.dtype.kind not in "biuf":
        with suppress(TypeError, ValueError):  # numbers in an array of objects
            array = array.astype(np.float64) if array.dtype == object else array
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold {expected}; it holds {array[0]!r}.")
    numbers = array.astype(np.float64)
    if (strange := int((~np.isfinite(numbers)).sum())) > 0:
        raise ValueError(
            f"{name} must hold {expected}; {strange} of {len(numbers)} are not finite."
        )
    return numbers
