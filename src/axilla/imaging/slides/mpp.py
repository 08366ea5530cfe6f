"""How large a pixel of a slide is, and whether the tiles asked for suit it."""

from collections.abc import Mapping
from pathlib import Path

from axilla.imaging.slides.slide_pool import unreadable_slide
from axilla.records.errors import Problem

_SIDES = ("openslide.mpp-x", "openslide.mpp-y")
_SMALLEST_UM, _LARGEST_UM = 0.05, 20.0
_TOLERATED_FINER = 1.25
_TOLERATED_CONFLICT = 1.1

Remark = tuple[str, Problem]


def scan_resolution(
    properties: Mapping[str, str], *, path: Path, mpp: float | None
) -> tuple[float, tuple[Remark, ...]]:
    """Return micrometres per pixel of the scan, and a remark if the table says otherwise.

    The slide's own value counts; the table's `mpp` stands in where the slide has none that is
    plausible (0.05 to 20 um). Raises `UnreadableImage` if neither knows.
    """
    sides = [as_um(properties.get(name)) for name in _SIDES]
    known = [side for side in sides if side is not None]
    if not known:
        if mpp is None:
            raise unreadable_slide(
                path,
                "a slide that does not say how large its pixels are",
                remedy="Give micrometres per pixel in column pathology_mpp.",
            )
        return mpp, ()
    own = sum(known) / len(known)
    if mpp is None or max(own / mpp, mpp / own) <= _TOLERATED_CONFLICT:
        return own, ()
    problem = Problem(
        path.name,
        f"{own:.3g} um per pixel in the slide, {mpp:.3g} in pathology_mpp",
        "one resolution",
        "The slide's own value is used; empty the cell, or correct it.",
    )
    return own, (("magnification", problem),)


def as_um(text: str | None) -> float | None:
    """Return a plausible side of a pixel in um, or none."""
    try:
        side = float(text or "")
    except ValueError:
        return None
    return side if _SMALLEST_UM <= side <= _LARGEST_UM else None


def magnification_remark(name: str, *, mpp: float, um_per_px: float) -> Remark | None:
    """Return a remark if tiles are to be more than 25 % finer than the image `name` was taken."""
    if mpp <= um_per_px * _TOLERATED_FINER:
        return None
    problem = Problem(
        name,
        f"a pixel of {mpp:.3g} um",
        f"pixels of at most {um_per_px * _TOLERATED_FINER:.3g} um for tiles of {um_per_px:.3g} um",
        "Its tiles are enlarged and hold less detail than others; raise tiles.um_per_px, or scan "
        "at a higher magnification.",
    )
    return "magnification", problem
