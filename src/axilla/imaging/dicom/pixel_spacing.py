"""The side of a pixel that a DICOM file declares, believed only where it is plausible."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from axilla.imaging.dicom.elements import Attributes
from axilla.records.errors import Problem

Remark = tuple[str, Problem]

_CENTIMETRES = 3
_MM_PER_CM = 10.0
# Breast scanners show 2 to 20 cm in some hundred rows; 1 mm is a placeholder of converters.
_MIN_PIXEL_MM, _MAX_PIXEL_MM = 0.01, 1.0
_NOT_SQUARE = 0.02
_OTHER_SCALE = 0.01
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")

Believed = tuple[float | None, tuple[Remark, ...]]


@dataclass(frozen=True, slots=True)
class Scale:
    """What a region says of its pixels: `units` are DICOM's codes (3: cm)."""

    units: tuple[int, int]
    x_cm: float
    y_cm: float


def scale_of(scales: Sequence[Scale], place: str) -> Believed:
    """Return the side of a pixel in mm on which all regions agree, or None and why."""
    found: list[float] = []
    for scale in scales:
        if scale.units != (_CENTIMETRES, _CENTIMETRES):
            return None, (doubt(place, "pixels that are not measured in cm"),)
        x_mm, y_mm = scale.x_cm * _MM_PER_CM, scale.y_cm * _MM_PER_CM
        side = _plausible(x_mm, y_mm)
        if side is None:
            return None, (doubt(place, _sides(x_mm, y_mm)),)
        found.append(side)
    if not found:
        return None, ()
    if max(found) > min(found) * (1 + _OTHER_SCALE):
        return None, (doubt(place, f"B-mode regions of {min(found):.4g} and {max(found):.4g} mm"),)
    return found[0], ()


def spacing_of(attributes: Attributes, place: str) -> Believed:
    """Return the side of a pixel of a file without regions, from the first spacing it declares."""
    for keyword in _SPACINGS:
        spacing = attributes.numbers(keyword)
        if len(spacing) != 2:  # noqa: PLR2004 - rows, columns
            continue
        side = _plausible(*spacing)
        return side, () if side else (doubt(place, _sides(*spacing)),)
    return None, ()


def doubt(place: str, found: str) -> Remark:
    """Return the remark on a scale that is not to be believed, or not without looking."""
    expected = f"square pixels of {_MIN_PIXEL_MM} to {_MAX_PIXEL_MM:g} mm in regions of this frame"
    remedy = "Compare with the ruler in the image; set ultrasound_pixel_mm in the table."
    return "calibration", Problem(place, found, expected, remedy)


def _plausible(x_mm: float, y_mm: float) -> float | None:
    """Return the mean side of a nearly square pixel of a size that scanners have, or None."""
    if min(x_mm, y_mm) <= 0:
        return None
    side = math.sqrt(x_mm) * math.sqrt(y_mm)
    square = abs(x_mm - y_mm) <= _NOT_SQUARE * side
    return side if square and _MIN_PIXEL_MM <= side < _MAX_PIXEL_MM else None


def _sides(x_mm: float, y_mm: float) -> str:
    return f"pixels of {x_mm:.4g} x {y_mm:.4g} mm"
