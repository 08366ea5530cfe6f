"""The ultrasound images that a study's table lists, and the one that a tool's file means."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from axilla.cohort.cohort_schema import wanted_by
from axilla.cohort.image_columns import pieces_of
from axilla.cohort.roi_table import image_key
from axilla.cohort.tables.columns import ROI, translate
from axilla.cohort.tables.spreadsheet import SheetRow, read_sheet
from axilla.cohort.values.cells import as_number
from axilla.config.study import StudyConfig
from axilla.imaging.open_image import picture_size
from axilla.records.errors import CohortError, Problem
from axilla.records.roi_rectangle import Roi

_IMAGE = "ultrasound"
_MASK = "ultrasound_mask"
_SCALE = "ultrasound_pixel_mm"
_FRAME = "ultrasound_frame"


@dataclass(frozen=True, slots=True)
class StudyImage:
    """An image of the table: `text` is its path as written there, `roi` and `mask` its own.

    `pixel_mm` and `frame` (from 1) are what the table says of it.
    """

    text: str
    path: Path
    row: int
    roi: Roi | None = None
    mask: Path | None = None
    patient_id: str = ""
    pixel_mm: float | None = None
    frame: int | None = None


class AmbiguousName(Exception):  # noqa: N818 - reads as what it is
    """A name fits several images of the table; `texts` are their paths."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        super().__init__(", ".join(texts))


class ImageIndex:
    """Finds images of the table by the names that annotation tools give them."""

    def __init__(self, images: Iterable[StudyImage]) -> None:
        self._by_path: dict[str, list[StudyImage]] = defaultdict(list)
        self._by_name: dict[str, list[StudyImage]] = defaultdict(list)
        self._by_stem: dict[str, list[StudyImage]] = defaultdict(list)
        for image in images:
            path = PurePosixPath(image_key(image.text).casefold())
            self._by_path[str(path)].append(image)
            self._by_name[path.name].append(image)
            self._by_stem[path.stem].append(image)

    def find(self, names: Iterable[str]) -> StudyImage | None:
        """Return the image that the first fitting name means, None if none fits.

        A path as the table writes it, else a file name, else, for a name without suffix, the
        file name without its own; letter case does not count. Of several images of one name, the
        one whose folders fit too. Raises `AmbiguousName` if that leaves several.
        """
        for name in names:
            if found := self._find(name):
                if len(found) > 1:
                    raise AmbiguousName([image.text for image in found])
                return found[0]
        return None

    def _find(self, name: str) -> list[StudyImage]:
        path = PurePosixPath(image_key(name).casefold())
        if exact := self._by_path.get(str(path)):
            return exact
        same = self._by_name.get(path.name, []) or self._by_stem.get(path.name, [])
        if len(same) < 2:  # noqa: PLR2004 - nothing to choose between
            return same
        return [image for image in same if _folders_fit(image, path)] or same


def study_images(config: StudyConfig, folder: Path) -> tuple[StudyImage, ...]:
    """Return the ultrasound images of the table, each path once; no image is opened.

    `folder` holds study.toml. Raises `CohortError` if the table cannot be read, has no column
    ultrasound, or holds rectangles that are none.
    """
    table = folder / config.cohort.table
    sheet, _ = translate(read_sheet(table), wanted_by(config))
    if _IMAGE not in sheet.columns:
        expected = "a column ultrasound, which lists the images"
        found = f"columns {', '.join(sheet.columns)}"
        raise CohortError(Problem(f"{sheet.name}, row 1", found, expected))
    problems: list[Problem] = []
    images: dict[str, StudyImage] = {}
    for row in sheet.rows:
        texts = [text for text in pieces_of(row.cells[_IMAGE]) if text]
        masks = _align_cells(row, _MASK, count=len(texts))
        sides = zip(*(_align_cells(row, column, count=len(texts)) for column in ROI), strict=True)
        scales, frames = _scales(row, count=len(texts)), _align_cells(row, _FRAME, count=len(texts))
        for n, (text, mask, numbers) in enumerate(zip(texts, masks, sides, strict=True)):
            roi = _roi(numbers, place=f"{sheet.name}, row {row.number}", problems=problems)
            image = StudyImage(
                text,
                table.parent / text.replace("\\", "/"),
                row.number,
                roi=roi,
                mask=table.parent / mask.replace("\\", "/") if mask else None,
                patient_id=row.cells.get("patient_id", ""),
                pixel_mm=scales[n],
                frame=_frame(frames[n]),
            )
            images.setdefault(image_key(text), image)
    if problems:
        raise CohortError(problems)
    return tuple(images.values())


def size_of(path: Path) -> tuple[int, int]:
    """Return the (width, height) in px that ROIs of this file are drawn on.

    Raises `UnreadableImage`.
    """
    return picture_size(path)


def _folders_fit(image: StudyImage, path: PurePosixPath) -> bool:
    """Tell whether one path ends in the other, folder by folder."""
    own = PurePosixPath(image_key(image.text).casefold()).parts
    length = min(len(own), len(path.parts))
    return own[-length:] == path.parts[-length:]


def _align_cells(row: SheetRow, column: str, *, count: int) -> list[str]:
    pieces = pieces_of(row.cells.get(column, ""))
    return pieces if len(pieces) == count else [""] * count


def _scales(row: SheetRow, *, count: int) -> list[float | None]:
    """Return the side of a pixel in mm of each image; one value in the cell holds for all."""
    whole = row.cells.get(_SCALE, "")
    one_for_all = bool(whole) and ";" not in whole
    texts = [whole] * count if one_for_all else _align_cells(row, _SCALE, count=count)
    sizes = [as_number(text) for text in texts]
    return [size if size and size > 0 else None for size in sizes]


def _frame(text: str) -> int | None:
    number = as_number(text)
    return int(number) if number is not None and number.is_integer() and number > 0 else None


def _roi(texts: Sequence[str], *, place: str, problems: list[Problem]) -> Roi | None:
    if not any(texts):
        return None
    numbers = [as_number(text) for text in texts]
    whole = [int(number) for number in numbers if number is not None and number.is_integer()]
    if len(whole) == len(ROI) and whole[2] > 0 and whole[3] > 0:
        return Roi(*whole)
    found = ", ".join(text or "empty" for text in texts)
    remedy = "Run `axilla check`, and correct the table."
    problems.append(Problem(place, found, "roi_left, roi_top, roi_width, roi_height", remedy))
    return None
