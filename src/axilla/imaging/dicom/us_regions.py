"""The B-mode part of a frame, as the scanner declares it.

Source: DICOM PS3.3, C.8.5.5 (US Region Calibration Module).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from axilla.imaging.dicom.dicom_errors import damaged_error
from axilla.imaging.dicom.elements import Attributes
from axilla.imaging.dicom.pixel_format import Layout
from axilla.imaging.dicom.pixel_spacing import Remark, Scale, doubt, scale_of, spacing_of
from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi

_TWO_D, _M_MODE, _SPECTRAL = 1, 2, 3
_TISSUE, _COLOUR_FLOW = 1, 2
_DOPPLER_DATA = range(3, 9)  # PW and CW Doppler, Doppler traces, volume trace
_MOST_REGIONS = 64
# Scanners disagree whether the last column belongs to the region.
_EDGE_PX = 1
# A picture has at least this width and height.
_LEAST_PX = 8
# An export at half the size is common; at less it is hardly ever used.
_USUAL_SHRINKING = 2.0
# Regions that overlap by more than this share of the smaller one show the same picture.
_SAME_PICTURE = 0.5


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
    """A region as declared; its right and bottom edges are exclusive."""

    left: int
    top: int
    right: int
    bottom: int
    spatial: int
    data: int
    scale: Scale


def regions_in(attributes: Attributes, layout: Layout, *, place: str) -> Regions:
    """Return the B-mode regions within the frame, and `pixel_mm` where it is plausible.

    Without a region of tissue, any other two-dimensional region counts as B-mode. Regions that
    were drawn before the frame was resized are widened so that they hold the picture at any of
    the usual sizes; their calibration is refused.
    """
    items = attributes.items("SequenceOfUltrasoundRegions")
    if len(items) > _MOST_REGIONS:
        raise damaged_error(f"{len(items)} ultrasound regions")
    declared = [_region(item) for item in items]
    remarks = list(_doppler(declared, place))
    flat = [region for region in declared if region.spatial == _TWO_D]
    chosen = [region for region in flat if region.data == _TISSUE] or [
        region for region in flat if region.data in (0, _COLOUR_FLOW)
    ]
    resized = any(_is_resized(region, layout) for region in chosen)
    cut = [(roi, region) for region in chosen if (roi := _cut(region, layout, resized=resized))]
    parts = tuple(roi for roi, _ in cut)
    remarks += _split_screen(parts, place)
    scales = [region.scale for _, region in cut]
    pixel_mm, doubts = scale_of(scales, place) if chosen else spacing_of(attributes, place)
    outside = f"a B-mode region beyond the frame of {layout.width_px} x {layout.height_px} px"
    if resized or (chosen and not cut):
        return Regions(parts, None, (*remarks, doubt(place, outside)))
    if any(_beyond(region, layout) != (False, False) for region in chosen):
        doubts = (*doubts, doubt(place, outside))
    return Regions(parts, pixel_mm, (*remarks, *doubts))


def _region(item: Attributes) -> _Region:
    return _Region(
        left=item.whole("RegionLocationMinX0"),
        top=item.whole("RegionLocationMinY0"),
        right=item.whole("RegionLocationMaxX1") + 1,
        bottom=item.whole("RegionLocationMaxY1") + 1,
        spatial=item.whole("RegionSpatialFormat"),
        data=item.whole("RegionDataType"),
        scale=Scale(
            units=(item.whole("PhysicalUnitsXDirection"), item.whole("PhysicalUnitsYDirection")),
            x_cm=item.number("PhysicalDeltaX") or 0.0,
            y_cm=item.number("PhysicalDeltaY") or 0.0,
        ),
    )


def _beyond(region: _Region, layout: Layout) -> tuple[bool, bool]:
    return (
        region.right > layout.width_px + _EDGE_PX,
        region.bottom > layout.height_px + _EDGE_PX,
    )


def _is_resized(region: _Region, layout: Layout) -> bool:
    """Tell whether the frame was made smaller after the region was drawn.

    A region beyond one edge that ends exactly at the other was cropped at its true size.
    """
    beyond_x, beyond_y = _beyond(region, layout)
    ends_x = abs(region.right - layout.width_px) <= _EDGE_PX
    ends_y = abs(region.bottom - layout.height_px) <= _EDGE_PX
    return (beyond_x and not ends_y) or (beyond_y and not ends_x)


def _cut(region: _Region, layout: Layout, *, resized: bool) -> Roi | None:
    """Return the part of the region within the frame, or None where that has no area.

    In a frame that was resized by an unknown factor, the picture starts nearer to the corner than
    declared, and ends no farther than declared: everything in between is kept.
    """
    shrinking = 1.0
    if resized:
        beyond = max(region.right / layout.width_px, region.bottom / layout.height_px)
        shrinking = max(_USUAL_SHRINKING, beyond)
    left, top = int(region.left / shrinking), int(region.top / shrinking)
    width = min(region.right, layout.width_px) - left
    height = min(region.bottom, layout.height_px) - top
    fits = left >= 0 and top >= 0 and min(width, height) >= _LEAST_PX
    return Roi(left, top, width, height) if fits else None


def _doppler(declared: Sequence[_Region], place: str) -> Iterator[Remark]:
    found = []
    if any(region.spatial == _TWO_D and region.data == _COLOUR_FLOW for region in declared):
        found.append("colour flow")
    if any(region.spatial == _M_MODE for region in declared):
        found.append("M-mode")
    if any(region.spatial == _SPECTRAL or region.data in _DOPPLER_DATA for region in declared):
        found.append("spectral Doppler")
    if found:
        remedy = "Choose a plain B-mode image, or accept this finding."
        yield "doppler", Problem(place, f"regions of {' and '.join(found)}", "B-mode only", remedy)


def _split_screen(parts: Sequence[Roi], place: str) -> Iterator[Remark]:
    apart: list[Roi] = []
    for part in sorted(parts, key=lambda roi: roi.width_px * roi.height_px, reverse=True):
        area = part.width_px * part.height_px
        if all(_overlap_area(part, other) <= _SAME_PICTURE * area for other in apart):
            apart.append(part)
    if len(apart) > 1:
        found = f"{len(apart)} B-mode pictures ({'; '.join(str(part) for part in apart)})"
        remedy = "Draw the ROI on one of them, or export that picture alone."
        yield "split_screen", Problem(place, found, "one picture", remedy)


def _overlap_area(one: Roi, other: Roi) -> int:
    width = min(one.right_px, other.right_px) - max(one.left_px, other.left_px)
    height = min(one.bottom_px, other.bottom_px) - max(one.top_px, other.top_px)
    return max(width, 0) * max(height, 0)
