"""All formats: what is fuzzed, by name. The slowest to import come first and load when used."""

from collections.abc import Mapping
from pathlib import Path

from fuzz import bmp, dicom, doors, jpeg, pictures, png, tables, text, tiff, zips
from fuzz.cases import Format
from fuzz.drawings import annotation_files
from fuzz.scans import dicom_files
from fuzz.slides import slide_files


def _bundle_files() -> Mapping[str, bytes]:
    from fuzz.bundles import bundle_files  # noqa: PLC0415 - torch takes seconds to import

    return bundle_files()


def _predict(path: Path) -> object:
    from fuzz.bundles import predict_with  # noqa: PLC0415 - torch takes seconds to import

    return predict_with(path)


FORMATS: Mapping[str, Format] = {
    form.name: form
    for form in (
        Format("bundle", _bundle_files, zips.BUNDLE, (_predict,)),
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
