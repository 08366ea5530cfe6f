"""Seeds: whole slides: the real one of the tests, and small pyramids made from it."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile

from axilla.cohort.slides.tiles import thumbnail

_REAL = Path(__file__).parents[1] / "tests" / "cohort" / "data" / "cmu_small_region.svs"
_UM_PER_PX = 0.5


def slide_files() -> Mapping[str, bytes]:
    """Return the real slide, and two pyramids of tiles, one of them a BigTIFF."""
    small = thumbnail(_REAL, longest_px=512)
    return {
        "real.svs": _REAL.read_bytes(),
        "pyramid.tif": _pyramid(small, big=False),
        "big.tif": _pyramid(small, big=True),
    }


def _pyramid(rgb: np.ndarray, *, big: bool) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=big) as writer:
        for level in range(3):
            writer.write(
                np.ascontiguousarray(rgb[:: 2**level, :: 2**level]),
                tile=(64, 64),
                photometric="rgb",
                compression="zlib",
                subfiletype=int(level > 0),
                resolution=(1e4 / _UM_PER_PX, 1e4 / _UM_PER_PX),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return buffer.getvalue()
