"""Whole slides for the tests: a real one, and files written from its pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

SVS = Path(__file__).parents[1] / "data" / "cmu_small_region.svs"


@pytest.fixture(scope="session")
def svs():
    """A region of a real H&E slide: 2220 x 2967 px of 0.499 um, one level, Aperio."""
    return SVS


@pytest.fixture(scope="session")
def svs_rgb():
    """The same region decoded by tifffile and Pillow, without OpenSlide: (H, W, 3) uint8."""
    with tifffile.TiffFile(SVS) as file:
        page = file.pages[0]
        rgb = np.empty((2967, 2220, 3), dtype=np.uint8)
        for n, stream in enumerate(jpeg_tiles(file)):
            rows, columns = divmod(n, -(-2220 // page.tilewidth))
            top, left = rows * page.tilelength, columns * page.tilewidth
            tile = np.asarray(_decoded(stream))
            part = rgb[top : top + page.tilelength, left : left + page.tilewidth]
            part[:] = tile[: part.shape[0], : part.shape[1]]
    return rgb


def jpeg_tiles(file):
    """Return the complete JPEG streams of an SVS file's tiles, row by row."""
    page = file.pages[0]
    tables = page.jpegtables[2:-2]  # without start and end of image
    adobe_rgb = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    handle = file.filehandle
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        handle.seek(offset)
        data = handle.read(count)
        yield data[:2] + adobe_rgb + tables + data[2:]


def _decoded(stream):
    return Image.open(BytesIO(stream)).convert("RGB")


def write_tiff(path, rgb, *, mpp=None, halvings=0, tile=256):
    """Write a tiled TIFF, a pyramid if it is halved: what OpenSlide calls a generic TIFF."""
    scale = {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp)}
    unit = {} if mpp is None else {"resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as writer:
        image = Image.fromarray(rgb)
        for level in range(halvings + 1):
            writer.write(
                np.asarray(image),
                tile=(tile, tile),
                photometric="rgb",
                subfiletype=int(level > 0),
                metadata=None,
                **scale,
                **unit,
            )
            image = image.reduce(2)
    return path


@pytest.fixture(scope="session")
def make_tiff():
    return write_tiff
