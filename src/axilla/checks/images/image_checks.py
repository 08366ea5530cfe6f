"""Checks of single images, of duplicates, of ROIs and masks, and of outliers in the cohort."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from axilla.checks.images.burned_in_text import meet
from axilla.checks.images.duplicates import MIRRORED, TURNED, Ties, find_copies
from axilla.checks.images.inspected_image import InspectedImage
from axilla.records.errors import Problem
from axilla.records.findings import Finding, Severity, warning
from axilla.records.roi_rectangle import Roi
from axilla.records.types import IMAGE_MODALITIES

# JPEG's noise on one flat gray stays below; the flattest sample image spreads over 60 levels.
_BLANK_LEVELS = 8
# A network input has 224 px a side; below 32 px nothing of a lesion is left.
_TINY_PX, _SMALL_PX = 32, 64
_PIXEL_MM_TOLERANCE = 0.05
# Sample: 0.25 and more, turned by a quarter all below -0.25.
_SIDEWAYS = -0.1
# Sample: -0.4 and more; 87 % of the images fall below once they are turned upside down.
_UPSIDE_DOWN = -0.6
# No pixel of the sample is coloured; a line of 1 px across an image is some 0.2 %.
_COLOURED = 0.001
# Sample: at most 0.29; two images side by side have 0.55 and more.
_SEAM = 0.4
# Sample: 0.60 and more; pieces of bare glass cut from it have 0.23 and less.
_LITTLE_TISSUE = 0.3
_NAMED = 4
_TURNS = {"ultrasound": MIRRORED, "pathology": TURNED}
# Shares of the image: the sample's 211 lesions cover 1.2 to 52 %. Below 0.3 % a rectangle is
# more likely a slip of the mouse, above 90 % the whole frame.
_SMALL_SHARE, _LARGE_SHARE = 0.003, 0.9
# Longer sides: smaller lesions are not biopsied under ultrasound, larger ones do not fit the
# probe (its footprint is 40 to 60 mm, and panoramic images are rare).
_SMALL_MM, _LARGE_MM = 3.0, 80.0
# Blown up to 224 px, fewer pixels than these show no texture.
_SMALL_ROI_PX = 16
_AGREEMENT = 0.5
_MAGNIFICATION_FACTOR = 1.5
# Sharpness (see there): no sharp image of the sample lies below the first, none below the second
# that was not blurred by a Gaussian of 2 px or more.
_MAY_BE_BLURRED, _BLURRED_ANYWHERE = -0.4, -0.62
_FEWEST = 10
_DEVIATIONS, _LEAST_DEVIATION = 4.0, 0.04
_MAD_TO_SD = 1.4826


def judge_picture(look: InspectedImage) -> Iterator[Finding]:
    """Yield what is wrong with the image itself, and what its file declares."""
    yield from _remarks(look)
    yield from _size(look)
    if is_blank(look):
        yield finding(
            look,
            "image_blank",
            f"gray values that differ by {look.measures.spread_levels:.0f} of 255 levels",
            expected=f"an image with differences of at least {_BLANK_LEVELS} levels",
            remedy="Export the image again.",
            severity="error",
        )
        return
    yield from _scale(look)
    yield from _contents(look)


def is_blank(look: InspectedImage) -> bool:
    """Tell whether the image shows nothing."""
    return look.measures.spread_levels < _BLANK_LEVELS


def finding(
    look: InspectedImage,
    code: str,
    found: str,
    *,
    expected: str,
    remedy: str,
    severity: Severity = "warning",
) -> Finding:
    """Return a finding on one image, at the cell that lists it."""
    problem = Problem(look.cell.place, f"{look.cell.text!r}, {found}", expected, remedy)
    return Finding(code, severity, problem, (look.patient_id,))


def _remarks(look: InspectedImage) -> Iterator[Finding]:
    for code, problem in look.measures.remarks:
        found = f"{look.cell.text!r}, {problem.found}"
        there = replace(problem, place=look.cell.place, found=found)
        yield warning(code, there, patients=(look.patient_id,))


def _size(look: InspectedImage) -> Iterator[Finding]:
    side = min(look.width_px, look.height_px)
    if side >= _SMALL_PX:
        return
    yield finding(
        look,
        "image_tiny",
        f"{look.width_px} x {look.height_px} px",
        expected=f"at least {_TINY_PX} px a side, better {_SMALL_PX} and more",
        remedy="Export the image at its full size; a thumbnail may have been saved instead.",
        severity="error" if side < _TINY_PX else "warning",
    )


def _scale(look: InspectedImage) -> Iterator[Finding]:
    table_mm, file_mm = look.file.pixel_mm, look.measures.pixel_mm
    if not table_mm or not file_mm or abs(table_mm / file_mm - 1) <= _PIXEL_MM_TOLERANCE:
        return
    yield finding(
        look,
        "pixel_mm_conflict",
        f"ultrasound_pixel_mm {table_mm:.4g} in the table, {file_mm:.4g} in the file",
        expected=f"the same size of a pixel, within {_PIXEL_MM_TOLERANCE:.0%}",
        remedy="Measure a scale bar; correct the table, or clear its cell to use the file's.",
    )


def _contents(look: InspectedImage) -> Iterator[Finding]:
    declared = {code for code, _ in look.measures.remarks}
    for about in (_orientation, _colour, _lettering, _seam, _tissue):
        yield from (one for one in about(look) if one.code not in declared)


def _orientation(look: InspectedImage) -> Iterator[Finding]:
    seen = look.measures
    if seen.flatness is None or seen.uprightness is None:
        return
    if seen.flatness < _SIDEWAYS:
        found = f"speckle that stands upright (flatness {seen.flatness:.2f})"
        expected = f"speckle that lies flat, above {_SIDEWAYS:g}: the skin at the top"
    elif seen.uprightness < _UPSIDE_DOWN:
        found = f"darker and coarser at the top than at the bottom ({seen.uprightness:.2f})"
        expected = f"the skin at the top, above {_UPSIDE_DOWN:g}"
    else:
        return
    remedy = "Look at the image; turn it (and its mask) so that the skin is at the top."
    yield finding(look, "image_orientation", found, expected=expected, remedy=remedy)


def _colour(look: InspectedImage) -> Iterator[Finding]:
    share = look.measures.coloured_share
    if share is not None and share > _COLOURED:
        yield finding(
            look,
            "colour_in_bmode",
            f"{share:.1%} of the pixels in colour",
            expected=f"a gray B-mode image (at most {_COLOURED:.1%})",
            remedy="Use a frame without Doppler, elastography or drawings.",
        )


def _lettering(look: InspectedImage) -> Iterator[Finding]:
    lines = look.measures.lines
    if not lines:
        return
    roi = look.roi
    inside = sum(1 for line in lines if roi and meet(line.box, roi))
    longest = lines[0]
    found = f"{len(lines)} rows of letters" if len(lines) > 1 else "a row of letters"
    found += f", the longest of {longest.letters} at {longest.box.left_px}, {longest.box.top_px} px"
    yield finding(
        look,
        "burned_in_text",
        f"{found}; {inside} inside the ROI" if inside else found,
        expected="an image without lettering",
        remedy="See that no name is written there, nor anything that gives the outcome away; "
        "export without annotations.",
    )


def _seam(look: InspectedImage) -> Iterator[Finding]:
    seam = look.measures.seam
    if seam is not None and seam > _SEAM:
        yield finding(
            look,
            "split_screen",
            f"an edge from top to bottom in {seam:.0%} of the rows of its middle",
            expected=f"one image (at most {_SEAM:.0%})",
            remedy="Cut out the image that shows the lesion.",
        )


def _tissue(look: InspectedImage) -> Iterator[Finding]:
    share = look.measures.tissue_share
    if share is not None and share < _LITTLE_TISSUE:
        yield finding(
            look,
            "low_tissue",
            f"tissue on {share:.0%} of the image",
            expected=f"at least {_LITTLE_TISSUE:.0%}",
            remedy="Photograph a part of the section that holds tumour.",
        )


def judge_repeats(looks: Sequence[InspectedImage]) -> Iterator[Finding]:
    """Yield one finding per set of images that show the same.

    Files of the same bytes are the same; of the others, those that `find_copies` ties together.
    An error if the patients are of different groups: the image may train and test one model.
    """
    tied = Ties(len(looks))
    once: dict[object, int] = {}
    for position, look in enumerate(looks):
        tied.tie(once.setdefault((look.digest, look.file.frame), position), position)
    for modality, turns in _TURNS.items():
        mine = [
            position
            for position in once.values()
            if looks[position].modality == modality and not is_blank(looks[position])
        ]
        if len(mine) > 1:
            thumbnails = np.stack([looks[position].measures.thumbnail for position in mine])
            for pair in find_copies(thumbnails, turns=turns):
                tied.tie(mine[pair.first], mine[pair.second])
    sets = defaultdict(list)
    for position, look in enumerate(looks):
        sets[tied.root(position)].append(look)
    for alike in sets.values():
        if len(alike) > 1:
            yield _repeat(alike)


def _repeat(alike: Sequence[InspectedImage]) -> Finding:
    groups = {look.group for look in alike}
    patients = tuple(dict.fromkeys(look.patient_id for look in alike))
    outcomes = {look.label for look in alike if look.label is not None}
    found = f"the same picture as {_name_others(alike[1:])}"
    if len(outcomes) > 1:
        found += ", with different outcomes"
    about = finding(
        alike[0],
        "image_duplicate" if len(groups) > 1 else "image_repeated",
        found,
        expected="an image of its own for every patient"
        if len(patients) > 1
        else "different images of a patient",
        remedy="Find out whose image it is and remove the others; if it is one person, make it "
        "one row or one group."
        if len(groups) > 1
        else "Remove all but one, if they add nothing.",
        severity="error" if len(groups) > 1 else "warning",
    )
    return Finding(about.code, about.severity, about.problem, patients)


def _name_others(others: Sequence[InspectedImage]) -> str:
    named = [f"{look.cell.text!r} of {look.patient_id}" for look in others[:_NAMED]]
    more = len(others) - _NAMED
    return ", ".join([*named, f"and {more} more"] if more > 0 else named)


def judge_region(look: InspectedImage) -> Iterator[Finding]:
    """Yield whether the ROI is implausibly small or large, or not where the mask is."""
    roi = look.roi
    if roi is None:
        return
    share = roi.width_px * roi.height_px / (look.width_px * look.height_px)
    longer_mm = max(roi.width_px, roi.height_px) * _pixel_mm(look)
    size = f"an ROI of {roi.width_px} x {roi.height_px} px, {share:.1%} of the image"
    size += f", {longer_mm:.1f} mm long" if longer_mm else ""
    narrow = min(roi.width_px, roi.height_px) < _SMALL_ROI_PX
    if share < _SMALL_SHARE or narrow or 0 < longer_mm < _SMALL_MM:
        yield finding(
            look,
            "roi_small",
            size,
            expected=f"at least {_SMALL_SHARE:.1%}, {_SMALL_ROI_PX} px a side and {_SMALL_MM:g} mm",
            remedy="Draw the ROI around the whole lesion, in pixels of the original image.",
        )
    if share > _LARGE_SHARE or longer_mm > _LARGE_MM:
        yield finding(
            look,
            "roi_large",
            size,
            expected=f"at most {_LARGE_SHARE:.0%} of the image and {_LARGE_MM:g} mm",
            remedy="Draw the ROI around the lesion only; check the size of a pixel.",
        )
    yield from _conflict(look)


def _pixel_mm(look: InspectedImage) -> float:
    """Return the side of a pixel, 0 if it is not known."""
    return look.file.pixel_mm or look.measures.pixel_mm or 0.0


def _conflict(look: InspectedImage) -> Iterator[Finding]:
    if look.file.roi is None or look.marked is None:
        return
    overlap = overlap_of(look.file.roi, look.marked.box)
    if overlap >= _AGREEMENT:
        return
    yield finding(
        look,
        "roi_conflict",
        f"ROI {look.file.roi} and mask {look.marked.box} (left, top, width, height) that share "
        f"{overlap:.0%} of their area",
        expected=f"an ROI around the mask's lesion (at least {_AGREEMENT:.0%} shared)",
        remedy="Look which of them marks the lesion; correct or clear the other.",
    )


def overlap_of(one: Roi, other: Roi) -> float:
    """Return the area that two rectangles share over the area that they cover together."""
    width = min(one.right_px, other.right_px) - max(one.left_px, other.left_px)
    height = min(one.bottom_px, other.bottom_px) - max(one.top_px, other.top_px)
    shared = max(width, 0) * max(height, 0)
    both = one.width_px * one.height_px + other.width_px * other.height_px
    return shared / (both - shared)


def judge_beside_others(looks: Sequence[InspectedImage]) -> Iterator[Finding]:
    """Yield the images that are blurred, or magnified otherwise than the rest."""
    for modality in IMAGE_MODALITIES:
        mine = [look for look in looks if look.modality == modality and not is_blank(look)]
        yield from _blur(mine)
    yield from _magnification([look for look in looks if look.modality == "pathology"])


def _blur(looks: Sequence[InspectedImage]) -> Iterator[Finding]:
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


def _magnification(looks: Sequence[InspectedImage]) -> Iterator[Finding]:
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
