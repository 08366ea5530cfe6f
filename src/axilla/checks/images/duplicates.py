"""Duplicate images, also re-compressed, resized, cropped, turned or mirrored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from axilla.checks.images.inspected_image import THUMBNAIL_PX

SIDE = 16
LENGTH = SIDE * SIDE
_NEIGHBOURHOOD = 2.0
_FLOOR_LEVELS = 6.0
_STEP = 0.05
_KEPT = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
_KEPT_OF_ONE_SIDE = (0.95, 0.9, 0.85, 0.8)

Images = NDArray[np.float32]
Span = tuple[float, float]
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
# Measured on the sample's images (benchmarks/duplicates.py): fingerprints of copies correlate
# by 0.59 and more, those of one in some 600 pairs of other ultrasound images by 0.55.
_CANDIDATE = 0.55
# Aligned, copies correlate by 0.91 and more, the most alike of 3.6 million other pairs by 0.71.
SAME = 0.8
_MOST_CANDIDATES = 20
_PRODUCTS_AT_ONCE = 8_000_000
_Level = TypeVar("_Level", bound=np.generic)
Turn = tuple[bool, int]
"""Whether an image is mirrored, and by how many quarters it is then turned to the left."""
MIRRORED: tuple[Turn, ...] = ((False, 0), (True, 0))
"""An ultrasound image may be shown from the other side, but has an up and a down."""
TURNED: tuple[Turn, ...] = tuple((mirror, q) for mirror in (False, True) for q in range(4))
"""A section lies on its slide as it fell."""


@cache
def windows() -> tuple[tuple[Span, Span], ...]:
    """Return crops as (horizontal, vertical) spans in shares of the image's sides.

    They keep 75 to 100 % of both sides, or 80 to 95 % of one, every 5 % of a side, so that any
    crop between is at most half a pixel of the fingerprint away from one of them.
    """
    both = [(x, y) for kept in _KEPT for x in _spans(kept) for y in _spans(kept)]
    whole = _spans(1.0)[0]
    sides = [span for kept in _KEPT_OF_ONE_SIDE for span in _spans(kept)]
    return (*both, *((x, whole) for x in sides), *((whole, y) for y in sides))


def describe(thumbnails: NDArray[np.uint8]) -> Images:
    """Return the fingerprints (n, LENGTH) of thumbnails (n, THUMBNAIL_PX, THUMBNAIL_PX)."""
    shrink = _shrinking((0.0, 1.0))
    return _normalise(shrink @ thumbnails.astype(np.float32) @ shrink.T)


def describe_windows(thumbnails: NDArray[np.uint8]) -> Images:
    """Return the fingerprints (n, windows, LENGTH) of all crops of thumbnails."""
    spans = tuple(dict.fromkeys(span for window in windows() for span in window))
    shrink = np.concatenate([_shrinking(span) for span in spans])
    # Every horizontal span with every vertical one, of which the windows are picked.
    grid = shrink @ thumbnails.astype(np.float32) @ shrink.T
    grid = grid.reshape(len(thumbnails), len(spans), SIDE, len(spans), SIDE)
    columns = [spans.index(x) for x, _ in windows()]
    rows = [spans.index(y) for _, y in windows()]
    crops = grid.transpose(0, 1, 3, 2, 4)[:, rows, columns]
    flat = _normalise(crops.reshape(-1, SIDE, SIDE))
    return flat.reshape(len(thumbnails), len(windows()), LENGTH)


def flatten_contrast(images: Images, blur: Callable[[Images], Images]) -> Images:
    """Return images less what `blur` leaves of them, over their local contrast."""
    detail = images - blur(images)
    contrast = np.sqrt(np.maximum(blur(detail * detail), 0))
    return np.asarray(detail / (contrast + _FLOOR_LEVELS), dtype=np.float32)


@cache
def blurring(side: int, sigma_px: float) -> Images:
    """Return the matrix (side, side) that blurs a column by a Gaussian, the edges repeated."""
    unit = np.eye(side, dtype=np.float32)
    return gaussian_filter1d(unit, sigma_px, axis=0, mode="nearest")


def _spans(kept: float) -> list[Span]:
    starts = range(round((1 - kept) / _STEP) + 1)
    return [(round(start * _STEP, 2), round(start * _STEP + kept, 2)) for start in starts]


@cache
def _shrinking(span: Span) -> Images:
    """Return the matrix (SIDE, THUMBNAIL_PX) that averages a span into SIDE pixels."""
    edges = np.linspace(span[0], span[1], SIDE + 1) * THUMBNAIL_PX
    pixels = np.arange(THUMBNAIL_PX)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.maximum(covered, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), dtype=np.float32)


def _normalise(images: Images) -> Images:
    # One product for both directions: thousands of 16 x 16 products cost more than their sums.
    blur = _blurring_both()
    vectors = flatten_contrast(images.reshape(-1, LENGTH), lambda flat: flat @ blur)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-6)
    return vectors


@cache
def _blurring_both() -> Images:
    """Return the matrix (LENGTH, LENGTH) that blurs the rows of flat images in two dimensions."""
    blur = blurring(SIDE, _NEIGHBOURHOOD)
    return np.ascontiguousarray(np.kron(blur, blur).T)


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
        whole = Image.fromarray(flatten_contrast(smooth, partial(_both_ways, wide)))
        everything = (0.0, 0.0, float(THUMBNAIL_PX), float(THUMBNAIL_PX))
        return cls(
            whole,
            _sample_box(whole, everything, _COARSE_PX),
            _sample_box(whole, everything, _FINE_PX),
        )


def agreement(one: Prepared, other: Prepared, *, window: tuple[Span, Span]) -> float:
    """Return the correlation (-1 to 1) of `other` with the part of `one` that fits it best.

    Starts from `window` and moves its four edges by damped Gauss-Newton steps, first on small
    images, then on larger ones if that is promising.
    """
    (left, right), (top, bottom) = window
    start = tuple(THUMBNAIL_PX * edge for edge in (left, top, right, bottom))
    box: Box = (start[0], start[1], start[2], start[3])
    found, box = _fit_box(one.whole, other.coarse, box, steps=_COARSE_STEPS)
    if found < _WORTH_MORE:
        return found
    return _fit_box(one.whole, other.fine, box, steps=_FINE_STEPS)[0]


def _fit_box(whole: Image.Image, target: Images, box: Box, *, steps: int) -> tuple[float, Box]:
    best, best_box = -1.0, box
    wanted = _standardise(target)
    for number in range(steps + 1):
        box = _within(box)
        part = _standardise(_sample_box(whole, box, len(target)))
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


def _sample_box(whole: Image.Image, box: Box, side: int) -> Images:
    return np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR, box=box))


def _standardise(image: Images) -> Images:
    centred = image - image.mean()
    return np.asarray(centred / (centred.std() + 1e-6), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two images, by position, and how well they agree once aligned (1 = the same)."""

    first: int
    second: int
    agreement: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """`second`, after a turn, may be a crop of `first` at a window."""

    first: int
    second: int
    window: int
    turn: int


