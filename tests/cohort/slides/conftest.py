"""Whole slides for the tests: a real one, and files written from its pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fuzz.slides import write_endless
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid

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


def write_dicom(path):
    """Write the real slide's JPEG tiles as one VL Whole Slide Microscopy file, TILED_FULL."""
    with tifffile.TiffFile(SVS) as file:
        tile_px = file.pages[0].tilewidth
        frames = list(jpeg_tiles(file))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    slide = Dataset()
    slide.file_meta = meta
    slide.SOPClassUID = meta.MediaStorageSOPClassUID
    slide.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    slide.StudyInstanceUID, slide.SeriesInstanceUID = generate_uid(), generate_uid()
    slide.FrameOfReferenceUID = generate_uid()
    slide.Modality = "SM"
    slide.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    slide.PatientName, slide.PatientID = "Nobody^Test", "T1"
    slide.ContainerIdentifier = "CMU-1"
    slide.VolumetricProperties = "VOLUME"
    slide.FocusMethod, slide.ExtendedDepthOfField = "AUTO", "NO"
    slide.SamplesPerPixel, slide.PlanarConfiguration = 3, 0
    slide.PhotometricInterpretation = "RGB"
    slide.BitsAllocated = slide.BitsStored = 8
    slide.HighBit, slide.PixelRepresentation = 7, 0
    slide.BurnedInAnnotation, slide.SpecimenLabelInImage = "NO", "NO"
    slide.LossyImageCompression = "01"
    slide.Rows = slide.Columns = tile_px
    slide.NumberOfFrames = len(frames)
    slide.TotalPixelMatrixColumns, slide.TotalPixelMatrixRows = 2220, 2967
    slide.TotalPixelMatrixFocalPlanes = 1
    slide.ImagedVolumeWidth, slide.ImagedVolumeHeight = 2220 * 0.000499, 2967 * 0.000499
    slide.ImagedVolumeDepth = 1.0
    slide.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    slide.TotalPixelMatrixOriginSequence = [Dataset()]
    slide.TotalPixelMatrixOriginSequence[0].XOffsetInSlideCoordinateSystem = "20"
    slide.TotalPixelMatrixOriginSequence[0].YOffsetInSlideCoordinateSystem = "20"
    slide.DimensionOrganizationType = "TILED_FULL"
    slide.DimensionOrganizationSequence = [Dataset()]
    slide.DimensionOrganizationSequence[0].DimensionOrganizationUID = generate_uid()
    slide.NumberOfOpticalPaths = 1
    slide.OpticalPathSequence = [_light()]
    slide.SharedFunctionalGroupsSequence = [_shared(slide.ImageType)]
    slide.PixelData = encapsulate(frames)
    slide["PixelData"].is_undefined_length = True
    slide.save_as(path, enforce_file_format=True)
    return path


def _light():
    light = Dataset()
    light.OpticalPathIdentifier = "1"
    light.IlluminationTypeCodeSequence = [_code("111744", "Brightfield illumination")]
    light.IlluminationColorCodeSequence = [_code("414298005", "Full Spectrum", "SCT")]
    return light


def _shared(image_type):
    measures, kind, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = ["0.000499", "0.000499"]
    measures.SliceThickness = "0.001"
    kind.FrameType = image_type
    shared.PixelMeasuresSequence = [measures]
    shared.WholeSlideMicroscopyImageFrameTypeSequence = [kind]
    return shared


def _code(value, meaning, scheme="DCM"):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


@pytest.fixture(scope="session")
def dicom_slide(tmp_path_factory):
    """The real slide as a DICOM whole slide of one level, alone in its folder."""
    return write_dicom(tmp_path_factory.mktemp("series") / "slide.dcm")


@pytest.fixture(scope="session")
def make_endless():
    return write_endless
