"""roi_reviews.csv: what two readers drew on the same images, under codes and not names."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final, Literal, get_args

from axilla.cohort.tables.spreadsheet import SheetRow, read_sheet
from axilla.cohort.values.cells import as_number
from axilla.records.errors import CohortError, Problem, RoiError
from axilla.records.roi_rectangle import Roi
from axilla.records.table_columns import harmless

Decision = Literal["accepted", "redrawn", "disagreement", "settled"]

REVIEWS: Final = "roi_reviews.csv"
_SIDES: Final = ("left", "top", "width", "height")
COLUMNS: Final = (
    "image",
    "patient_id",
    "first_reader",
    "second_reader",
    *(f"first_{side}" for side in _SIDES),
    *(f"second_{side}" for side in _SIDES),
    "iou",
    "decision",
    "pixel_mm",
)
_MEND: Final = "`axilla serve` writes the file; let it write it again."


@dataclass(frozen=True, slots=True)
class RoiReview:
    """One image that two readers judged; a rectangle is None where one saw no lesion to draw."""

    image: str
    patient_id: str
    readers: tuple[str, str]
    first: Roi | None
    second: Roi | None
    decision: Decision
    pixel_mm: float | None = None

    @property
    def iou(self) -> float | None:
        """Return the overlap of both rectangles, 0 if only one reader drew, None if neither."""
        if self.first is None or self.second is None:
            return None if self.first is self.second else 0.0
        return self.first.iou(self.second)


def reviews_csv(reviews: Iterable[RoiReview]) -> bytes:
    """Return the file of these reviews; cells that a spreadsheet would compute get a quote."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in reviews:
        names = [harmless(text) for text in (one.image, one.patient_id, *one.readers)]
        iou = "" if one.iou is None else f"{one.iou:.6f}"
        scale = "" if one.pixel_mm is None else repr(one.pixel_mm)
        writer.writerow([*names, *_sides(one.first), *_sides(one.second), iou, one.decision, scale])
    return stream.getvalue().encode()


def read_reviews(path: Path) -> tuple[RoiReview, ...]:
    """Read roi_reviews.csv; raise `CohortError` with every problem. No image is opened."""
    text = path.read_bytes()
    if text.decode("utf-8-sig", errors="replace").strip().count("\n") == 0:
        return ()
    sheet = read_sheet(path)
    if missing := [column for column in COLUMNS if column not in sheet.columns]:
        found = f"columns {', '.join(sheet.columns)}"
        raise CohortError(Problem(path.name, found, f"also {', '.join(missing)}", _MEND))
    problems: list[Problem] = []
    reviews = []
    for row in sheet.rows:
        try:
            reviews.append(_review(row))
        except (ValueError, RoiError):
            place = f"{path.name}, row {row.number}"
            expected = "two readers, their rectangles in whole px, and a decision"
            problems.append(Problem(place, "another content", expected, _MEND))
    if problems:
        raise CohortError(problems)
    return tuple(reviews)


def _sides(roi: Roi | None) -> list[int | str]:
    if roi is None:
        return [""] * len(_SIDES)
    return list(roi.sides)


def _review(row: SheetRow) -> RoiReview:
    cells = row.cells
    decision: Decision = next(
        one for one in get_args(Decision) if one == _check_reader_code(cells["decision"])
    )
    return RoiReview(
        cells["image"].removeprefix("'"),
        cells["patient_id"].removeprefix("'"),
        (cells["first_reader"], cells["second_reader"]),
        _roi(row, "first"),
        _roi(row, "second"),
        decision,
        as_number(cells["pixel_mm"]),
    )


def _check_reader_code(text: str) -> str:
    if text not in get_args(Decision):
        raise ValueError(text)
    return text


def _roi(row: SheetRow, reader: str) -> Roi | None:
    texts = [row.cells[f"{reader}_{side}"] for side in _SIDES]
    return Roi(*map(int, texts)) if any(texts) else None
