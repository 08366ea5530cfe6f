"""The image cells of one row: paths, masks, rectangles and pixel sizes, one per image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from axilla.cohort.cells import Cell, as_number, number_in
from axilla.cohort.columns import ROI
from axilla.cohort.findings import Finding
from axilla.cohort.images import image_size
from axilla.records.errors import RoiError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.roi import Roi
from axilla.records.units import ImageModality

_MASK = "ultrasound_mask"

CellOf = Callable[[str], Cell]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the table lists; `cell.text` is its path as written there."""

    path: Path
    cell: Cell
    kind: Literal["image", "mask"]


@dataclass(slots=True)
class _Row:
    """Collects what one row's image cells yield."""

    folder: Path
    cell: CellOf
    listed: list[Listed] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_image_cells(
    cell: CellOf, modality: ImageModality, *, folder: Path
) -> tuple[tuple[ImageFile, ...], tuple[Listed, ...], tuple[Finding, ...]]:
    """Return the images of one modality of one row, the files listed, and what is wrong.

    Paths are relative to `folder`. Only headers are read. Images that cannot be used are left
    out; masks and rectangles belong to ultrasound only.
    """
    row = _Row(folder, cell)
    written = [piece for piece in _pieces(cell(modality).text) if piece]
    paths = [_file(row, modality, text=text) for text in written]
    sizes = [_size(row, modality, path=p, text=t) for p, t in zip(paths, written, strict=True)]
    count = len(written)
    masks: Sequence[Path | None] = [None] * count
    rois: Sequence[Roi | None] = [None] * count
    scales: Sequence[float | None] = [None] * count
    if modality == "ultrasound":
        masks = _masks(row, sizes)
        rois = _rois(row, sizes)
        scales = _scales(row, count)
    images = tuple(
        ImageFile(path, roi=rois[i], mask=masks[i], pixel_mm=scales[i])
        for i, path in enumerate(paths)
        if path is not None and sizes[i] is not None
    )
    return images, tuple(row.listed), tuple(row.findings)


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in text.split(";")]


def _aligned(row: _Row, column: str, *, count: int) -> list[str]:
    """Return one text per image; all empty if the cell is, or holds another number of them."""
    cell = row.cell(column)
    pieces = _pieces(cell.text)
    if not cell.text or len(pieces) == count:
        return pieces if cell.text else [""] * count
    row.findings.append(
        cell.refuse(
            "count",
            f"as many values as the row has ultrasound images ({count})",
            remedy="Join several values with ';', in the order of the images.",
        )
    )
    return [""] * count


def _file(row: _Row, column: str, *, text: str) -> Path | None:
    cell = _part(row.cell(column), text)
    for spelling in (text, text.replace("\\", "/")):
        path = row.folder / spelling
        if _is_file(path):
            return path
    remedy = "Paths are relative to the table's folder; correct the path, or add the file."
    row.findings.append(cell.refuse("file_missing", "an existing file", remedy=remedy))
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, or a folder that may not be entered
        return False


def _part(cell: Cell, text: str) -> Cell:
    return Cell(text, cell.column, row=cell.row, table=cell.table, patient_id=cell.patient_id)


def _size(row: _Row, column: str, *, path: Path | None, text: str) -> Size | None:
    if path is None:
        return None
    cell = _part(row.cell(column), text)
    try:
        size = image_size(path)
    except UnreadableImage as error:
        row.findings.append(unreadable(cell, error))
        return None
    row.listed.append(Listed(path, cell, "mask" if column == _MASK else "image"))
    return size


def unreadable(cell: Cell, error: UnreadableImage) -> Finding:
    """Return the error that the file which `cell` names cannot be read."""
    problem = error.problems[0]
    found = f"{cell.text!r}, {problem.found}"
    return cell.refuse("image_unreadable", problem.expected, remedy=problem.remedy, found=found)


def _masks(row: _Row, sizes: Sequence[Size | None]) -> list[Path | None]:
    masks: list[Path | None] = []
    for text, size in zip(_aligned(row, _MASK, count=len(sizes)), sizes, strict=True):
        path = _file(row, _MASK, text=text) if text else None
        mask_size = _size(row, _MASK, path=path, text=text)
        if mask_size and size and mask_size != size:
            cell = _part(row.cell(_MASK), text)
            row.findings.append(
                cell.refuse(
                    "mask_size",
                    f"the size of its image, {size[0]} x {size[1]} px",
                    found=f"{text!r}, {mask_size[0]} x {mask_size[1]} px",
                    remedy="Export image and mask at the same size.",
                )
            )
        masks.append(path if mask_size else None)
    return masks


def _rois(row: _Row, sizes: Sequence[Size | None]) -> list[Roi | None]:
    columns = [_aligned(row, column, count=len(sizes)) for column in ROI]
    cell = _part(row.cell(", ".join(ROI)), "; ".join(row.cell(column).text for column in ROI))
    rois = [
        _roi(cell, numbers, size=size)
        for numbers, size in zip(zip(*columns, strict=True), sizes, strict=True)
    ]
    row.findings.extend(roi for roi in rois if isinstance(roi, Finding))
    return [roi if isinstance(roi, Roi) else None for roi in rois]


def _roi(cell: Cell, texts: Sequence[str], *, size: Size | None) -> Roi | Finding | None:
    if not any(texts):
        return None
    found = ", ".join(text or "empty" for text in texts)
    numbers = [as_number(text) for text in texts]
    whole = [int(n) for n in numbers if n is not None and n.is_integer()]
    if len(whole) < len(ROI):
        expected = "four whole numbers in pixels of the original image, or four empty cells"
        return cell.refuse("roi", expected, found=found)
    try:
        roi = Roi(*whole)
    except RoiError:
        return cell.refuse("roi", "a width and height of at least 1 px", found=found)
    if size is None or roi.inside(width_px=size[0], height_px=size[1]):
        return roi
    return cell.refuse(
        "roi",
        f"a rectangle inside its image of {size[0]} x {size[1]} px",
        found=f"{found} (left, top, width, height)",
        remedy="Measure it on the original image, from its top left corner.",
    )


def _scales(row: _Row, count: int) -> list[float | None]:
    column = "ultrasound_pixel_mm"
    whole = row.cell(column)
    one_for_all = whole.text and ";" not in whole.text
    texts = [whole.text] * count if one_for_all else _aligned(row, column, count=count)
    scales: list[float | None] = []
    for text in dict.fromkeys(texts):
        size_mm = number_in(_part(whole, text))
        if isinstance(size_mm, Finding) or (size_mm is not None and size_mm <= 0):
            expected = "the side of a pixel in mm, above 0, or an empty cell"
            row.findings.append(_part(whole, text).refuse("unknown_value", expected))
    for text in texts:
        size_mm = as_number(text)
        scales.append(size_mm if size_mm and size_mm > 0 else None)
    return scales
