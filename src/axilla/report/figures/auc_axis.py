"""The axis that forest plots of AUCs share: from below chance, where an interval reaches, to 1."""

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from axilla.records.estimate import Estimate
from axilla.report.figures.palette import MUTED

CHANCE: Final = 0.5
_WIDE: Final = 0.2  # an axis that begins here or lower has room for every second tick only


def frame_auc_axis(axes: Axes, known: Sequence[Estimate], *, rows: float) -> None:
    """Scale, tick and rule `axes` for estimates on `rows` rows, the first row on top."""
    lows = [auc.low if math.isfinite(auc.low) else auc.value for auc in known]
    left = min(CHANCE, math.floor(min(lows, default=CHANCE) * 20) / 20)
    axes.set_xlim(left, 1.0)
    axes.set_ylim(rows - 0.5, -0.5)
    step = 0.1 if left > _WIDE else 0.2
    count = math.floor((1.0 - left) / step + 1e-9)
    ticks = [1.0 - step * index for index in range(count, -1, -1)]
    axes.set_xticks(ticks, [f"{tick:.1f}" for tick in ticks])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.axvline(CHANCE, color=MUTED, linewidth=0.8, zorder=1)
    axes.set_xlabel("AUC (0.5 = chance)")
