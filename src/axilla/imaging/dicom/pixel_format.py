"""How the pixels of a frame are stored, checked before a byte of them is decoded."""

from dataclasses import dataclass

from axilla.imaging.dicom.dicom_errors import DicomError, damaged_error, unsupported_error
from axilla.imaging.dicom.elements import Attributes
from axilla.imaging.raster import MAX_PIXELS

# A frame of ultrasound has at most 8 megapixels; JPEG 2000 needs 4 bytes a sample to decode.
MAX_FRAME_PIXELS = MAX_PIXELS // 4

_GRAY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_MAX_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Size and storage of each frame; `frames` of them follow each other."""

    width_px: int
    height_px: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    by_plane: bool

    @property
    def frame_pixels(self) -> int:
        """Number of pixels of one frame."""
        return self.width_px * self.height_px

    @property
    def frame_bytes(self) -> int:
        """Number of bytes of one uncompressed frame with a value for each pixel and sample."""
        return self.frame_pixels * self.samples * (self.bits_allocated // 8)


def layout_of(attributes: Attributes) -> Layout:
    """Return the layout that the header declares; raise `DicomError`, also for too large ones."""
    try:
        layout = Layout(
            width_px=attributes.whole("Columns"),
            height_px=attributes.whole("Rows"),
            frames=attributes.whole("NumberOfFrames", 1) or 1,
            samples=attributes.whole("SamplesPerPixel", 1),
            photometric=attributes.word("PhotometricInterpretation"),
            bits_allocated=attributes.whole("BitsAllocated"),
            bits_stored=attributes.whole("BitsStored", attributes.whole("BitsAllocated")),
            high_bit=attributes.whole("HighBit", attributes.whole("BitsStored") - 1),
            signed=attributes.whole("PixelRepresentation") == 1,
            by_plane=attributes.whole("PlanarConfiguration") == 1,
        )
    except (ValueError, OverflowError) as error:
        raise damaged_error("a damaged description of the pixels") from error
    _check_size(layout)
    _check_storage(layout)
    return layout


def _check_size(layout: Layout) -> None:
    if layout.width_px < 1 or layout.height_px < 1 or not 1 <= layout.frames <= _MAX_FRAMES:
        raise damaged_error(
            f"{layout.width_px} x {layout.height_px} px and {layout.frames} frames declared"
        )
    if layout.frame_pixels > MAX_FRAME_PIXELS:
        raise DicomError(
            f"frames of {layout.width_px} x {layout.height_px} px",
            expected=f"at most {MAX_FRAME_PIXELS // 1_000_000} megapixels",
            remedy="Export a smaller copy.",
        )


def _check_storage(layout: Layout) -> None:
    if layout.photometric not in _GRAY + _COLOUR:
        raise unsupported_error(
            "colours in a form that is not read (Photometric Interpretation)",
            expected=f"one of {', '.join(_GRAY + _COLOUR)}",
        )
    if layout.bits_allocated not in (8, 16):
        raise unsupported_error(f"{layout.bits_allocated} bits per value", expected="8 or 16")
    if layout.samples != (1 if layout.photometric in _GRAY else 3):
        raise damaged_error(f"{layout.samples} values per pixel for {layout.photometric}")
    if not 0 < layout.bits_stored <= layout.high_bit + 1 <= layout.bits_allocated:
        raise damaged_error(
            f"{layout.bits_stored} bits stored up to bit {layout.high_bit} "
            f"of {layout.bits_allocated}"
        )
