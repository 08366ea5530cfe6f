"""What a reader sees of one image: the original, and the map to lay over it."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.explanation.heatmap_file import FloatMap
from axilla.explanation.overlay import colours, enlarged, strength
from axilla.records.roi_rectangle import Roi

Pixels = NDArray[np.uint8]

_LONGEST_PX: Final = 1400
_MAP_PX: Final = 448


@dataclass(frozen=True, slots=True)
class Shown:
    """PNG bytes of an image and of its map, and where the map lies, in percent of the image.

    `box_percent` is left, top, width, height. The files hold pixels and nothing else.
    """

    image: bytes
    map: bytes
    size_px: tuple[int, int]
    box_percent: tuple[float, float, float, float]


def shown(
    pixels: Pixels, values: FloatMap, *, window: Roi, scale: float, signed: bool = False
) -> Shown:
    """Return an image (H, W, 3) and its map (h, w), as a reader gets them its strength alone.

    With `signed` the map has both colours, for people who may know the prediction.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
    factor = min(1.0, _MAP_PX / max(window.width_px, window.height_px))
    paint = enlarged(
        values,
        width_px=max(1, round(window.width_px * factor)),
        height_px=max(1, round(window.height_px * factor)),
    )
    box = (
        window.left_px / width,
        window.top_px / height,
        window.width_px / width,
        window.height_px / height,
    )
    left, top, across, down = (round(side * 100, 4) for side in box)
    return Shown(
        _png(image),
        _png(Image.fromarray((colours if signed else strength)(paint, scale))),
        image.size,
        (left, top, across, down),
    )


def usable_decoy(decoy: FloatMap | None) -> bool:
    """Tell whether a decoy shows anything: its values differ in size."""
    return decoy is not None and bool(np.isfinite(decoy).all()) and np.ptp(np.abs(decoy)) > 0


def disguised(decoy: FloatMap, real: FloatMap) -> FloatMap:
    """Return the decoy's places with the real map's strengths: its |values|, dealt out by rank.

    A model with shuffled weights gives maps that are weaker or stronger than the cohort's, and a
    reader would know them by that. So a decoy differs from its real map only in where it is
    strong.
    """
    order = np.argsort(np.abs(decoy), axis=None, kind="stable")
    dealt = np.empty(real.size, np.float32)
    dealt[order] = np.sort(np.abs(real), axis=None)
    return dealt.reshape(real.shape)


def _png(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
