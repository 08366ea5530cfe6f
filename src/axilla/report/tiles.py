"""The headline numbers, each with its interval on one common axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from axilla.records.estimate import Estimate
from axilla.records.prespecified import HEADLINE_FUSION
from axilla.report.reported_models import FAMILY_TITLES, FamilyKey
from axilla.report.tables.family_summary import Scored, Standing

_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline number and what it is of."""

    title: str
    label: str
    family: FamilyKey
    auc: Estimate


def tile_of(standing: Standing, scored: Scored) -> Tile:
    """Return a model's tile; a model picked after the fact is called best."""
    name = FAMILY_TITLES[standing.family]
    named_before = scored.entry.chosen or scored.entry.name == HEADLINE_FUSION
    picked = len(standing.models) > 1 and not named_before
    title = f"Best {name.lower()}" if picked else name
    return Tile(title, scored.entry.label, standing.family, scored.auc)


def scale_of(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Return the common axis of the tiles' strips: from chance, or lower, to one."""
    lows = [tile.auc.low for tile in tiles if math.isfinite(tile.auc.low)]
    return math.floor(min([_CHANCE, *lows]) * 10) / 10, 1.0
