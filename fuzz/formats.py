"""All formats: what is fuzzed, by name. The slowest to import come first and load when used."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from fuzz import bmp, dicom, doors, jpeg, pictures, png, tables, text, tiff, zips
from fuzz.cases import Format
from fuzz.drawings import annotation_files
from fuzz.scans import dicom_files
from fuzz.slides import slide_files


def _late(name: str) -> Callable[..., Any]:
    """Return a function of `fuzz.networks`, which is imported when it is called: it needs torch."""

    def called(*values: object) -> Any:
        return getattr(import_module("fuzz.networks"), name)(*values)

    return called


_PREPARED = (_late("prepare_ultrasound"), _late("prepare_pathology"))
FORMATS: Mapping[str, Format] = {
    form.name: form
    for form in (
        Format("bundle", _late("bundle_files"), zips.BUNDLE, (_late("predict_with"),)),
        Format("prepared", _late("picture_files"), (*png.MUTATORS, *jpeg.MUTATORS), _PREPARED),
        Format("weights", _late("weight_files"), (), (_late("load_weights"),)),
        Format("xlsx", tables.xlsx_files, zips.XLSX, doors.TABLE),
        Format("slide", slide_files, tiff.MUTATORS, doors.SLIDE),
        Format("dicom", dicom_files, dicom.MUTATORS, doors.IMAGE),
        Format("png", pictures.png_files, png.MUTATORS, doors.IMAGE),
        Format("jpeg", pictures.jpeg_files, jpeg.MUTATORS, doors.IMAGE),
        Format("tiff", pictures.tiff_files, tiff.MUTATORS, doors.IMAGE),
        Format("bmp", pictures.bmp_files, bmp.MUTATORS, doors.IMAGE),
        Format("csv", tables.csv_files, text.TABLE, doors.TABLE),
        Format("toml", tables.toml_files, text.TOML, doors.SETTINGS),
        Format("annotation", annotation_files, (*text.JSON, *text.XML), doors.ANNOTATION),
    )
}
