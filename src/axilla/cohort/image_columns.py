"""The image columns of one row: files, masks, ROIs, frames and pixel spacing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.roi_table import image_key, place_roi
from axilla.cohort.tables.columns import ROI
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow
from axilla.cohort.values.cells import Cell, as_number, cell_in, number_in
from axilla.imaging.open_image import picture_size, require_frame, require_ultrasound
from axilla.imaging.slides import NoTissue
from axilla.imaging.slides.slide_bags import tiles_of
from axilla.records.errors import RoiError, UnreadableImage
from axilla.records.findings import Finding, error, warning
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality

MASK = "ultrasound_mask"

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the table lists; `cell.text` is its path as written there."""

    path: Path
    cell: Cell
    kind: Literal["image", "mask"]


@dataclass(slots=True)
class ImageCells:
    """One row of a table, and what its image cells yield; its paths are relative to `folder`."""

    row: SheetRow
    sheet: Sheet
    folder: Path
    listed: list[Listed] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def text(self, column: str) -> str:
        """Return what the row says in a column, nothing if the table has no such column."""
        return self.row.cells.get(column, "")

    def file(self, column: str, *, text: str) -> Path | None:
        """Return the file that a cell names, or note that there is none."""
        for spelling in dict.fromkeys((text, text.replace("\\", "/"))):
            path = self.folder / spelling
            if _is_file(path):
                return path
        remedy = "Paths are relative to the table's folder; correct the path, or add the file."
        cell = self.part(column, text)
        self.findings.append(cell.refuse("file_missing", "an existing file", remedy=remedy))
        return None

    def size(self, column: str, *, path: Path | None, text: str) -> Size | None:
        """Return the size of a file that can be opened and list it, or note why it cannot."""
        if path is None:
            return None
        cell = self.part(column, text)
        try:
            if column == "ultrasound":
                require_ultrasound(path)
            size = picture_size(path)
        except UnreadableImage as error:
            self.findings.append(unreadable(cell, error))
            return None
        self.listed.append(Listed(path, cell, "mask" if column == MASK else "image"))
        return size

    def part(self, column: str, text: str) -> Cell:
        """Return the cell of a column as if `text` were all that it holds."""
        cell = cell_in(self.sheet, self.row, column)
        return cell if cell.text == text else replace(cell, text=text)

    def rectangle(self) -> Cell:
        """Return the four cells of a rectangle as one."""
        cell = cell_in(self.sheet, self.row, ", ".join(ROI))
        return replace(cell, text="; ".join(map(self.text, ROI)))


def pieces_of(text: str) -> list[str]:
    """Return what a cell joins by semicolons."""
    return [piece.strip() for piece in text.split(";")]


def unreadable(cell: Cell, error: UnreadableImage) -> Finding:
    """Return the error that the file which `cell` names cannot be read."""
    problem = error.problems[0]
    found = f"{cell.text!r}, {problem.found}"
    return cell.refuse("image_unreadable", problem.expected, remedy=problem.remedy, found=found)


def read_masks(row: ImageCells, sizes: Sequence[Size | None]) -> list[Path | None]:
    """Return each ultrasound image's mask file, if it has one of the image's own size."""
    masks: list[Path | None] = []
    for text, size in zip(_align_cells(row, MASK, count=len(sizes)), sizes, strict=True):
        path = row.file(MASK, text=text) if text else None
        mask_size = row.size(MASK, path=path, text=text)
        if mask_size and size and mask_size != size:
            row.findings.append(
                row.part(MASK, text).refuse(
                    "mask_size",
                    f"the size of its image, {size[0]} x {size[1]} px",
                    found=f"{text!r}, {mask_size[0]} x {mask_size[1]} px",
                    remedy="Export image and mask at the same size.",
                )
            )
        masks.append(path if mask_size else None)
    return masks


def read_rois(row: ImageCells, sizes: Sequence[Size | None]) -> list[Roi | None]:
    """Return each ultrasound image's rectangle, if its four cells hold one inside the image."""
    columns = [_align_cells(row, column, count=len(sizes)) for column in ROI]
    rois = [
        _roi(row, numbers, size=size)
        for numbers, size in zip(zip(*columns, strict=True), sizes, strict=True)
    ]
    row.findings.extend(roi for roi in rois if isinstance(roi, Finding))
    return [roi if isinstance(roi, Roi) else None for roi in rois]


def read_scales(row: ImageCells, column: str, *, count: int, what: str) -> list[float | None]:
    """Return the pixel size of each image; one value in the cell holds for all of them."""
    whole = row.text(column)
    one_for_all = whole and ";" not in whole
    texts = [whole] * count if one_for_all else _align_cells(row, column, count=count)
    scales: list[float | None] = []
    for text in filter(None, dict.fromkeys(texts)):
        size = number_in(row.part(column, text))
        if isinstance(size, Finding) or (size is not None and size <= 0):
            expected = f"the side of a pixel in {what}, above 0, or an empty cell"
            row.findings.append(row.part(column, text).refuse("unknown_value", expected))
    for text in texts:
        size = as_number(text) if text else None
        scales.append(size if size and size > 0 else None)
    return scales


