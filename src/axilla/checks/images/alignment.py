"""How well one image covers a part of another, after the part has been moved until it fits."""

from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.checks.images.descriptors import Images, Span, blurring, flattened
from axilla.checks.images.look import THUMBNAIL_PX

_SMOOTHING_PX, _NEIGHBOURHOOD_PX = 1.0, 6.0
_COARSE_PX, _FINE_PX = 32, 96
_COARSE_STEPS, _FINE_STEPS = 5, 4
# After its first step a copy of the sample's images reaches 0.65 and more, after the last 0.88;
# nearly all other images stay below 0.54.
_WORTH_A_STEP, _WORTH_MORE = 0.55, 0.65
_LONGEST_STEP_PX, _SETTLED_PX = 4.0, 0.02
_FALLING = 0.05
_DAMPING = 0.02
_LEAST_PX = 8.0

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the thumbnail."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A thumbnail without its layout of bright and dark: at full size and at two smaller ones."""

    whole: Image.Image
    coarse: Images
    fine: Images

    @classmethod
    def of(cls, thumbnail: NDArray[np.uint8]) -> Self:
        """Smooth a thumbnail against noise of compression, and level its local contrast."""
        fine = blurring(THUMBNAIL_PX, _SMOOTHING_PX)
        wide = blurring(THUMBNAIL_PX, _NEIGHBOURHOOD_PX)
        smooth = _both_ways(fine, thumbnail.astype(np.float32))
        whole = Image.fromarray(flattened(smooth, partial(_both_ways, wide)))
        everything = (0.0, 0.0, float(THUMBNAIL_PX), float(THUMBNAIL_PX))
        return cls(
            whole, _sampled(whole, everything, _COARSE_PX), _sampled(whole, everything, _FINE_PX)
        )


def agreement(one: Prepared, other: Prepared, *, window: tuple[Span, Span]) -> float:
    """Return the correlation (-1 to 1) of `other` with the part of `one` that fits it best.

    Starts from `window` and moves its four edges by damped Gauss-Newton steps, first on small
    images, then on larger ones if that is promising.
    """
    (left, right), (top, bottom) = window
    start = tuple(THUMBNAIL_PX * edge for edge in (left, top, right, bottom))
    box: Box = (start[0], start[1], start[2], start[3])
    found, box = _fitted(one.whole, other.coarse, box, steps=_COARSE_STEPS)
    if found < _WORTH_MORE:
        return found
    return _fitted(one.whole, other.fine, box, steps=_FINE_STEPS)[0]


def _fitted(whole: Image.Image, target: Images, box: Box, *, steps: int) -> tuple[float, Box]:
    best, best_box = -1.0, box
    wanted = _standardised(target)
    for number in range(steps + 1):
        box = _within(box)
        part = _standardised(_sampled(whole, box, len(target)))
        found = float((part * wanted).mean())
        if found < best - _FALLING or (number and found < _WORTH_A_STEP):
            return max(best, found), box
        if found > best:
            best, best_box = found, box
        step = _step(part, wanted, box)
        box = (box[0] + step[0], box[1] + step[1], box[2] + step[2], box[3] + step[3])
        if max(abs(edge) for edge in step) < _SETTLED_PX:
            break
    return best, best_box


def _step(part: Images, wanted: Images, box: Box) -> list[float]:
    """Return how far to move each edge, by the gradient of what lies below it."""
    side = len(part)
    along = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / side
    down, right = np.gradient(part)
    down = down * (side / (box[3] - box[1]))
    right = right * (side / (box[2] - box[0]))
    rows = along[:, np.newaxis]
    edges = np.stack([right * (1 - along), down * (1 - rows), right * along, down * rows])
    slopes = edges.reshape(4, -1)
    normal = slopes @ slopes.T
    normal[np.diag_indices(4)] = normal.diagonal() * (1 + _DAMPING) + 1e-6
    step = np.linalg.solve(normal, slopes @ (wanted - part).ravel())
    return [float(edge) for edge in step.clip(-_LONGEST_STEP_PX, _LONGEST_STEP_PX)]


def _both_ways(blur: Images, image: Images) -> Images:
    return np.asarray(blur @ image @ blur.T, dtype=np.float32)


def _within(box: Box) -> Box:
    left = min(max(box[0], 0.0), THUMBNAIL_PX - _LEAST_PX)
    top = min(max(box[1], 0.0), THUMBNAIL_PX - _LEAST_PX)
    right = min(max(box[2], left + _LEAST_PX), float(THUMBNAIL_PX))
    return left, top, right, min(max(box[3], top + _LEAST_PX), float(THUMBNAIL_PX))


def _sampled(whole: Image.Image, box: Box, side: int) -> Images:
    return np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR, box=box))


def _standardised(image: Images) -> Images:
    centred = image - image.mean()
    return np.asarray(centred / (centred.std() + 1e-6), dtype=np.float32)
