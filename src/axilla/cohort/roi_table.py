"""rois.csv: rectangles drawn or imported for images of the table, which stays as it is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from axilla.cohort.tables.columns import ROI
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, read_sheet
from axilla.cohort.values.cells import Cell, as_number
from axilla.config.sections import CohortSection
from axilla.config.study import StudyConfig
from axilla.imaging.raster import decode_mask, image_size
from axilla.records.errors import CohortError, Problem, RoiError, UnreadableImage
from axilla.records.findings import Finding, error, warning
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import DrawnRoi, Roi, roi_around

COLUMNS = ("image", *ROI, "mask", "source", "label")
CONFLICT_IOU = 0.5

_NEEDED = ("image", *ROI)
_SHOWN = 5
_IMPORT_AGAIN = "Import or draw it again, or remove the row."


def image_key(text: str) -> str:
    """Return what two spellings of one path in a table share: slashes, no leading './'."""
    return text.strip().replace("\\", "/").removeprefix("./")


def read_rois(path: Path) -> dict[str, DrawnRoi]:
    """Read rois.csv; return its rows by `image_key`, masks relative to the file.

    Raises `CohortError` with every problem of the file at once; images are not opened.
    """
    sheet = read_sheet(path)
    if missing := [column for column in _NEEDED if column not in sheet.columns]:
        raise CohortError(
            Problem(
                f"{sheet.name}, row 1",
                f"columns {', '.join(sheet.columns)}",
                f"also {', '.join(missing)}",
                "Add the columns, or write the file with `axilla roi import`.",
            )
        )
    problems: list[Problem] = []
    rois: dict[str, DrawnRoi] = {}
    for row in sheet.rows:
        drawn = _parse_row(row, sheet, folder=path.parent)
        if isinstance(drawn, Problem):
            problems.append(drawn)
            continue
        earlier = rois.setdefault(image_key(drawn.image), drawn)
        if earlier is not drawn:
            found = f"{drawn.image!r}, which row {earlier.row} has too"
            problems.append(
                Problem(_place(sheet, row), found, "one row per image", "Remove one of the rows.")
            )
    if problems:
        raise CohortError(problems)
    return rois


def study_rois(config: StudyConfig, folder: Path) -> dict[str, DrawnRoi]:
    """Return the study's rois.csv, nothing if there is none; `folder` holds study.toml.

    Raises `CohortError` if the file is damaged, or if study.toml names another that is missing.
    """
    path = folder / config.cohort.rois
    # Results hold the settings of their run whole: what a person wrote cannot be told from there.
    if not path.is_file() and config.cohort.rois == CohortSection().rois:
        return {}
    return read_rois(path)


def place_roi(
    image: ImageFile, drawn: DrawnRoi | None, *, cell: Cell, size_px: tuple[int, int]
) -> tuple[ImageFile, tuple[Finding, ...]]:
    """Give `image` its drawn rectangle and mask, which replace the table's own; say what is odd.

    `drawn` is `study_rois(...).get(image_key(text))`, `size_px` the image's (width, height), and
    `cell` the table's cell of the image. An error (`roi`, `mask_size`, `image_unreadable`) leaves
    the image as it was; where the table's own rectangle or mask overlaps by an IoU below 0.5, a
    `roi_conflict` warns. The headers of masks are read, and the table's own mask decoded if it is
    the only thing to compare with.
    """
    if drawn is None:
        return image, ()
    place = f"{drawn.table}, row {drawn.row}"
    if wrong := _misfit(drawn, size_px=size_px, place=place):
        code, problem = wrong
        return image, (error(code, problem, patients=(cell.patient_id,)),)
    placed = replace(image, roi=drawn.roi, mask=drawn.mask)
    own = _own_roi(image)
    if own is None or (iou := own.iou(drawn.roi)) >= CONFLICT_IOU:
        return placed, ()
    problem = Problem(
        place,
        f"{drawn.roi} for {cell.text!r}, which row {cell.row} of {cell.table} gives as {own} "
        f"(IoU {iou:.2f})",
        "two rectangles of one lesion",
        f"The row of {drawn.table} is used; correct one of the two.",
    )
    return placed, (warning("roi_conflict", problem, patients=(cell.patient_id,)),)


def unmatched_rois(rois: Mapping[str, DrawnRoi], images: Iterable[str]) -> tuple[Finding, ...]:
    """Return one `rois_unmatched` warning of the rows whose image is none of `images`.

    `images` are paths as the table writes them.
    """
    known = {image_key(text) for text in images}
    lost = [drawn for key, drawn in rois.items() if key not in known]
    if not lost:
        return ()
    shown = ", ".join(f"{drawn.image!r} (row {drawn.row})" for drawn in lost[:_SHOWN])
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    problem = Problem(
        lost[0].table,
        f"rectangles of images that the table does not list: {shown}{more}",
        "paths as the table writes them",
        "Correct or remove these rows; they are not used.",
    )
    return (warning("rois_unmatched", problem),)


def _place(sheet: Sheet, row: SheetRow) -> str:
    return f"{sheet.name}, row {row.number}"


def _parse_row(row: SheetRow, sheet: Sheet, *, folder: Path) -> DrawnRoi | Problem:
    place = _place(sheet, row)
    image, mask = row.cells["image"], row.cells.get("mask", "")
    if not image:
        return Problem(place, "no image", "a path as the table writes it", "Fill in the cell.")
    texts = [row.cells[column] for column in ROI]
    found = ", ".join(text or "empty" for text in texts)
    numbers = [as_number(text) for text in texts]
    whole = [int(number) for number in numbers if number is not None and number.is_integer()]
    if len(whole) < len(ROI):
        return Problem(place, found, f"four whole numbers, {', '.join(ROI)}, in px", _IMPORT_AGAIN)
    try:
        roi = Roi(*whole)
    except RoiError:
        return Problem(place, found, "a width and height of at least 1 px", _IMPORT_AGAIN)
    path = next(_existing(mask, folder), None) if mask else None
    if mask and path is None:
        return Problem(
            f"{place}, column mask", f"{mask!r}", "an existing file", "Import or draw it again."
        )
    cells = row.cells
    return DrawnRoi(
        image,
        roi,
        mask=path,
        source=cells.get("source", ""),
        label=cells.get("label", ""),
        row=row.number,
        table=sheet.name,
    )


def _existing(text: str, folder: Path) -> Iterator[Path]:
    for spelling in (text, text.replace("\\", "/")):
        try:
            if (folder / spelling).is_file():
                yield folder / spelling
        except (OSError, ValueError):  # a name too long, a NUL, a folder that may not be entered
            continue


def _misfit(drawn: DrawnRoi, *, size_px: tuple[int, int], place: str) -> tuple[str, Problem] | None:
    width_px, height_px = size_px
    if not drawn.roi.inside(width_px=width_px, height_px=height_px):
        expected = f"a rectangle inside {drawn.image!r}, {width_px} x {height_px} px"
        found = f"{drawn.roi} (left, top, width, height)"
        return "roi", Problem(place, found, expected, _IMPORT_AGAIN)
    if drawn.mask is None:
        return None
    try:
        width, height = image_size(drawn.mask)
    except UnreadableImage as fault:
        return "image_unreadable", replace(fault.problems[0], place=f"{place}, column mask")
    if (width, height) != size_px:
        found = f"a mask of {width} x {height} px"
        expected = f"the size of {drawn.image!r}, {width_px} x {height_px} px"
        return "mask_size", Problem(f"{place}, column mask", found, expected, _IMPORT_AGAIN)
    return None


def _own_roi(image: ImageFile) -> Roi | None:
    """Return the table's own rectangle, or that of its mask; a damaged mask is told elsewhere."""
    if image.roi is not None or image.mask is None:
        return image.roi
    try:
        mask = decode_mask(image.mask)
    except UnreadableImage:
        return None
    return roi_around(mask)