def read_frames(
    row: ImageCells,
    column: str,
    *,
    paths: Sequence[Path | None],
    sizes: Sequence[Size | None],
) -> list[int | None]:
    """Return the frame to read of each image, counted from 1, where the cell names one.

    `sizes` are None of files that cannot be opened: their frames are not asked for.
    """
    frames: list[int | None] = []
    texts = _align_cells(row, column, count=len(paths))
    for text, path, size in zip(texts, paths, sizes, strict=True):
        number = as_number(text) if text else None
        frame = int(number) if number is not None and number.is_integer() else None
        if text and frame is None:
            expected = "the number of a frame, counted from 1, or an empty cell"
            row.findings.append(row.part(column, text).refuse("unknown_value", expected))
        elif frame is not None and path is not None and size is not None:
            try:
                require_frame(path, frame)
            except UnreadableImage as error:
                problem = error.problems[0]
                row.findings.append(
                    row.part(column, text).refuse(
                        "unknown_value", problem.expected, remedy=problem.remedy
                    )
                )
                frame = None
        frames.append(frame)
    return frames


def _align_cells(row: ImageCells, column: str, *, count: int) -> list[str]:
    """Return one text per image; all empty if the cell is, or holds another number of them."""
    text = row.text(column)
    if not text:
        return [""] * count
    pieces = pieces_of(text)
    if len(pieces) == count:
        return pieces
    modality = "pathology" if column.startswith("pathology") else "ultrasound"
    row.findings.append(
        row.part(column, text).refuse(
            "count",
            f"as many values as the row has {modality} images ({count})",
            remedy="Join several values with ';', in the order of the images.",
        )
    )
    return [""] * count


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a folder that may not be entered, a NUL
        return False


def _roi(row: ImageCells, texts: Sequence[str], *, size: Size | None) -> Roi | Finding | None:
    if not any(texts):
        return None
    numbers = [as_number(text) for text in texts]
    whole = [int(n) for n in numbers if n is not None and n.is_integer()]
    found = ", ".join(text or "empty" for text in texts)
    if len(whole) < len(ROI):
        expected = "four whole numbers in pixels of the original image, or four empty cells"
        return row.rectangle().refuse("roi", expected, found=found)
    try:
        roi = Roi(*whole)
    except RoiError:
        return row.rectangle().refuse("roi", "a width and height of at least 1 px", found=found)
    if size is None or roi.inside(width_px=size[0], height_px=size[1]):
        return roi
    return row.rectangle().refuse(
        "roi",
        f"a rectangle inside its image of {size[0]} x {size[1]} px",
        found=f"{found} (left, top, width, height)",
        remedy="Measure it on the original image, from its top left corner.",
    )


def read_image_cells(
    row: ImageCells, modality: ImageModality, *, wanted: CohortSchema
) -> tuple[ImageFile, ...]:
    """Return the images of one modality of one row; `row` collects files and what is wrong.

    Only headers are read, and of whole slides what tells where their tissue is. Images that
    cannot be used are left out; masks and rectangles belong to ultrasound, slides to pathology.
    """
    written = [piece for piece in pieces_of(row.text(modality)) if piece]
    paths = [row.file(modality, text=text) for text in written]
    sizes = [row.size(modality, path=p, text=t) for p, t in zip(paths, written, strict=True)]
    described = _ultrasound if modality == "ultrasound" else _pathology
    images: list[ImageFile] = []
    for text, file, size in zip(written, described(row, paths, sizes), sizes, strict=True):
        if file is not None and size is not None:
            images += (
                [_as_drawn(row, text, file, size=size, wanted=wanted)]
                if modality == "ultrasound"
                else _bag(row, text, file, wanted=wanted)
            )
    return tuple(images)


def _ultrasound(
    row: ImageCells, paths: Sequence[Path | None], sizes: Sequence[Size | None]
) -> Iterator[ImageFile | None]:
    masks, rois = read_masks(row, sizes), read_rois(row, sizes)
    scales = read_scales(row, "ultrasound_pixel_mm", count=len(paths), what="mm")
    frames = read_frames(row, "ultrasound_frame", paths=paths, sizes=sizes)
    for n, path in enumerate(paths):
        yield (
            ImageFile(path, roi=rois[n], mask=masks[n], pixel_mm=scales[n], frame=frames[n])
            if path
            else None
        )


def _pathology(
    row: ImageCells, paths: Sequence[Path | None], _sizes: Sequence[Size | None]
) -> Iterator[ImageFile | None]:
    scales = read_scales(row, "pathology_mpp", count=len(paths), what="micrometres")
    for path, mpp in zip(paths, scales, strict=True):
        yield ImageFile(path, mpp=mpp) if path else None


def _bag(
    row: ImageCells, text: str, file: ImageFile, *, wanted: CohortSchema
) -> tuple[ImageFile, ...]:
    """Return the tiles of a slide; any other image as it is, unless the study cuts it too."""
    cell = row.part("pathology", text)
    try:
        tiles, remarks = tiles_of(file, wanted.tiles, side_px=wanted.tile_px, kept=wanted.plans)
    except NoTissue as fault:
        problem = replace(fault.problems[0], place=cell.place)
        row.findings.append(error("low_tissue", problem, patients=(cell.patient_id,)))
        return ()
    except UnreadableImage as fault:
        row.findings.append(unreadable(cell, fault))
        return ()
    for code, problem in remarks:
        there = replace(problem, place=cell.place)
        row.findings.append(warning(code, there, patients=(cell.patient_id,)))
    return tiles


def _as_drawn(
    row: ImageCells, text: str, file: ImageFile, *, size: Size, wanted: CohortSchema
) -> ImageFile:
    """Return the image with the rectangle and mask that rois.csv has for it, if any."""
    drawn = wanted.drawn.get(image_key(text))
    placed, findings = place_roi(file, drawn, cell=row.part("ultrasound", text), size_px=size)
    row.findings.extend(findings)
    if placed.mask is not None and placed.mask != file.mask:
        cell = row.part("ultrasound", text)
        row.listed.append(Listed(placed.mask, cell, "mask"))
    return placed
