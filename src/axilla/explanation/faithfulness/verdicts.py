"""Verdicts on heatmaps by criteria fixed beforehand, and the table that the report shows.

The criteria, none of which was chosen after seeing a result:

- Deletion and insertion, against random orders and against edges: the 95 % interval of the paired
  difference of areas lies above 0. A map that random orders match says nothing about the model; a
  map that edges match says no more than the image does.
- Randomisation: the upper limit of the mean rank correlation between the maps of the model and of
  shuffled models lies below 0.5, with signs (whichever way round) and without. At 0.5 a quarter of
  the variance of the ranks is shared; maps as coarse as 7 x 7 of one image share some of it by
  their smoothness and the padding alone, so 0 cannot be asked for.
- Stability: the lower limit of the mean rank correlation under small changes lies above 0.5, the
  same mark from the other side: a small change of the image must cost less than all learning.
- Agreement with a second method is a finding, not a check: two methods may err alike, or answer
  two questions (Krishna et al., TMLR 2024).
- Where attention lies in the ultrasound image is a finding, not a check: no place is right.

Each criterion is judged by itself, at 95 %, and a method is as good as its worst check.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from axilla.explanation.faithfulness.faithfulness_scores import Measured, estimate_of
from axilla.records.estimate import Estimate
from axilla.records.table_columns import FAITHFULNESS
from axilla.records.types import ImageModality

MARK: Final = 0.5
NO_PREFERENCE: Final = 1.0

_RIVALS: Final = {"random": "random orders", "edges": "the image's edges"}
_DID: Final = {
    "deletion": "removing first what the map marks",
    "insertion": "showing first what the map marks",
}
_REGIONS: Final = {
    "lesion": "the lesion",
    "core": "the lesion without its rim",
    "rim_inside": "the rim inside the border",
    "rim_outside": "the rim outside the border",
    "surroundings": "what surrounds lesion and rim",
}
_KINDS: Final = {"positive": "what speaks for the outcome", "absolute": "all attention"}

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of one method on one modality; `passed` is None for findings, and without interval.

    `rival` is what the map is compared with, "" if with a fixed mark.
    """

    modality: ImageModality
    method: str
    check: str
    estimate: Estimate
    rival: str
    passed: bool | None
    note: str


def verdicts(measured: Sequence[Measured]) -> list[Verdict]:
    """Judge every method on every modality that was tested, in the order they came."""
    asked = dict.fromkeys((one.modality, one.method) for one in measured)
    return [
        verdict
        for modality, method in asked
        for verdict in _judge_all(
            [one for one in measured if (one.modality, one.method) == (modality, method)]
        )
    ]


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """Return results/faithfulness.csv: one row per verdict; `passed` is empty for findings."""
    rows = [
        (
            one.modality,
            one.method,
            one.check,
            one.estimate.value,
            one.estimate.low,
            one.estimate.high,
            one.estimate.n,
            one.passed,
            one.note,
        )
        for one in found
    ]
    return pd.DataFrame(rows, columns=list(FAITHFULNESS)).astype({"passed": "boolean"})


def _judge_all(mine: Sequence[Measured]) -> Iterator[Verdict]:
    for kind in _DID:
        for rival in _RIVALS:
            yield _contest(mine, kind, rival)
    for name, said in (("signed", "with signs"), ("absolute", "without signs")):
        yield _judge_correlation(
            mine, f"randomisation_{name}", "below", f"like maps of shuffled models, {said}"
        )
    for name, said in (("shift", "moved by 1/56 of its side"), ("brightness", "5 % darker")):
        yield _judge_correlation(
            mine, f"stability_{name}", "above", f"like maps of the image {said}"
        )
    for name in dict.fromkeys(name for one in mine for name in one.measures):
        if name.startswith("agreement_"):
            yield _agreement(mine, name)
    if any("lesion_area" in one.measures for one in mine):
        for region in _REGIONS:
            for kind in _KINDS:
                yield _finding(mine, region, kind)


def _contest(mine: Sequence[Measured], kind: str, rival: str) -> Verdict:
    """Judge the paired difference of areas between the map and a rival."""
    estimate = estimate_of(mine, f"{kind}_map", minus=f"{kind}_{rival}")
    own, other = (estimate_of(mine, f"{kind}_{who}").value for who in ("map", rival))
    passed = _beyond(estimate, 0.0, "above")
    if passed is None:
        said = "no verdict, too few patients or groups"
    elif passed:
        said = "passes"
    elif estimate.high < 0:
        said = f"FAILS: does worse than {_RIVALS[rival]}"
    else:
        said = f"FAILS: not shown to beat {_RIVALS[rival]}"
    moved = f"moves the logit by {own:z.2f} of its range, {_RIVALS[rival]} by {other:z.2f}"
    note = f"{said}; {_DID[kind]} {moved}"
    return _verdict(
        mine, f"{kind}_vs_{rival}", estimate, rival=_RIVALS[rival], passed=passed, note=note
    )


def _judge_correlation(mine: Sequence[Measured], measure: str, side: Side, said: str) -> Verdict:
    """Judge a mean rank correlation by the mark it has to stay above or below."""
    estimate = estimate_of(mine, measure)
    passed = _beyond(estimate, MARK, side)
    if passed is None:
        judged = "no verdict, too few patients or groups, or flat maps"
    else:
        judged = "passes" if passed else f"FAILS: the interval is not {side} {MARK}"
    flat = len({one.patient_id for one in mine}) - estimate.n
    left_out = f"; {flat} left out with flat maps" if flat else ""
    note = f"{judged}; rank correlation, {said}{left_out}"
    return _verdict(mine, measure, estimate, rival="", passed=passed, note=note)


def _agreement(mine: Sequence[Measured], measure: str) -> Verdict:
    """Report how alike the maps of two methods are; nothing is judged."""
    note = "finding; rank correlation over the cells of the coarser map"
    return _verdict(mine, measure, estimate_of(mine, measure), rival="", passed=None, note=note)


def _finding(mine: Sequence[Measured], region: str, kind: str) -> Verdict:
    """Report how much more attention a region gets than its area would; nothing is judged."""
    estimate = estimate_of(mine, f"{region}_{kind}")
    area = estimate_of(mine, f"{region}_area").value
    cells = estimate_of(mine, "rim_cells").value
    note = f"finding: {_KINDS[kind]} in {_REGIONS[region]} ({area:.0%} of the window), per area"
    if not np.isfinite(estimate.low):
        place = "no interval"
    elif estimate.low > NO_PREFERENCE:
        place = "more than its area"
    else:
        place = "less than its area" if estimate.high < NO_PREFERENCE else "as its area, or unclear"
    if region.startswith("rim") and cells < 1:
        place += f"; the rim is {cells:.1f} cells of the map wide, so neighbours blend"
    return _verdict(
        mine, f"{region}_{kind}", estimate, rival="area", passed=None, note=f"{note}: {place}"
    )


def _beyond(estimate: Estimate, mark: float, side: Side) -> bool | None:
    """Tell whether the whole interval lies on one side of a mark; None without an interval."""
    if not (np.isfinite(estimate.low) and np.isfinite(estimate.high)):
        return None
    return estimate.low > mark if side == "above" else estimate.high < mark


def _verdict(
    mine: Sequence[Measured],
    check: str,
    estimate: Estimate,
    *,
    rival: str,
    passed: bool | None,
    note: str,
) -> Verdict:
    return Verdict(mine[0].modality, mine[0].method, check, estimate, rival, passed, note)
