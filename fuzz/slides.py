"""Whole slides: the real one of the tests, small pyramids made from it, and an endless one."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from axilla.imaging.slides.tile_pixels import thumbnail

REAL_SLIDE = Path(__file__).parents[1] / "tests" / "cohort" / "data" / "cmu_small_region.svs"
_UM_PER_PX = 0.5


def slide_files() -> Mapping[str, bytes]:
    """Return the real slide, and two pyramids of tiles, one of them a BigTIFF."""
    small = thumbnail(REAL_SLIDE, longest_px=512)
    return {
        "real.svs": REAL_SLIDE.read_bytes(),
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


def write_endless(path: Path, rgb: np.ndarray, *, side_px: int, halvings: int = 3) -> Path:
    """Write a BigTIFF pyramid that repeats one 256 px JPEG tile: huge, but small as a file.

    All tiles of a level are the same bytes, so each level is exactly the one before, reduced 4 x.
    """
    levels = []
    body = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    for level in range(halvings + 1):
        step = 4**level
        small = np.asarray(Image.fromarray(rgb).reduce(step))
        stream = io.BytesIO()
        Image.fromarray(np.tile(small, (step, step, 1))).save(stream, "JPEG", quality=90)
        levels.append((side_px // step, len(body), len(stream.getvalue())))
        body += stream.getvalue() + b"\0" * (-len(stream.getvalue()) % 8)
    link = 8
    for level, (side, at, size) in enumerate(levels):
        count = (-(-side // 256)) ** 2
        offsets, sizes = len(body), len(body) + 8 * count
        body += np.full(count, at, dtype="<u8").tobytes()
        body += np.full(count, size, dtype="<u4").tobytes() + b"\0" * (-4 * count % 8)
        struct.pack_into("<Q", body, link, len(body))
        tags = [
            (254, 4, 1, int(level > 0)),
            (256, 4, 1, side),
            (257, 4, 1, side),
            (258, 3, 3, 8 | 8 << 16 | 8 << 32),
            (259, 3, 1, 7),
            (262, 3, 1, 6),
            (277, 3, 1, 3),
            (282, 5, 1, 40_000 | 1 << 32),
            (283, 5, 1, 40_000 | 1 << 32),
            (284, 3, 1, 1),
            (296, 3, 1, 3),
            (322, 4, 1, 256),
            (323, 4, 1, 256),
            (324, 16, count, offsets),
            (325, 4, count, sizes),
            (530, 3, 2, 2 | 2 << 16),
        ]
        body += struct.pack("<Q", len(tags))
        for tag in tags:
            body += struct.pack("<HHQQ", *tag)
        link = len(body)
        body += struct.pack("<Q", 0)
    path.write_bytes(body)
    return path
