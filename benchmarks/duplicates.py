"""f. Copies of sample images under other patients: how many are found, and how many pairs wrongly.

Recall: every image of both modalities, under each change, each copy drawn anew. False pairs: every
sample image cut into nine pieces that do not overlap, so that no two pieces show the same; all
their pairs are compared as those of a cohort are.
"""

import io
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import axilla
from axilla.checks.images.duplicates import MIRRORED, SAME, TURNED, Turn, find_copies
from axilla.checks.images.inspected_image import thumbnail_of
from benchmarks.common import Result, table
from benchmarks.running import alone

TARGET_RECALL, TARGET_FALSE_PAIRS = 0.99, 1.0
_SAMPLE = Path(axilla.__file__).parent / "sample" / "images"
_TURNS: dict[str, tuple[Turn, ...]] = {"us": MIRRORED, "he": TURNED}
_NAMES = {"us": "ultrasound", "he": "pathology"}
_PIECES = 3
# Pairs that agree less are given up before they are aligned to the end.
_LEAST = 0.65
_HALF = 0.5
_FLAT_LEVELS = 8
_PATIENTS = 1_000
# With no false pair among n, their rate lies below 3 / n with 95 % confidence.
_RULE_OF_THREE = 3

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def _recompressed(image: Image.Image, _: np.random.Generator) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(io.BytesIO(stream.getvalue())).convert("L")


def _resized(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def _cropped(image: Image.Image, kept: float, rng: np.random.Generator) -> Image.Image:
    width, height = round(image.width * kept), round(image.height * kept)
    left, top = (rng.random(2) * (image.width - width, image.height - height)).astype(int)
    return image.crop((left, top, left + width, top + height))


def _one_side(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = 0.1
    edges = [0.0, 0.0, 1.0, 1.0]
    side = int(rng.integers(4))
    edges[side] += share if edges[side] == 0 else -share
    sizes = (image.width, image.height) * 2
    left, top, right, bottom = (round(e * size) for e, size in zip(edges, sizes, strict=True))
    return image.crop((left, top, right, bottom))


def _mirrored(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _everything(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    changed = _resized(_cropped(image, 0.9, rng), rng.uniform(0.5, 1.5))
    return _recompressed(_mirrored(changed, rng) if rng.random() < _HALF else changed, rng)


CHANGES: dict[str, Change] = {
    "JPEG quality 40": _recompressed,
    "50 % of the size": lambda image, _: _resized(image, 0.5),
    "150 % of the size": lambda image, _: _resized(image, 1.5),
    "10 % of both sides cut off": lambda image, rng: _cropped(image, 0.9, rng),
    "20 % of both sides cut off": lambda image, rng: _cropped(image, 0.8, rng),
    "10 % cut off at one edge": _one_side,
    "mirrored": _mirrored,
    "cut by 10 %, 50 to 150 %, half of them mirrored, quality 40": _everything,
}


def measure(*, quick: bool) -> Result:
    """A copy is found if the search ties it to its original."""
    rng = np.random.default_rng(2026)
    found: Result = {"threshold": SAME, "recall": {}, "false": {}}
    for kind, turns in _TURNS.items():
        paths = sorted(_SAMPLE.glob(f"*_{kind}.jpg"))[:: 20 if quick else 1]
        images = [Image.open(path).convert("L") for path in paths]
        found["recall"][_NAMES[kind]] = {
            name: _recall(images, change, turns, rng=rng) for name, change in CHANGES.items()
        }
        found["false"][_NAMES[kind]] = _false_pairs(images, turns)
    return found


def _recall(
    images: list[Image.Image], change: Change, turns: tuple[Turn, ...], *, rng: np.random.Generator
) -> Result:
    copies = [change(image, rng) for image in images]
    pairs = find_copies(_thumbnails([*images, *copies]), turns=turns)
    right = [pair for pair in pairs if abs(pair.first - pair.second) == len(images)]
    return {
        "copies": len(images),
        "found": len(right),
        "wrong": len(pairs) - len(right),
        "lowest": min(pair.agreement for pair in right),
    }


def _false_pairs(images: list[Image.Image], turns: tuple[Turn, ...]) -> Result:
    pieces = [piece for image in images for piece in _pieces(image)]
    pairs = find_copies(_thumbnails(pieces), turns=turns, least=_LEAST)
    compared = len(pieces) * (len(pieces) - 1) // 2
    wrong = sum(pair.agreement >= SAME for pair in pairs)
    per_cohort = _PATIENTS * (_PATIENTS - 1) / 2 / compared
    return {
        "pieces": len(pieces),
        "pairs": compared,
        "wrong": wrong,
        "highest": max((pair.agreement for pair in pairs), default=None),
        "expected": wrong * per_cohort,
        "at_most": (wrong or _RULE_OF_THREE) * per_cohort,
    }


def _pieces(image: Image.Image) -> Iterator[Image.Image]:
    xs = [round(image.width * n / _PIECES) for n in range(_PIECES + 1)]
    ys = [round(image.height * n / _PIECES) for n in range(_PIECES + 1)]
    for left, right in pairwise(xs):
        for top, bottom in pairwise(ys):
            piece = image.crop((left, top, right, bottom))
            if np.ptp(np.percentile(np.asarray(piece), (1, 99))) > _FLAT_LEVELS:
                yield piece


def _thumbnails(images: list[Image.Image]) -> NDArray[np.uint8]:
    return np.stack([thumbnail_of(np.asarray(image)) for image in images])


def report(result: Result) -> list[str]:
    """One line per change, then what was found among images that are no copies."""
    recall = result["recall"]
    rows = []
    for name in CHANGES:
        cells = [name]
        for modality in recall:
            one = recall[modality][name]
            cells += [f"{one['found']} of {one['copies']}", f"{one['lowest']:.2f}"]
        rows.append(cells)
    header = ["Change"]
    for modality in recall:
        header += [f"Found, {modality}", "lowest agreement"]
    false = [
        [
            modality,
            f"{one['pieces']:,}",
            f"{one['pairs']:,}",
            f"below {_LEAST}" if one["highest"] is None else f"{one['highest']:.2f}",
            one["wrong"],
            f"{one['expected']:.2f} (at most {one['at_most']:.2f})",
        ]
        for modality, one in result["false"].items()
    ]
    wrong = sum(one["wrong"] for changes in recall.values() for one in changes.values())
    summary = (
        f"Images count as the same from an agreement of {result['threshold']} on. Targets: at "
        f"least {TARGET_RECALL:.0%} found, at most {TARGET_FALSE_PAIRS:g} false pair in "
        f"{_PATIENTS:,} patients. False pairs among originals and copies: {wrong}."
    )
    return [
        summary,
        "",
        *table(header, rows),
        "",
        *table(
            ["Other images", "Pieces", "Pairs", "Highest agreement", "False pairs",
             f"in {_PATIENTS:,} patients (95 %)"],
            false,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    alone("duplicates")
