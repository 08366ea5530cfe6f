"""Which cases are read, in which order, under which codes, and which maps are decoys.

Cases are a simple random sample of the patients with heatmaps, as in the paper: no strata, so that
shares of the sample estimate those of the cohort. Every case is shown with its real map. A random
share of them is shown a second time with a decoy, so that each decoy has its own case as control.
A reader may remember a case (carry-over). Therefore the two showings have different codes and
stand in the first and the last third of the order; which map comes first is real for one half of
the cases and decoy for the other, and the other way round for the next reader; and agreement
between readers is told from real maps only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from numpy.random import Generator

from axilla.records.types import ImageModality

MapKind = Literal["real", "decoy"]

_FEWEST_DIGITS: Final = 2


@dataclass(frozen=True, slots=True)
class EligiblePatient:
    """A patient who can be drawn: modalities with a map, and those with a usable decoy too."""

    shown: tuple[ImageModality, ...]
    decoys: tuple[ImageModality, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseShowing:
    """One showing of a case under its code."""

    case: str
    patient_id: str
    map: MapKind
    modalities: tuple[ImageModality, ...]


@dataclass(frozen=True, slots=True)
class SampledCases:
    """The showings in the order of their codes, and each reader's order of codes."""

    items: tuple[CaseShowing, ...]
    orders: Mapping[str, tuple[str, ...]]


def draw_cases(
    candidates: Mapping[str, EligiblePatient],
    *,
    cases: int,
    readers: int,
    decoy_share: float,
    rng: Generator,
) -> SampledCases:
    """Draw cases, decoys, codes and orders; all candidates if there are no more than `cases`."""
    known = sorted(candidates)
    chosen = [known[i] for i in rng.permutation(len(known))[:cases]]
    able = [patient for patient in chosen if candidates[patient].decoys]
    many = min(int(decoy_share * len(chosen) + 0.5), len(able), len(chosen) // 2)
    doubled = [able[i] for i in rng.permutation(len(able))[:many]]
    showings: list[tuple[str, MapKind, tuple[ImageModality, ...]]] = [
        *((patient, "real", candidates[patient].shown) for patient in chosen),
        *((patient, "decoy", candidates[patient].decoys) for patient in doubled),
    ]
    digits = max(_FEWEST_DIGITS, len(str(len(showings))))
    items = tuple(
        CaseShowing(f"C{number:0{digits}d}", *showings[i])
        for number, i in enumerate(rng.permutation(len(showings)), start=1)
    )
    orders = {f"R{k + 1}": _order(items, doubled, reader=k, rng=rng) for k in range(readers)}
    return SampledCases(items, orders)


def _order(
    items: Sequence[CaseShowing], doubled: Sequence[str], *, reader: int, rng: Generator
) -> tuple[str, ...]:
    """Deal the showings out: those of one case into the first and the last third."""
    code = {(item.patient_id, item.map): item.case for item in items}
    third = len(items) // 3
    early = rng.permutation(third)[: len(doubled)]
    late = len(items) - 1 - rng.permutation(third)[: len(doubled)]
    placed: dict[int, str] = {}
    for k, patient in enumerate(doubled):
        kinds: tuple[MapKind, MapKind] = ("real", "decoy")
        first, second = kinds if (k + reader) % 2 else kinds[::-1]
        placed[int(early[k])] = code[patient, first]
        placed[int(late[k])] = code[patient, second]
    single = [item.case for item in items if item.patient_id not in set(doubled)]
    rest = iter([single[i] for i in rng.permutation(len(single))])
    return tuple(placed[place] if place in placed else next(rest) for place in range(len(items)))
