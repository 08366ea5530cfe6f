"""ROIs that can hardly be a lesion, and masks that mark something else than their ROI."""

from collections.abc import Iterator

from axilla.checks.images.image_checks import finding
from axilla.checks.images.look import Look
from axilla.records.findings import Finding
from axilla.records.roi_rectangle import Roi

# Shares of the image: the sample's 211 lesions cover 1.2 to 52 %. Below 0.3 % a rectangle is
# more likely a slip of the mouse, above 90 % the whole frame.
_SMALL_SHARE, _LARGE_SHARE = 0.003, 0.9
# Longer sides: smaller lesions are not biopsied under ultrasound, larger ones do not fit the
# probe (its footprint is 40 to 60 mm, and panoramic images are rare).
_SMALL_MM, _LARGE_MM = 3.0, 80.0
# Blown up to 224 px, fewer pixels than these show no texture.
_SMALL_PX = 16
_AGREEMENT = 0.5


def judge_region(look: Look) -> Iterator[Finding]:
    """Yield whether the ROI is implausibly small or large, or not where the mask is."""
    roi = look.roi
    if roi is None:
        return
    share = roi.width_px * roi.height_px / (look.width_px * look.height_px)
    longer_mm = max(roi.width_px, roi.height_px) * _pixel_mm(look)
    size = f"an ROI of {roi.width_px} x {roi.height_px} px, {share:.1%} of the image"
    size += f", {longer_mm:.1f} mm long" if longer_mm else ""
    narrow = min(roi.width_px, roi.height_px) < _SMALL_PX
    if share < _SMALL_SHARE or narrow or 0 < longer_mm < _SMALL_MM:
        yield finding(
            look,
            "roi_small",
            size,
            expected=f"at least {_SMALL_SHARE:.1%}, {_SMALL_PX} px a side and {_SMALL_MM:g} mm",
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


def _pixel_mm(look: Look) -> float:
    """Return the side of a pixel, 0 if it is not known."""
    return look.file.pixel_mm or look.measures.pixel_mm or 0.0


def _conflict(look: Look) -> Iterator[Finding]:
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
