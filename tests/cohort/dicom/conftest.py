import io
from types import SimpleNamespace

import gdcm
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

from axilla.imaging.raster import decode

CENTIMETRES = 3


def region(left, top, right, bottom, *, cm=0.005, spatial=1, data=1, **changes):
    """One item of SequenceOfUltrasoundRegions; the edges belong to it."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = spatial, data, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = CENTIMETRES
    item.PhysicalDeltaX = item.PhysicalDeltaY = cm
    for keyword, value in changes.items():
        setattr(item, keyword, value)
    return item


def ultrasound(pixels, *, photometric=None, frames=1, **changes):
    """A data set of (frames, H, W[, 3]) or (H, W[, 3]) pixels, explicit little endian."""
    stack = pixels if frames > 1 else pixels[np.newaxis]
    dataset = Dataset()
    dataset.SOPClassUID = (
        uid.UltrasoundMultiFrameImageStorage if frames > 1 else (uid.UltrasoundImageStorage)
    )
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.Modality = "US"
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.SamplesPerPixel = 1 if stack.ndim == 3 else 3
    dataset.PhotometricInterpretation = photometric or ("MONOCHROME2" if stack.ndim == 3 else "RGB")
    if stack.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = stack.shape[1:3]
    dataset.BitsAllocated = dataset.BitsStored = stack.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stack.dtype.kind == "i")
    dataset.PixelData = stack.tobytes() + b"\0" * (stack.nbytes % 2)
    dataset["PixelData"].VR = "OW" if stack.dtype.itemsize == 2 else "OB"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return FileDataset("", dataset, file_meta=meta, preamble=b"\0" * 128)


def compressed(dataset, syntax, codestreams, *, offsets=True, **changes):
    """The same data set with ready-made codestreams, one for each frame."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(list(codestreams), has_bot=offsets)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def saved(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return path


def jpeg(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def jpeg_lossless(source, target):
    """GDCM's own JPEG lossless writer."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetFileName(str(target))
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


@pytest.fixture(scope="session")
def breast(sample):
    """A real breast ultrasound image in gray, of even size."""
    return np.ascontiguousarray(decode(sample / "images" / "P002_us.jpg")[:240, :320, 0])


@pytest.fixture(scope="session")
def colourful(breast):
    """The same in colours that are not gray."""
    return np.stack([breast, breast[::-1], 255 - breast[:, ::-1]], axis=2)


@pytest.fixture(scope="session")
def make():
    """The builders above, since test files cannot import each other."""
    return SimpleNamespace(
        region=region,
        ultrasound=ultrasound,
        compressed=compressed,
        saved=saved,
        jpeg=jpeg,
        jpeg_lossless=jpeg_lossless,
    )
