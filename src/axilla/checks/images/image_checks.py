"""What is wrong with one image, whatever the others look like."""

from collections.abc import Iterator
from dataclasses import replace

from axilla.checks.images.burned_in_text import meet
from axilla.checks.images.look import Look
from axilla.records.errors import Problem
from axilla.records.findings import Finding, Severity, warning

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


def judge_picture(look: Look) -> Iterator[Finding]:
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


def is_blank(look: Look) -> bool:
    """Tell whether the image shows nothing."""
    return look.measures.spread_levels < _BLANK_LEVELS


def finding(
    look: Look, code: str, found: str, *, expected: str, remedy: str, severity: Severity = "warning"
) -> Finding:
    """Return a finding on one image, at the cell that lists it."""
    problem = Problem(look.cell.place, f"{look.cell.text!r}, {found}", expected, remedy)
    return Finding(code, severity, problem, (look.patient_id,))


def _remarks(look: Look) -> Iterator[Finding]:
    for code, problem in look.measures.remarks:
        found = f"{look.cell.text!r}, {problem.found}"
        there = replace(problem, place=look.cell.place, found=found)
        yield warning(code, there, patients=(look.patient_id,))


def _size(look: Look) -> Iterator[Finding]:
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


def _scale(look: Look) -> Iterator[Finding]:
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


def _contents(look: Look) -> Iterator[Finding]:
    declared = {code for code, _ in look.measures.remarks}
    for about in (_orientation, _colour, _lettering, _seam, _tissue):
        yield from (one for one in about(look) if one.code not in declared)


def _orientation(look: Look) -> Iterator[Finding]:
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


def _colour(look: Look) -> Iterator[Finding]:
    share = look.measures.coloured_share
    if share is not None and share > _COLOURED:
        yield finding(
            look,
            "colour_in_bmode",
            f"{share:.1%} of the pixels in colour",
            expected=f"a gray B-mode image (at most {_COLOURED:.1%})",
            remedy="Use a frame without Doppler, elastography or drawings.",
        )


def _lettering(look: Look) -> Iterator[Finding]:
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


def _seam(look: Look) -> Iterator[Finding]:
    seam = look.measures.seam
    if seam is not None and seam > _SEAM:
        yield finding(
            look,
            "split_screen",
            f"an edge from top to bottom in {seam:.0%} of the rows of its middle",
            expected=f"one image (at most {_SEAM:.0%})",
            remedy="Cut out the image that shows the lesion.",
        )


def _tissue(look: Look) -> Iterator[Finding]:
    share = look.measures.tissue_share
    if share is not None and share < _LITTLE_TISSUE:
        yield finding(
            look,
            "low_tissue",
            f"tissue on {share:.0%} of the image",
            expected=f"at least {_LITTLE_TISSUE:.0%}",
            remedy="Photograph a part of the section that holds tumour.",
        )
