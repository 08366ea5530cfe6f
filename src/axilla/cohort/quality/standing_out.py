"""Images that differ from the rest of their cohort."""

from collections.abc import Iterator, Sequence
from statistics import median

from axilla.cohort.findings import Finding
from axilla.cohort.quality.look import Look
from axilla.cohort.quality.pictures import finding

_MAGNIFICATION_FACTOR = 1.5


def judge_beside_others(looks: Sequence[Look]) -> Iterator[Finding]:
    """Yield the images whose magnification differs from the cohort's."""
    yield from _magnification([look for look in looks if look.modality == "pathology"])


def _magnification(looks: Sequence[Look]) -> Iterator[Finding]:
    """Compare images that are used whole; tiles are cut at one resolution anyway."""
    known = [(look, look.file.mpp) for look in looks if look.file.mpp and not look.file.tile]
    if not known:
        return
    usual = median(mpp for _, mpp in known)
    for look, mpp in known:
        if max(mpp / usual, usual / mpp) > _MAGNIFICATION_FACTOR:
            yield finding(
                look,
                "magnification",
                f"{mpp:.3g} um per pixel",
                expected=f"about {usual:.3g}, the cohort's median, within a factor of "
                f"{_MAGNIFICATION_FACTOR:g}",
                remedy="Check the objective; photograph at one magnification, or let axilla cut "
                "tiles of one resolution (tiles.microscope).",
            )
