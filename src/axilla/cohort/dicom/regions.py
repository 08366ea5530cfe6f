"""The B-mode part of a frame and the side of its pixels, as the scanner declares them.

Source: DICOM PS3.3, C.8.5.5 (US Region Calibration Module).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from axilla.cohort.dicom.attributes import Attributes
from axilla.cohort.dicom.layout import Layout
from axilla.records.errors import Problem
from axilla.records.roi import Roi

Remark = tuple[str, Problem]

_TWO_D, _M_MODE, _SPECTRAL = 1, 2, 3
_TISSUE = 1
_DOPPLER_DATA = range(2, 9)  # colour flow, PW and CW Doppler, Doppler traces
_CENTIMETRES = 3
_MM_PER_CM = 10.0
# Breast scanners show 2 to 20 cm in some hundred rows; a deep abdominal view has 0.5 mm.
_MIN_PIXEL_MM, _MAX_PIXEL_MM = 0.01, 1.0
_NOT_SQUARE = 0.02
_OTHER_SCALE = 0.01
# Scanners disagree whether the last column belongs to the region.
_LAST_COLUMN_PX = 1
# Regions that overlap by more than this share of the smaller one show the same picture.
_SAME_PICTURE = 0.5
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True)
class Regions:
    """B-mode `parts` of the frame (none: not declared), the side of a pixel, and remarks."""

    parts: tuple[Roi, ...]
    pixel_mm: float | None
    remarks: tuple[Remark, ...]

    @property
    def whole(self) -> Roi | None:
        """Smallest rectangle around all parts."""
        if not self.parts:
            return None
        left = min(part.left_px for part in self.parts)
        top = min(part.top_px for part in self.parts)
        right = max(part.right_px for part in self.parts)
        bottom = max(part.bottom_px for part in self.parts)
        return Roi(left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class _Region:
    roi: Roi | None
    """Clipped to the frame; None where nothing is left of it."""
    beyond_x: bool
    beyond_y: bool
    spatial: int
    data: int
    units: tuple[int, int]
    deltas: tuple[float, float]


def regions_in(attributes: Attributes, layout: Layout, *, place: str) -> Regions:
    """Return the B-mode regions, clipped to the frame, and `pixel_mm` where it is plausible."""
    declared = [_region(item, layout) for item in attributes.items("SequenceOfUltrasoundRegions")]
    remarks = list(_doppler(declared, place))
    usable = [region for region in declared if not (region.beyond_x and region.beyond_y)]
    flat = [region for region in usable if region.spatial == _TWO_D and region.roi]
    chosen = [region for region in flat if region.data == _TISSUE] or [
        region for region in flat if region.data in (0, *_DOPPLER_DATA)
    ]
    parts = _distinct([region.roi for region in chosen if region.roi])
    if len(parts) > 1:
        remarks.append(("split_screen", _split_screen(parts, place)))
    if chosen:
        pixel_mm, doubts = _calibration(chosen, layout, place)
    elif any(region.spatial == _TWO_D for region in declared):
        # Cropping moves one edge or two; what is too large both ways was drawn before resizing.
        pixel_mm, doubts = None, [_doubt(place, f"B-mode regions {_outside(layout)}")]
    else:
        pixel_mm, doubts = _spacing(attributes, place)
    return Regions(tuple(parts), pixel_mm, (*remarks, *doubts))


def _region(item: Attributes, layout: Layout) -> _Region:
    left, top = item.whole("RegionLocationMinX0"), item.whole("RegionLocationMinY0")
    right = item.whole("RegionLocationMaxX1") + 1
    bottom = item.whole("RegionLocationMaxY1") + 1
    width = min(right, layout.width_px) - max(left, 0)
    height = min(bottom, layout.height_px) - max(top, 0)
    return _Region(
        roi=Roi(max(left, 0), max(top, 0), width, height) if min(width, height) > 1 else None,
        beyond_x=left < 0 or right > layout.width_px + _LAST_COLUMN_PX,
        beyond_y=top < 0 or bottom > layout.height_px + _LAST_COLUMN_PX,
        spatial=item.whole("RegionSpatialFormat"),
        data=item.whole("RegionDataType"),
        units=(item.whole("PhysicalUnitsXDirection"), item.whole("PhysicalUnitsYDirection")),
        deltas=(item.number("PhysicalDeltaX") or 0.0, item.number("PhysicalDeltaY") or 0.0),
    )


def _doppler(declared: Sequence[_Region], place: str) -> Iterator[Remark]:
    found = []
    if any(region.spatial == _TWO_D and region.data == _DOPPLER_DATA[0] for region in declared):
        found.append("colour flow")
    if any(region.spatial == _M_MODE for region in declared):
        found.append("M-mode")
    if any(region.spatial == _SPECTRAL or region.data in _DOPPLER_DATA[1:] for region in declared):
        found.append("spectral Doppler")
    if found:
        remedy = "Choose a plain B-mode image, or accept this finding."
        yield "doppler", Problem(place, f"regions of {' and '.join(found)}", "B-mode only", remedy)


def _distinct(rois: Sequence[Roi]) -> list[Roi]:
    """Return the regions, largest first, without those that mostly lie in a larger one."""
    kept: list[Roi] = []
    for roi in sorted(rois, key=lambda r: r.width_px * r.height_px, reverse=True):
        area = roi.width_px * roi.height_px
        if all(_shared(roi, other) <= _SAME_PICTURE * area for other in kept):
            kept.append(roi)
    return kept


def _shared(one: Roi, other: Roi) -> int:
    width = min(one.right_px, other.right_px) - max(one.left_px, other.left_px)
    height = min(one.bottom_px, other.bottom_px) - max(one.top_px, other.top_px)
    return max(width, 0) * max(height, 0)


def _split_screen(parts: Sequence[Roi], place: str) -> Problem:
    listed = "; ".join(str(part) for part in parts)
    remedy = "Draw the ROI on one of them, or export that picture alone."
    return Problem(place, f"{len(parts)} B-mode pictures ({listed})", "one picture", remedy)


def _calibration(
    chosen: Sequence[_Region], layout: Layout, place: str
) -> tuple[float | None, list[Remark]]:
    """Return the side of a pixel in mm on which all regions agree, and what speaks against it."""
    found: list[float] = []
    for region in chosen:
        (x_cm, y_cm), (x_unit, y_unit) = region.deltas, region.units
        if (x_unit, y_unit) != (_CENTIMETRES, _CENTIMETRES):
            return None, [_doubt(place, "pixels that are not measured in cm")]
        if not (side := _plausible(x_cm * _MM_PER_CM, y_cm * _MM_PER_CM)):
            return None, [_doubt(place, _sides(x_cm * _MM_PER_CM, y_cm * _MM_PER_CM))]
        found.append(side)
    if max(found) > min(found) * (1 + _OTHER_SCALE):
        return None, [_doubt(place, f"B-mode regions of {min(found):.4g} and {max(found):.4g} mm")]
    if any(region.beyond_x or region.beyond_y for region in chosen):
        return found[0], [_doubt(place, f"a B-mode region {_outside(layout)}")]
    return found[0], []


def _outside(layout: Layout) -> str:
    return f"beyond the edge of the frame ({layout.width_px} x {layout.height_px} px)"


def _spacing(attributes: Attributes, place: str) -> tuple[float | None, list[Remark]]:
    """Return the side of a pixel of a file without regions, from the first spacing it declares."""
    for keyword in _SPACINGS:
        spacing = attributes.numbers(keyword)
        if len(spacing) != 2:  # noqa: PLR2004 - rows, columns
            continue
        if side := _plausible(*spacing):
            return side, []
        return None, [_doubt(place, _sides(*spacing))]
    return None, []


def _plausible(x_mm: float, y_mm: float) -> float | None:
    """Return the mean side of a nearly square pixel of a size that scanners have, or None."""
    if not (math.isfinite(x_mm) and math.isfinite(y_mm)) or min(x_mm, y_mm) <= 0:
        return None
    side = math.sqrt(x_mm * y_mm)
    square = abs(x_mm - y_mm) <= _NOT_SQUARE * side
    return side if square and _MIN_PIXEL_MM <= side < _MAX_PIXEL_MM else None


def _sides(x_mm: float, y_mm: float) -> str:
    return f"pixels of {x_mm:.4g} x {y_mm:.4g} mm"


def _doubt(place: str, found: str) -> Remark:
    expected = f"square pixels of {_MIN_PIXEL_MM} to {_MAX_PIXEL_MM:g} mm in regions of this frame"
    remedy = "Compare with the ruler in the image; set ultrasound_pixel_mm in the table."
    return "calibration", Problem(place, found, expected, remedy)
