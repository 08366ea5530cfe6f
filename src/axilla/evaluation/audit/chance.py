"""How many figures a test set explains by chance: those of the same table, shifted at random."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.random import Generator

from axilla.evaluation.audit.interpretations import Windows
from axilla.evaluation.audit.matrices import weigh

_SHIFT: Final = 0.1  # figures stay in the neighbourhood of the printed ones
_DRAWS: Final = 100
_FEWEST_DRAWS: Final = 20
_WORK: Final = 1 << 16  # models x TP values of all draws together


@dataclass(frozen=True, slots=True)
class Chance:
    """Figures explained in `draws` shifted copies of a table: their mean and their greatest."""

    mean: float
    greatest: int
    draws: int


def explained_by_chance(windows: Windows, *, n: int, positives: int, rng: Generator) -> Chance:
    """Count what a test set explains of copies whose figures are moved by up to 0.1, each alone.

    Copies are as long and as finely printed as the table but fit no test set, so what is explained
    is what matrices of this size explain of anything. Large test sets are tried fewer times, at
    least 20.
    """
    models = len(windows.shown)
    draws = int(np.clip(_WORK // (models * (positives + 1)), _FEWEST_DRAWS, _DRAWS))
    totals = []
    for _ in range(draws):
        units = windows.scale // 2
        most = np.maximum((units * _SHIFT).astype(np.int64), 1)
        places = (windows.low + 1) // 2 + rng.integers(-most, most + 1)
        places = np.abs(places)
        places = np.where(places > units, 2 * units - places, places)
        moved = 2 * (places - (windows.low + 1) // 2)
        copy = replace(windows, low=windows.low + moved, high=windows.high + moved)
        totals.append(int(weigh(copy, n=n, positives=positives).explained.sum()))
    return Chance(float(np.mean(totals)), max(totals), draws)
