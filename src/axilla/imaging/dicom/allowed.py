"""The only attributes that are parsed; names, dates, identifiers and free text stay in the file."""

from pydicom.tag import BaseTag

from axilla.imaging.dicom.elements import tag_of

# Parsed whole before the pixels are read.
SEQUENCES = ("SequenceOfUltrasoundRegions", "ModalityLUTSequence", "VOILUTSequence")

_KIND = ("SOPClassUID", "Modality")
_DEVICE = (
    "Manufacturer",
    "ManufacturerModelName",
    "TransducerType",
    "TransducerFrequency",
    "BurnedInAnnotation",
    "UltrasoundColorDataPresent",
    "LossyImageCompression",
)
_SPACING = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_LAYOUT = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
)
_TONES = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction")
_PALETTE = tuple(
    name.format(channel)
    for channel in ("Red", "Green", "Blue")
    for name in (
        "{}PaletteColorLookupTableDescriptor",
        "{}PaletteColorLookupTableData",
        "Segmented{}PaletteColorLookupTableData",
    )
)

ALLOWED_TAGS: tuple[BaseTag, ...] = tuple(
    tag_of(keyword)
    for keyword in (*_KIND, *_DEVICE, *_SPACING, *_LAYOUT, *_TONES, *SEQUENCES, *_PALETTE)
)
