"""Read and check readers' answers, from tables or from the packet's page."""

from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.explanation.reader_study.blinding_key import Key
from axilla.explanation.reader_study.packets import COLUMNS, list_questions
from axilla.explanation.reader_study.reading_questions import fold_text
from axilla.records.errors import CohortError, Problem, StudyError
from axilla.records.types import ImageModality

_LARGEST_BYTES: Final = 1 << 26
_NEEDED: Final = COLUMNS[:6]
Question = tuple[str, str, ImageModality, str]
"""Reader, code of the case, modality, criterion."""
_YES: Final = frozenset({"yes", "y", "1", "true", "present", "x"})
_NO: Final = frozenset({"no", "n", "0", "false", "absent"})
_NOTHING: Final = frozenset({"", "-", "n/a", "na"})
_LISTED: Final = 8
_ALIKE: Final = 0.6


@dataclass(frozen=True, slots=True)
class AnswerRow:
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


class _PageAnswers(BaseModel):
    """The file that the page of a packet saves."""

    reader: Any
    packet: Any = ""
    answers: list[dict[str, Any]]


def read_given(path: Path) -> list[AnswerRow]:
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
        _parse_answer(
            path.name,
            f"row {row.number}",
            {name: row.cells.get(own or "", "") for name, own in columns.items()},
        )
        for row in sheet.rows
    ]


def _json(path: Path) -> list[AnswerRow]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _unreadable(path, "more than 64 MiB")
        content = _PageAnswers.model_validate_json(path.read_bytes().removeprefix(BOM_UTF8))
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except ValidationError as error:
        raise _unreadable(path, "no readable answers") from error
    common = {"reader": content.reader, "packet": content.packet}
    return [
        _parse_answer(path.name, f"answer {number}", common | answer)
        for number, answer in enumerate(content.answers, start=1)
    ]


def _parse_answer(file: str, place: str, cells: Mapping[str, Any]) -> AnswerRow:
    return AnswerRow(file, place, *(_text(cells.get(name)) for name in COLUMNS))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value).strip()


def _unreadable(path: Path, found: str) -> StudyError:
    expected = "the CSV, Excel or JSON file that a reader sent back"
    return StudyError(Problem(path.name, found, expected, "Ask the reader to save it again."))


@dataclass(frozen=True, slots=True)
class Rating:
    """A valid answer; `matches` is None where the finding is absent, or was left out."""

    present: bool
    matches: bool | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """All valid answers, what is wrong with the others, and what nobody has answered yet."""

    ratings: Mapping[Question, Rating]
    faults: tuple[Problem, ...]
    missing: tuple[Problem, ...]


@dataclass(slots=True)
class _Collected:
    rows: dict[Question, list[AnswerRow]] = field(default_factory=lambda: defaultdict(list))
    strange: dict[tuple[str, str, str], list[AnswerRow]] = field(
        default_factory=lambda: defaultdict(list)
    )
    faults: list[Problem] = field(default_factory=list)


def read_answers(paths: Sequence[Path], key: Key) -> Answers:
    """Read answers of any number of files, in any order.

    The same answer may stand in several files; two different ones are a fault, and neither counts.
    A cell that is empty in one file and filled in another is filled.
    """
    known = _Known(key)
    collected = _Collected()
    for path in paths:
        try:
            given = read_given(path)
        except (CohortError, StudyError) as error:
            collected.faults += error.problems
            continue
        _collect(given, known, collected)
    collected.faults += [known.strange(*what, rows) for what, rows in collected.strange.items()]
    ratings: dict[Question, Rating] = {}
    wrong: set[Question] = set()
    for question, rows in collected.rows.items():
        rating, faults = _judge(rows)
        collected.faults += faults
        if rating is not None:
            ratings[question] = rating
        elif faults:
            wrong.add(question)
    empty, missing = _find_unanswered(key, set(ratings) | wrong, collected.rows)
    return Answers(ratings, (*collected.faults, *empty), missing)


