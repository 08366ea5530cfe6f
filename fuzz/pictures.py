"""Seeds: image files of every kind that axilla reads, made from the sample's real ones."""

import io
import struct
import zlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from fuzz import png

_SAMPLE = files("axilla") / "sample" / "images"
_SIDE_PX = 64


def _sample(name: str) -> Image.Image:
    with (_SAMPLE / name).open("rb") as stream, Image.open(stream) as image:
        return image.copy()


def _ultrasound() -> Image.Image:
    return _sample("P002_us.jpg").convert("L").resize((_SIDE_PX, 48))


def _pathology() -> Image.Image:
    return _sample("P001_he.jpg").convert("RGB").resize((_SIDE_PX, 48))


def _deep() -> Image.Image:
    return Image.fromarray(np.asarray(_ultrasound()).astype(np.uint16) * 257)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _profile() -> bytes:
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def png_files() -> Mapping[str, bytes]:
    """Return PNG files of every colour type, with the side chunks that programs write."""
    gray, colour = _ultrasound(), _pathology()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "made by a scanner")
    notes.add_text("Description", "packed " * 50, zip=True)
    notes.add_itxt("Title", "\u5317\u4eac", zip=True)
    alpha = colour.copy()
    alpha.putalpha(gray)
    return {
        "mask.png": (_SAMPLE / "P001_us_mask.png").read_bytes(),
        "gray.png": _saved(gray, "PNG", pnginfo=notes, dpi=(96, 96)),
        "turned.png": _saved(colour, "PNG", exif=_turned(), icc_profile=_profile()),
        "palette.png": _saved(colour.quantize(16), "PNG", transparency=3),
        "bit.png": _saved(gray.convert("1"), "PNG"),
        "deep.png": _saved(_deep(), "PNG"),
        "alpha.png": _saved(alpha, "PNG"),
        "gray-alpha.png": _saved(alpha.convert("LA"), "PNG"),
        "deep-colour.png": _deep_colour(),
        "moving.png": _saved(colour, "PNG", save_all=True, append_images=[colour.rotate(9)] * 2),
    }


def _deep_colour() -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow reads but does not write."""
    pixels = np.asarray(_pathology()).astype(">u2") * 257
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return png.joined([(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])


def jpeg_files() -> Mapping[str, bytes]:
    """Return JPEG files: gray, colour, progressive, with restarts, profiles, EXIF, two pictures."""
    gray, colour = _ultrasound(), _pathology()
    return {
        "real.jpg": (_SAMPLE / "P001_he.jpg").read_bytes(),
        "gray.jpg": _saved(gray, "JPEG"),
        "colour.jpg": _saved(colour, "JPEG", subsampling="4:2:0", comment=b"a scanner"),
        "full.jpg": _saved(colour, "JPEG", subsampling="4:4:4", quality=95, optimize=True),
        "progressive.jpg": _saved(colour, "JPEG", progressive=True),
        "progressive-gray.jpg": _saved(gray, "JPEG", progressive=True),
        "restarts.jpg": _saved(colour, "JPEG", restart_marker_blocks=2),
        "turned.jpg": _saved(colour, "JPEG", exif=_turned(), icc_profile=_profile(), dpi=(72, 72)),
        "print.jpg": _saved(colour.convert("CMYK"), "JPEG"),
        "two.jpg": _saved(colour, "MPO", save_all=True, append_images=[colour.rotate(9)]),
    }


def tiff_files() -> Mapping[str, bytes]:
    """Return TIFF files: every compression, 1 to 32 bits, several pages, turned, big."""
    gray, colour = _ultrasound(), _pathology()
    packed = {
        f"{name}.tif": _saved(colour, "TIFF", compression=name)
        for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")
    }
    return packed | {
        "gray.tif": _saved(gray, "TIFF"),
        "colour.tif": _saved(colour, "TIFF"),
        "deep.tif": _saved(_deep(), "TIFF"),
        "deep-lzw.tif": _saved(_deep(), "TIFF", compression="tiff_lzw"),
        "predicted.tif": _saved(colour, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
        "fax.tif": _saved(gray.convert("1"), "TIFF", compression="group4"),
        "palette.tif": _saved(colour.quantize(16), "TIFF"),
        "turned.tif": _saved(colour, "TIFF", exif=_turned()),
        "pages.tif": _saved(gray, "TIFF", save_all=True, append_images=[gray.rotate(9)] * 3),
        "big.tif": _saved(colour, "TIFF", big_tiff=True),
        "print.tif": _saved(colour.convert("CMYK"), "TIFF"),
        "lab.tif": _saved(_lab(colour), "TIFF"),
        "whole-numbers.tif": _saved(_deep().convert("I"), "TIFF"),
        "fractions.tif": _saved(gray.convert("F"), "TIFF"),
    }


def _lab(colour: Image.Image) -> Image.Image:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    changed = ImageCms.applyTransform(colour, to_lab)
    return changed if changed is not None else colour


def bmp_files() -> Mapping[str, bytes]:
    """Return BMP files of 1, 8, 24 and 32 bits."""
    gray, colour = _ultrasound(), _pathology()
    alpha = colour.copy()
    alpha.putalpha(gray)
    return {
        "gray.bmp": _saved(gray, "BMP"),
        "colour.bmp": _saved(colour, "BMP"),
        "palette.bmp": _saved(colour.quantize(16), "BMP"),
        "bit.bmp": _saved(gray.convert("1"), "BMP"),
        "alpha.bmp": _saved(alpha, "BMP"),
    }
