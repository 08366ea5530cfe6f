"""Images that differ from the rest of their cohort."""

from collections.abc import Iterator, Sequence
from statistics import median

from axilla.checks.images.image_checks import finding, is_blank
from axilla.checks.images.look import Look
from axilla.records.findings import Finding
from axilla.records.types import IMAGE_MODALITIES

_MAGNIFICATION_FACTOR = 1.5
# Sharpness (see there): no sharp image of the sample lies below the first, none below the second
# that was not blurred by a Gaussian of 2 px or more.
_MAY_BE_BLURRED, _BLURRED_ANYWHERE = -0.4, -0.62
_FEWEST = 10
_DEVIATIONS, _LEAST_DEVIATION = 4.0, 0.04
_MAD_TO_SD = 1.4826


def judge_beside_others(looks: Sequence[Look]) -> Iterator[Finding]:
    """Yield the images that are blurred, or magnified otherwise than the rest."""
    for modality in IMAGE_MODALITIES:
        mine = [look for look in looks if look.modality == modality and not is_blank(look)]
        yield from _blur(mine)
    yield from _magnification([look for look in looks if look.modality == "pathology"])


def _blur(looks: Sequence[Look]) -> Iterator[Finding]:
    """Scanners and stains differ: an image is blurred below its own cohort's range, or by far."""
    values = [look.measures.sharpness for look in looks]
    lowest = _BLURRED_ANYWHERE
    if len(values) >= _FEWEST:
        usual = median(values)
        deviation = _MAD_TO_SD * median(abs(value - usual) for value in values)
        own = usual - _DEVIATIONS * max(deviation, _LEAST_DEVIATION)
        lowest = max(lowest, min(own, _MAY_BE_BLURRED))
    for look in looks:
        if look.measures.sharpness < lowest:
            yield finding(
                look,
                "image_blurred",
                f"sharpness {look.measures.sharpness:.2f}",
                expected=f"at least {lowest:.2f}, by the other images of this cohort",
                remedy="Look at the image; export or photograph it again, or leave it out.",
            )


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
