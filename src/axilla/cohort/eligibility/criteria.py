"""Eligibility criteria (paper, section 2.1) and the inclusion flow."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.eligibility.rules import RuleFault, Verdicts, columns_of, decide, parse_rule
from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import UNKNOWN_WORDS, cell_in, code_of, name_of
from axilla.cohort.values.dates import dates_in
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning
from axilla.records.patients import Patient
from axilla.records.types import Modality

_YES_NO = {
    "contralateral_history": "contralateral breast cancer in the history",
    "neoadjuvant": "chemotherapy or radiotherapy before surgery",
    "bilateral_or_multiple": "bilateral cancer or several lesions",
    "exceeds_probe": "lesion larger than the ultrasound probe",
}
_YES = {"1", "y", "t", "+", "(+)", "是", "有", "ja", "oui", "да", "tak", "はい", "예"}
_NO = {"0", "n", "f", "-", "(-)", "\N{MINUS SIGN}", "none", "否", "无", "無"}
_NO |= {"nein", "non", "нет", "nie", "いいえ", "아니오"}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Patients whom one criterion excludes; the classes count those with a known outcome."""

    reason: str
    patients: tuple[str, ...]
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Screening:
    """Which rows of the table stay, and how the others leave, each by its first criterion.

    `not_assessed` counts, for every criterion that was applied, the patients who stay although
    their cells do not tell; it names a criterion as `Exclusion.reason` does.
    """

    stays: tuple[bool, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    not_assessed: Mapping[str, int] = field(default_factory=dict)

    def about_those_who_stay(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Leave out what concerns only patients who are excluded."""
        gone = {patient for one in self.excluded for patient in one.patients}
        return tuple(f for f in findings if not f.patients or set(f.patients) - gone)


@dataclass(frozen=True, slots=True)
class _Criterion:
    """Whom a criterion excludes, in the table's rows; None where it cannot be assessed.

    `wrong` are the cells that it cannot read.
    """

    reason: str
    excludes: Verdicts
    place: str
    wrong: tuple[Finding, ...] = ()


def screen(
    sheet: Sheet, wanted: CohortSchema, *, labels: Sequence[int | None]
) -> tuple[Screening, tuple[Finding, ...]]:
    """Apply the study's criteria in order; return who stays, and what to say about it.

    `labels` are the outcomes of the table's rows. A row that a criterion cannot assess stays. What
    is wrong with the cells of those who have left by then is not said.
    """
    findings: list[Finding] = []
    criteria = [*_paper(sheet, wanted, findings), *_own(sheet, wanted, findings)]
    stays = [True] * len(sheet.rows)
    excluded = []
    for criterion in criteria:
        gone = {name_of(row) for row, stay in zip(sheet.rows, stays, strict=True) if not stay}
        findings += [f for f in criterion.wrong if not f.patients or set(f.patients) - gone]
        rows = [i for i, out in enumerate(criterion.excludes) if out and stays[i]]
        for i in rows:
            stays[i] = False
        classes = [labels[i] for i in rows]
        names = tuple(name_of(sheet.rows[i]) for i in rows)
        excluded.append(
            Exclusion(criterion.reason, names, classes.count(1), negative=classes.count(0))
        )
        if rows:
            findings.append(_make_finding(criterion, names, of=len(stays)))
    findings += [
        finding for criterion in criteria for finding in _find_unassessed(sheet, criterion, stays)
    ]
    if stays and not any(stays):
        findings.append(_nobody_left(wanted, len(stays)))
    not_assessed = {c.reason: len(_open(c, stays)) for c in criteria}
    return Screening(tuple(stays), tuple(excluded), not_assessed), tuple(dict.fromkeys(findings))


def _paper(sheet: Sheet, wanted: CohortSchema, findings: list[Finding]) -> Iterator[_Criterion]:
    section = wanted.eligibility
    if section is None or not section.paper:
        return
    for column, reason in _YES_NO.items():
        if column in sheet.columns:
            yield _yes_no(sheet, column, reason=reason)
    if {"ultrasound_date", "biopsy_date"} <= set(sheet.columns):
        yield _interval(
            sheet,
            "ultrasound_date",
            "biopsy_date",
            reason="biopsy before the ultrasound examination",
            allowed=lambda days: days >= 0,
        )
    fewest, most = section.surgery_days
    if not 0 <= fewest <= most:
        findings.append(_bad_days(wanted, fewest, most))
    elif {"biopsy_date", "surgery_date"} <= set(sheet.columns):
        yield _interval(
            sheet,
            "biopsy_date",
            "surgery_date",
            reason=f"surgery not {fewest} to {most} days after the biopsy",
            allowed=lambda days: fewest <= days <= most,
        )


def _yes_no(sheet: Sheet, column: str, *, reason: str) -> _Criterion:
    verdicts: list[bool | None] = []
    wrong = []
    for row in sheet.rows:
        cell = cell_in(sheet, row, column)
        code = code_of(cell.text)
        verdicts.append(True if code in _YES else False if code in _NO else None)
        if verdicts[-1] is None and code not in UNKNOWN_WORDS:
            expected = "yes, no (or 1, 0, true, false, 是, 否, +, -), or an empty cell"
            wrong.append(cell.refuse("unknown_value", expected, remedy=cell.translate))
    return _Criterion(reason, tuple(verdicts), sheet.place(column), tuple(wrong))


def _interval(
    sheet: Sheet, first: str, second: str, *, reason: str, allowed: Callable[[int], bool]
) -> _Criterion:
    starts, wrong = dates_in(sheet, first)
    ends, also_wrong = dates_in(sheet, second)
    excludes = tuple(
        None if start is None or end is None else not allowed((end - start).days)
        for start, end in zip(starts, ends, strict=True)
    )
    return _Criterion(reason, excludes, sheet.place(second), (*wrong, *also_wrong))


def _own(sheet: Sheet, wanted: CohortSchema, findings: list[Finding]) -> Iterator[_Criterion]:
    include = wanted.eligibility.include if wanted.eligibility else {}
    for reason, text in include.items():
        place = f"{wanted.asked_by}, eligibility.include.{reason!r}"
        try:
            rule = parse_rule(text)
            for column in columns_of(rule):
                if column.name not in sheet.columns:
                    raise _unknown(column.name, sheet, position=column.position)
        except RuleFault as fault:
            problem = Problem(place, fault.found, fault.expected, fault.remedy)
            findings.append(error("eligibility", problem))
            continue
        fulfilled, wrong = decide(rule, sheet)
        excludes = tuple(None if v is None else not v for v in fulfilled)
        yield _Criterion(reason, excludes, place, wrong)


def _unknown(column: str, sheet: Sheet, *, position: int) -> RuleFault:
    ours = {header: name for name, header in sheet.headers.items()}
    near = ours.get(column) or nearest(column, sheet.columns)
    return RuleFault(
        f"no column {column!r}",
        f"one of the columns of {sheet.name}: {', '.join(sheet.columns)}",
        position=position,
        remedy=f"Did you mean {near}?" if near else "A text stands in quotation marks: 'text'.",
    )


def _open(criterion: _Criterion, stays: Sequence[bool]) -> list[int]:
    return [i for i, out in enumerate(criterion.excludes) if out is None and stays[i]]


def _make_finding(criterion: _Criterion, patients: tuple[str, ...], *, of: int) -> Finding:
    problem = Problem(
        criterion.place,
        f"{len(patients)} of {of} patients excluded: {criterion.reason}",
        "patients who meet the study's criteria",
        "They neither train nor test a model; the inclusion flow counts them.",
    )
    return warning("excluded", problem, patients=patients)


def _find_unassessed(
    sheet: Sheet, criterion: _Criterion, stays: Sequence[bool]
) -> Iterator[Finding]:
    if rows := _open(criterion, stays):
        problem = Problem(
            criterion.place,
            f"{len(rows)} of {sum(stays)} patients not assessed: {criterion.reason}",
            "cells that tell",
            "They stay in the study, and the inclusion flow counts them as not assessed.",
        )
        names = [name_of(sheet.rows[i]) for i in rows]
        yield warning("eligibility", problem, patients=names)


def _bad_days(wanted: CohortSchema, fewest: int, most: int) -> Finding:
    problem = Problem(
        f"{wanted.asked_by}, eligibility.surgery_days",
        f"{fewest}, {most}",
        "two numbers of days, the fewest first",
        "As surgery_days = [7, 14].",
    )
    return error("eligibility", problem)


def _nobody_left(wanted: CohortSchema, count: int) -> Finding:
    problem = Problem(
        f"{wanted.asked_by}, eligibility",
        f"criteria that exclude all {count} patients",
        "patients who stay",
        "Correct the rules or the cells, or set paper = false.",
    )
    return error("eligibility", problem)


_NOBODY_LEFT_OUT = Screening()


def inclusion_flow(
    patients: Sequence[Patient],
    modalities: Sequence[Modality],
    *,
    screening: Screening = _NOBODY_LEFT_OUT,
) -> dict[str, Any]:
    """Return the counts of flow.json; of a table that could not be read, all are 0.

    `patients` are those who stay. `excluded` names reasons in the order in which they were
    applied; each patient is counted once, and classes count those whose outcome is known.
    """
    labelled = [patient for patient in patients if patient.label is not None]
    sites = sorted({patient.site for patient in patients if patient.site is not None})
    return {
        "in_table": len(patients) + sum(len(one.patients) for one in screening.excluded),
        "excluded": [
            {
                "reason": one.reason,
                "count": len(one.patients),
                "positive": one.positive,
                "negative": one.negative,
            }
            for one in screening.excluded
        ],
        "not_assessed": dict(screening.not_assessed),
        "without_outcome": len(patients) - len(labelled),
        "labelled": len(labelled),
        **_classes(labelled),
        "groups": len({patient.group for patient in labelled}),
        "external": sum(patient.split == "external" for patient in labelled),
        "modalities": {
            modality: _classes(patient for patient in labelled if patient.has(modality))
            for modality in modalities
        },
        "all_modalities": _classes(
            patient for patient in labelled if all(patient.has(m) for m in modalities)
        ),
        "sites": {
            site: _classes(patient for patient in labelled if patient.site == site)
            for site in sites
        },
    }


def _classes(patients: Iterable[Patient]) -> dict[str, int]:
    labels = [patient.label for patient in patients]
    return {"positive": labels.count(1), "negative": labels.count(0)}
