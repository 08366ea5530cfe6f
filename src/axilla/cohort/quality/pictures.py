"""What is wrong with one image, whatever the others look like."""

from collections.abc import Iterator
from dataclasses import replace

from axilla.cohort.findings import Finding, Severity, warning
from axilla.cohort.quality.look import Look
from axilla.records.errors import Problem

# JPEG's noise on one flat gray stays below; the flattest sample image spreads over 60 levels.
_BLANK_LEVELS = 8
# A network input has 224 px a side; below 32 px nothing of a lesion is left.
_TINY_PX, _SMALL_PX = 32, 64
_PIXEL_MM_TOLERANCE = 0.05


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