def find_copies(
    thumbnails: NDArray[np.uint8], *, turns: Sequence[Turn] = MIRRORED, least: float = SAME
) -> tuple[DuplicatePair, ...]:
    """Return pairs of thumbnails (n, THUMBNAIL_PX, THUMBNAIL_PX) that agree by `least` or more.

    A pair is left out if both its images are tied to each other through other pairs already.
    Fingerprints of all images meet in one blocked product; those alike are aligned.
    """
    tied = Ties(len(thumbnails))
    prepared: dict[tuple[int, int], Prepared] = {}
    pairs = []
    for candidate in _candidates(thumbnails, turns):
        first, second = candidate.first, candidate.second
        if tied.root(first) == tied.root(second):
            continue
        for position, number in ((first, 0), (second, candidate.turn)):
            if (position, number) not in prepared:
                turned = _turn(thumbnails[position], turns[number])
                prepared[position, number] = Prepared.of(turned)
        found = agreement(
            prepared[first, 0],
            prepared[second, candidate.turn],
            window=windows()[candidate.window],
        )
        if found >= least:
            tied.tie(first, second)
            pairs.append(DuplicatePair(first, second, found))
    return tuple(pairs)


class Ties:
    """Sets of positions that grow together."""

    def __init__(self, count: int) -> None:
        """Start with every position alone."""
        self._above = list(range(count))

    def root(self, position: int) -> int:
        """Return the position that names the set."""
        while self._above[position] != position:
            self._above[position] = self._above[self._above[position]]
            position = self._above[position]
        return position

    def tie(self, first: int, second: int) -> None:
        """Make one set of two."""
        self._above[self.root(second)] = self.root(first)


def _candidates(thumbnails: NDArray[np.uint8], turns: Sequence[Turn]) -> Iterator[_Candidate]:
    """Yield the pairs of alike fingerprints, for each image and turn the most alike first."""
    upright = describe(thumbnails).reshape(-1, SIDE, SIDE)
    wholes = [_turn(upright, turn).reshape(-1, LENGTH).T for turn in turns]
    block = max(1, _PRODUCTS_AT_ONCE // (len(windows()) * max(len(thumbnails), 1)))
    for start in range(0, len(thumbnails), block):
        parts = describe_windows(thumbnails[start : start + block])
        for number, turned in enumerate(wholes):
            yield from _alike(parts, turned, start=start, turn=number)


def _turn(images: NDArray[_Level], turn: Turn) -> NDArray[_Level]:
    mirror, quarters = turn
    shown = images[..., ::-1] if mirror else images
    return np.ascontiguousarray(np.rot90(shown, quarters, (-2, -1)))


def _alike(parts: Images, wholes: Images, *, start: int, turn: int) -> Iterator[_Candidate]:
    count = len(parts)
    products = (parts.reshape(-1, LENGTH) @ wholes).reshape(count, len(windows()), -1)
    likeness = products.max(axis=1)
    own = np.arange(count)
    likeness[own, start + own] = -1
    for row in np.flatnonzero((likeness >= _CANDIDATE).any(axis=1)):
        order = np.argsort(-likeness[row], kind="stable")[:_MOST_CANDIDATES]
        for column in order[likeness[row, order] >= _CANDIDATE]:
            window = int(products[row, :, column].argmax())
            yield _Candidate(start + int(row), int(column), window=window, turn=turn)
