"""DICOM attributes that are parsed, and the technical ones that may leave the file."""

import re
from collections.abc import Mapping

from pydicom import uid
from pydicom.tag import BaseTag

from axilla.imaging.dicom.elements import Attributes, tag_of
from axilla.imaging.dicom.pixel_format import Layout

_LONGEST = 64
# Written by the device, in free text.
_TEXTS = ("Manufacturer", "ManufacturerModelName")
# Words of the standard, or of a manufacturer in the same form.
_CODES = ("Modality", "TransducerType", "BurnedInAnnotation", "LossyImageCompression")
_NUMBERS = ("TransducerFrequency", "UltrasoundColorDataPresent")
_CODE = re.compile(r"[A-Z0-9 _]{1,16}")
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


def tags_of(attributes: Attributes, layout: Layout, *, syntax: uid.UID) -> Mapping[str, str]:
    """Return the allowed values that are present, by DICOM keyword, in printable short text."""
    found = {name: _printable(attributes.word(name)) for name in _TEXTS}
    found |= {name: _is_code(attributes.word(name)) for name in _CODES}
    found |= {name: _numeric(attributes, name) for name in _NUMBERS}
    found |= {
        "TransferSyntax": syntax.name if syntax in uid.AllTransferSyntaxes else "private",
        "PhotometricInterpretation": layout.photometric,
        "Rows": str(layout.height_px),
        "Columns": str(layout.width_px),
        "NumberOfFrames": str(layout.frames),
        "BitsStored": str(layout.bits_stored),
    }
    return {name: value for name, value in found.items() if value}


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]


def _is_code(text: str) -> str:
    return text if _CODE.fullmatch(text) else ""


def _numeric(attributes: Attributes, name: str) -> str:
    try:
        value = attributes.number(name)
    except ValueError:
        return ""
    return "" if value is None else f"{value:g}"
