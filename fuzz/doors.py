"""The ways by which files enter axilla; each either reads its file or raises `AxillaError`."""

from pathlib import Path

from axilla.annotation.formats import read_annotations
from axilla.checks.images.inspected_image import measure
from axilla.cohort.cohort_reader import read_table
from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.predictions_import import read_predictions
from axilla.cohort.roi_table import read_rois
from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.config.load import read_study
from axilla.config.sections import TilesSection
from axilla.evaluation.audit.reported_table import read_reported
from axilla.imaging.open_image import open_picture, picture_size
from axilla.imaging.raster import decode_mask
from axilla.imaging.slides.tile_pixels import read_tile
from axilla.imaging.slides.tiling import plan_tiles
from axilla.records.patients import ImageFile
from axilla.records.table_columns import PREDICTIONS, read_results
from fuzz.drawings import HEIGHT_PX, WIDTH_PX

_SIZE_PX = (WIDTH_PX, HEIGHT_PX)
_PAIRED = CohortSchema(
    modalities=("ultrasound", "pathology", "clinical"),
    clinical={"age": "number", "lesion_diameter_mm": "number", "her2": "category"},
    outcome="malignant",
    group=("pathology_donor",),
    site="site",
    reader="birads",
    reader_positive=("4c", "5"),
    subgroups=("site", "age"),
    bands={"age": (40.0,)},
)
_CLINICAL = CohortSchema(
    modalities=("clinical",),
    clinical={"age": "number", "er": "category", "histological_type": "category"},
    outcome="alnm",
    site="site",
    table1=("age", "sex"),
)


def look_at_ultrasound(path: Path) -> object:
    """Read an image of any kind and measure it, as check does with an ultrasound image."""
    return measure(open_picture(ImageFile(path)), "ultrasound")


def look_at_pathology(path: Path) -> object:
    """Read an image of any kind and measure it, as check does with a microscope's image."""
    return measure(open_picture(ImageFile(path)), "pathology")


def read_study_table(path: Path) -> object:
    """Read a cohort table as a study with all modalities, a reader and subgroups does."""
    return read_table(path, _PAIRED)


def read_cases(path: Path) -> object:
    """Read a table of patients to be scored."""
    return read_table(path, _CLINICAL, strict=False)


def read_scored(path: Path) -> object:
    """Read predictions, as evaluate does."""
    return read_predictions(path, groups=("site",), subgroups=("kind",))


def read_result(path: Path) -> object:
    """Read a table of the results folder."""
    return read_results(path, PREDICTIONS)


def read_settings(path: Path) -> object:
    """Read study.toml with the preset it names."""
    return read_study(path)


def read_settings_over_another(path: Path) -> object:
    """Read study.toml over another preset, with options of the command line."""
    return read_study(path, preset="full", compute={"jobs": 2, "device": None})


def read_outlines(path: Path) -> object:
    """Read an annotation file, and lay each drawing out on its image."""
    return [
        (drawing.roi(_SIZE_PX), drawing.mask(_SIZE_PX))
        for image in read_annotations(path).images
        for drawing in image.drawings
    ]


def look_at_slide(path: Path) -> object:
    """Plan the tiles of a slide, and read the first."""
    plan = plan_tiles(path, settings=TilesSection(per_slide=4), side_px=64)
    return read_tile(path, plan.tiles[0], side_px=64)


IMAGE = (picture_size, look_at_ultrasound, look_at_pathology, decode_mask)
TABLE = (
    read_sheet,
    read_study_table,
    read_cases,
    read_scored,
    read_reported,
    read_rois,
    read_result,
)
SETTINGS = (read_settings, read_settings_over_another)
ANNOTATION = (read_outlines,)
SLIDE = (picture_size, look_at_slide)
