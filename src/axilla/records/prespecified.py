"""Which models of a study one follows: what its folds chose, and the fusion named in advance."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from axilla.records.types import SELECTED, TRIVIAL

HEADLINE_FUSION: Final = "multilayer"
"""The strategy that the paper reports, fixed before any result is seen."""


def followed_models(models: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return, of models and their kinds, the names of those that no hindsight picked, in order.

    Chosen by inner folds, the headline fusion, or the only model of its modality. Without any of
    these, as in predictions from elsewhere, all models.
    """
    names = [name for name, kind in models if kind != "reader"]
    rivals = Counter(_family(name) for name in names if _stem(name) not in (SELECTED, TRIVIAL))
    followed = tuple(
        name
        for name in names
        if _stem(name) == SELECTED
        or name == HEADLINE_FUSION
        or (rivals[_family(name)] == 1 and "/" in name and _stem(name) != TRIVIAL)
    )
    return followed or tuple(names)


def _family(name: str) -> str:
    return name.rpartition("/")[0]


def _stem(name: str) -> str:
    return name.rpartition("/")[2]
