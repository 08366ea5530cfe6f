"""Files of answers as readers send them: CSV or Excel tables, and the page's JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.explanation.reader_study.packets import COLUMNS
from axilla.records.errors import Problem, StudyError

_LARGEST_BYTES: Final = 1 << 26
_NEEDED: Final = COLUMNS[:6]


@dataclass(frozen=True, slots=True)
class Given:
    """One answer as it stands in a file; `place` is its row, or its number."""

    file: str
    place: str
    reader: str
    case: str
    modality: str
    criterion: str
    present: str
    matches: str
    comment: str
    packet: str


def read_given(path: Path) -> list[Given]:
    """Read the answers of one file; raise `StudyError` or `CohortError` if it holds none."""
    if path.suffix.lower() == ".json":
        return _json(path)
    sheet = read_sheet(path)
    names = {" ".join(name.casefold().replace("_", " ").split()): name for name in sheet.columns}
    columns = {name: names.get(name.replace("_", " ")) for name in COLUMNS}
    if absent := [name for name in _NEEDED if columns[name] is None]:
        remedy = "Use the answers.csv of the packet, or the table that its page saves."
        expected = f"also {', '.join(absent)}"
        found = f"columns {', '.join(sheet.columns)}"
        raise StudyError(Problem(f"{sheet.name}, row 1", found, expected, remedy))
    return [
        _given(
            path.name,
            f"row {row.number}",
            {name: row.cells.get(own or "", "") for name, own in columns.items()},
        )
        for row in sheet.rows
    ]


def _json(path: Path) -> list[Given]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _unreadable(path, "more than 64 MiB")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        answers = content["answers"]
        common = {"reader": content["reader"], "packet": content.get("packet", "")}
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, "no readable answers") from error
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise _unreadable(path, "no list of answers")
    return [
        _given(path.name, f"answer {number}", common | answer)
        for number, answer in enumerate(answers, start=1)
    ]


def _given(file: str, place: str, cells: Mapping[str, Any]) -> Given:
    return Given(file, place, *(_text(cells.get(name)) for name in COLUMNS))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value).strip()


def _unreadable(path: Path, found: str) -> StudyError:
    expected = "the CSV, Excel or JSON file that a reader sent back"
    return StudyError(Problem(path.name, found, expected, "Ask the reader to save it again."))
