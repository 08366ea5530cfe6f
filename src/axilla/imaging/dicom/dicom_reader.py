"""Read ultrasound DICOM files; errors name the file and nothing inside it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.dicom.dicom_errors import DAMAGED, DicomError, damaged_error
from axilla.imaging.dicom.elements import Attributes
from axilla.imaging.dicom.frames import Frames, frames_of, sharpest
from axilla.imaging.dicom.header import Header, read_header
from axilla.imaging.dicom.pixel_format import Layout, layout_of
from axilla.imaging.dicom.pixel_spacing import Remark
from axilla.imaging.dicom.tags import tags_of
from axilla.imaging.dicom.us_regions import Regions, regions_in
from axilla.records.errors import Problem, UnreadableImage
from axilla.records.roi_rectangle import Roi

_ULTRASOUND = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.EnhancedUSVolumeStorage,
    "1.2.840.10008.5.1.4.1.1.6",  # retired ultrasound classes
    "1.2.840.10008.5.1.4.1.1.3",
)
# Screenshots and converted pictures: ultrasound unless their modality says otherwise.
_CAPTURES = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    "",
)
_ULTRASOUND_MODALITIES = ("US", "IVUS")
_UNTOLD_MODALITIES = ("", "OT", "SC")
_SLIDES = (uid.VLWholeSlideMicroscopyImageStorage, uid.VLSlideCoordinatesMicroscopicImageStorage)


def refuse_others(attributes: Attributes, sop_class: uid.UID) -> None:
    """Raise `DicomError` unless the object is an ultrasound image or an undeclared screenshot."""
    modality = attributes.word("Modality")
    if sop_class in _SLIDES or modality == "SM":
        raise DicomError(
            "a microscopic slide",
            expected="an ultrasound image",
            remedy="Put it into the pathology column.",
        )
    if sop_class in _ULTRASOUND:
        return
    if sop_class in _CAPTURES and modality in _ULTRASOUND_MODALITIES + _UNTOLD_MODALITIES:
        return
    # Only names of the standard: whatever else stands there may identify somebody.
    named = sop_class.name if sop_class.type == "SOP Class" else "another kind of object"
    raise DicomError(
        f"DICOM of the kind {named}",
        expected="an ultrasound image",
        remedy="Choose the ultrasound image of this examination.",
    )


def read_dicom(path: Path, *, frame: int | None = None) -> DecodedImage:
    """Return a frame of an ultrasound file, black outside its B-mode regions.

    `frame` counts from 1; without it the sharpest is read: the one with the largest variance of
    the Laplacian within the B-mode regions. `tags` are technical values by DICOM keyword, and
    "Frame", the frame that was read. Remarks: doppler, split_screen, calibration,
    burned_in_text. Raises `UnreadableImage`.
    """
    with _open(path) as (header, layout):
        regions = regions_in(header.attributes, layout, place=path.name)
        frames = frames_of(header, layout)
        index, pixels = _choose_frame(frames, layout, frame, regions)
        tags = tags_of(header.attributes, layout, syntax=header.syntax)
        return DecodedImage(
            pixels=_black_out(pixels, regions.parts),
            region=regions.whole,
            pixel_mm=regions.pixel_mm,
            tags={**tags, "Frame": str(index + 1)},
            remarks=(*regions.remarks, *_burned_in(tags, regions, path.name)),
        )


def dicom_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels, reading the header only; raise `UnreadableImage`."""
    with _open(path) as (_, layout):
        return layout.width_px, layout.height_px


def frames_in(path: Path) -> int:
    """Return the number of frames, reading the header only; raise `UnreadableImage`."""
    with _open(path) as (_, layout):
        return layout.frames


@contextmanager
def _open(path: Path) -> Iterator[tuple[Header, Layout]]:
    try:
        with _file(path).open("rb") as stream:
            header = read_header(stream)
            refuse_others(header.attributes, header.sop_class)
            yield header, layout_of(header.attributes)
    except DicomError as error:
        raise _unreadable(path, error) from error
    except DAMAGED as error:
        # Not chained: these messages may quote what stands in the file, or its whole path.
        raise _unreadable(path, damaged_error(f"a damaged file ({type(error).__name__})")) from None


def _file(path: Path) -> Path:
    if not path.is_file():
        remedy = "Correct the path, or add the file."
        raise DicomError("no such file", expected="an ultrasound DICOM file", remedy=remedy)
    return path


def _unreadable(path: Path, refused: DicomError) -> UnreadableImage:
    return UnreadableImage(Problem(path.name, refused.found, refused.expected, refused.remedy))


def _choose_frame(
    frames: Frames, layout: Layout, frame: int | None, regions: Regions
) -> tuple[int, NDArray[np.uint8]]:
    if frame is None:
        return sharpest(frames, layout.frames, parts=regions.parts)
    if not 1 <= frame <= layout.frames:
        raise DicomError(
            f"{layout.frames} frames and number {frame} asked for",
            expected=f"a frame from 1 to {layout.frames}",
            remedy="Correct the frame in the table, or leave it empty for the sharpest.",
        )
    return frame - 1, frames(frame - 1)


def _black_out(pixels: NDArray[np.uint8], parts: tuple[Roi, ...]) -> NDArray[np.uint8]:
    """Return RGB pixels (H, W, 3), black outside `parts` if there are any."""
    height, width = pixels.shape[:2]
    framed = np.zeros((height, width, 3), np.uint8)
    for part in parts or (Roi(0, 0, width, height),):
        rows = slice(part.top_px, part.bottom_px)
        columns = slice(part.left_px, part.right_px)
        cut = pixels[rows, columns]
        framed[rows, columns] = cut if cut.ndim == 3 else cut[:, :, np.newaxis]  # noqa: PLR2004
    return framed


def _burned_in(tags: Mapping[str, str], regions: Regions, place: str) -> list[Remark]:
    """Return a remark where the file says that text is burned in, and no region cuts it off."""
    if tags.get("BurnedInAnnotation") != "YES" or regions.parts:
        return []
    remedy = "Cut the image to the B-mode region before it leaves the hospital."
    found, expected = "text burned into the image, by its own word", "pixels without a name"
    return [("burned_in_text", Problem(place, found, expected, remedy))]