class _Known:
    """What a packet's answers may name, found without regard to letter case."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._readers = {fold_text(reader): reader for reader in key.orders}
        self._items = {fold_text(item.case): item for item in key.items}
        self._modalities = {fold_text(modality): modality for modality in key.criteria}
        self._criteria = {
            modality: {fold_text(text): text for text in texts}
            for modality, texts in key.criteria.items()
        }

    def packet(self, name: str) -> bool:
        """Tell whether an answer belongs to this export, as far as it says."""
        return fold_text(name) in ("", self._key.packet)

    def question(self, row: AnswerRow) -> Question | tuple[str, str]:
        """Return what a row answers, or the column that names something unknown and its text."""
        reader = self._readers.get(fold_text(row.reader))
        if reader is None:
            return "reader", row.reader
        item = self._items.get(fold_text(row.case))
        if item is None:
            return "case", row.case
        modality = self._modalities.get(fold_text(row.modality))
        if modality is None or modality not in item.modalities:
            return "modality", row.modality
        criterion = self._criteria[modality].get(fold_text(row.criterion))
        if criterion is None:
            return "criterion", row.criterion
        return reader, item.case, modality, criterion

    def strange(self, file: str, column: str, text: str, rows: Sequence[AnswerRow]) -> Problem:
        """Return the fault of all rows of a file that name the same unknown thing."""
        known: dict[str, list[str]] = {
            "reader": list(self._readers.values()),
            "case": [item.case for item in self._items.values()],
            "modality": list(self._modalities.values()),
            "criterion": [own for texts in self._criteria.values() for own in texts.values()],
        }
        choices = known[column]
        near = get_close_matches(text, choices, n=1, cutoff=_ALIKE)
        remedy = f"Did you mean {near[0]!r}? " if near and near[0] != text else ""
        many = f" ({len(rows)} rows)" if len(rows) > 1 else ""
        found = (
            f"{column} {text!r}{many}, which the packets do not hold" if text else f"no {column}"
        )
        expected = "one that the case shows" if column == "modality" else _some(choices)
        return Problem(
            f"{file}, {rows[0].place}", found, expected, f"{remedy}Correct it; the rest is kept."
        )


def _collect(given: Iterable[AnswerRow], known: _Known, collected: _Collected) -> None:
    foreign: dict[tuple[str, str], list[AnswerRow]] = defaultdict(list)
    for row in given:
        if not known.packet(row.packet):
            foreign[row.file, row.packet].append(row)
            continue
        found = known.question(row)
        if len(found) == 2:  # noqa: PLR2004 - a column and its text
            collected.strange[row.file, *found].append(row)
        else:
            collected.rows[found].append(row)
    collected.faults += [
        Problem(
            f"{file}, {rows[0].place}",
            f"answers to packet {packet!r}",
            "answers to the packet of results/review/key.json",
            "These readers saw other cases: score them with the key of their own export.",
        )
        for (file, packet), rows in foreign.items()
    ]


def _judge(rows: Sequence[AnswerRow]) -> tuple[Rating | None, list[Problem]]:
    """Return the one answer of several rows to a question, and what is wrong with them."""
    filled = [row for row in rows if row.present or row.matches or row.comment]
    if not filled:
        return None, []
    read = [_rating(row) for row in filled]
    faults = [fault for _, fault in read if fault is not None]
    ratings = [rating for rating, _ in read if rating is not None]
    answers = {(rating.present, rating.matches) for rating in ratings}
    if len(answers) > 1:
        places = " and ".join(f"{row.file}, {row.place}" for row in filled[:2])
        found = f"two different answers to {_name(filled[0])}"
        return None, [*faults, Problem(places, found, "one answer", "Keep one; neither counts.")]
    return (ratings[0] if ratings else None), faults


def _rating(row: AnswerRow) -> tuple[Rating | None, Problem | None]:
    """Return a row's answer; an invalid or missing match leaves `present` standing."""
    present, matches = _yes(row.present), _yes(row.matches)
    if present is None:
        what = "an empty rating" if fold_text(row.present) in _NOTHING else repr(row.present)
        return None, _fault(row, "present", what, "yes or no")
    if not present:
        if matches:
            found = "attention_matches yes where present is no"
            return None, _fault(row, "attention_matches", found, "no answer there")
        return Rating(present=False, matches=None, comment=row.comment), None
    rating = Rating(present=True, matches=matches, comment=row.comment)
    if matches is not None:
        return rating, None
    what = "an empty rating" if fold_text(row.matches) in _NOTHING else repr(row.matches)
    return rating, _fault(row, "attention_matches", what, "yes or no, as present is yes")


def _yes(text: str) -> bool | None:
    word = fold_text(text)
    return True if word in _YES else False if word in _NO else None


def _fault(row: AnswerRow, column: str, found: str, expected: str) -> Problem:
    place = f"{row.file}, {row.place}, column {column}"
    remedy = f"Ask {row.reader} about {_name(row)}."
    return Problem(place, found, expected, remedy)


def _find_unanswered(
    key: Key, answered: set[Question], rows: Mapping[Question, Sequence[AnswerRow]]
) -> tuple[list[Problem], tuple[Problem, ...]]:
    """Return empty ratings in cases that were begun, and cases and readers without any."""
    empty: list[Problem] = []
    missing: list[Problem] = []
    for reader in key.orders:
        untouched: list[str] = []
        for item in key.items:
            questions = [
                (reader, item.case, m, c) for _, m, c in list_questions([item], key.criteria)
            ]
            left = [question for question in questions if question not in answered]
            if len(left) == len(questions):
                untouched.append(item.case)
            elif left:
                empty.append(_begun(left, rows, of=len(questions)))
        if untouched:
            every = len(untouched) == len(key.items)
            found = "no answers" if every else f"{len(untouched)} cases without a rating"
            cases = "" if every else f"Not rated: {_some(untouched)}."
            expected = f"answers to {len(key.items)} cases"
            missing.append(Problem(f"reader {reader}", found, expected, cases))
    return empty, tuple(missing)


def _begun(
    left: Sequence[Question], rows: Mapping[Question, Sequence[AnswerRow]], *, of: int
) -> Problem:
    reader, case = left[0][:2]
    where = next((f"{row.file}, {row.place}, " for q in left for row in rows.get(q, ())), "")
    found = f"{len(left)} of {of} ratings empty ({_some([f'{m}: {c}' for _, _, m, c in left])})"
    remedy = f"Ask {reader} to complete {case}."
    return Problem(f"{where}{reader}, case {case}", found, "yes or no for each", remedy)


def _name(row: AnswerRow) -> str:
    return f"{row.case}, {row.modality}, {row.criterion}"


def _some(items: Sequence[str]) -> str:
    more = ", ..." if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more


def valid_rows(answers: Answers, key: Key) -> Iterator[tuple[Question, Rating, int]]:
    """Yield every valid answer with the place of its case in the reader's order, from 1."""
    places = {
        (reader, case): place
        for reader, order in key.orders.items()
        for place, case in enumerate(order, start=1)
    }
    for question, rating in answers.ratings.items():
        yield question, rating, places[question[:2]]
