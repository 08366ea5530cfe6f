"""A reporting checklist: items, evidence, and the section of the page."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal

import pandas as pd

from axilla.report.checklists.evidence import Finder
from axilla.report.checklists.from_data import FROM_DATA
from axilla.report.checklists.from_methods import FROM_METHODS, FROM_MODELS
from axilla.report.checklists.from_results import FROM_RESULTS
from axilla.report.page import PageSection, render
from axilla.report.study_results import StudyResults

Status = Literal["filled", "partly filled", "for the authors to write"]

CHECKLISTS: Final = ("tripod_ai", "claim")
COLUMNS: Final = ("item", "topic", "status", "where", "text")
FINDERS: Final[Mapping[str, Finder]] = MappingProxyType(
    {**FROM_DATA, **FROM_METHODS, **FROM_MODELS, **FROM_RESULTS}
)


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One item: what it asks, the evidence to look for, and what only the authors can write."""

    number: str
    section: str
    topic: str
    asks: str
    evidence: tuple[str, ...] = ()
    authors: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """A reporting checklist; `main_items` is how many items it has, without their parts."""

    key: str
    name: str
    about: str
    source: str
    main_items: int
    items: tuple[ChecklistItem, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One item with what the study has for it: text, and places that exist."""

    item: ChecklistItem
    status: Status
    text: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """A whole checklist, filled."""

    checklist: Checklist
    answers: tuple[Answered, ...]

    def count(self, status: Status) -> int:
        """Return how many items have this status."""
        return sum(answer.status == status for answer in self.answers)


def read_checklist(key: str) -> Checklist:
    """Read one of `CHECKLISTS` as it ships with axilla."""
    text = (files("axilla.report.checklists") / f"{key}.toml").read_text(encoding="utf-8")
    raw: dict[str, Any] = tomllib.loads(text)
    items = tuple(
        ChecklistItem(**{**item, "evidence": tuple(item.get("evidence", ()))})
        for item in raw.pop("item")
    )
    return Checklist(key=key, items=items, **raw)


def fill(
    checklist: Checklist,
    results: StudyResults,
    *,
    anchors: Collection[str],
    files: Collection[str],
) -> Filled:
    """Fill a checklist from a study; only places among `anchors` and `files` are named."""
    known = {f"#{anchor}" for anchor in anchors} | set(files)
    return Filled(
        checklist,
        tuple(_answer_item(item, results, known=known) for item in checklist.items),
    )


def checklist_frame(filled: Filled) -> pd.DataFrame:
    """Return a filled checklist as written to CSV: one row per item."""
    rows = [
        (a.item.number, a.item.topic, a.status, "; ".join(a.places), _whole_text(a))
        for a in filled.answers
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _answer_item(item: ChecklistItem, results: StudyResults, *, known: Collection[str]) -> Answered:
    found = [e for name in item.evidence if (e := FINDERS[name](results)) is not None]
    if not found:
        return Answered(item, "for the authors to write", "", ())
    places = dict.fromkeys(place for e in found for place in e.places if place in known)
    return Answered(
        item,
        "partly filled" if item.authors else "filled",
        " ".join(e.text for e in found if e.text),
        tuple(places),
    )


def _whole_text(answered: Answered) -> str:
    item = answered.item
    if answered.status == "for the authors to write":
        return f"{item.asks}."
    rest = f" Still to write: {item.authors}." if item.authors else ""
    return f"{answered.text}{rest}"


def checklists_section(filled: Sequence[Filled]) -> PageSection:
    """Every item of each checklist, with its evidence or with what the authors must write."""
    html = render("sections/checklists.html.j2", checklists=filled)
    return PageSection("Reporting checklists", "checklists", html)
