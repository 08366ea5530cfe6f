"""Findings that somebody has looked at and lets stand, with the reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from axilla.cohort.tables.columns import nearest
from axilla.config.sections import AcceptedFinding
from axilla.records.errors import ConfigError, Problem
from axilla.records.findings import CODES, UNUSED, Finding, code_named, warning


def refuse_unacceptable(
    accepted: Sequence[AcceptedFinding], *, asked_by: str = "study.toml"
) -> None:
    """Raise `ConfigError`, all at once, for codes that do not exist or cannot be accepted."""
    problems = [
        problem
        for number, item in enumerate(accepted, start=1)
        if (problem := _refusal(item, place=f"{asked_by}, accept {number}"))
    ]
    if problems:
        raise ConfigError(problems)


def accept(
    findings: Sequence[Finding],
    accepted: Sequence[AcceptedFinding],
    *,
    asked_by: str = "study.toml",
) -> tuple[Finding, ...]:
    """Return the findings in their order, those that `accepted` covers with severity accepted.

    An acceptance that names patients covers what concerns only them; a finding that lists several
    patients one by one is split into what is accepted and what stands, one on what ties patients
    together (as a shared image) needs all of them named. The first acceptance that covers a
    finding counts. What covers nothing gets the warning `accept_unused`. Errors whose code is not
    acceptable stand. Raises `ConfigError` for codes that do not exist or cannot be accepted.
    """
    refuse_unacceptable(accepted, asked_by=asked_by)
    settled = tuple(findings)
    unused: list[Finding] = []
    for number, item in enumerate(accepted, start=1):
        pairs = [_apply(item, finding) for finding in settled]
        settled = tuple(part for pair in pairs for part in pair if part is not None)
        taken = [covered for covered, _ in pairs if covered is not None]
        unused += _find_unused(item, taken, place=f"{asked_by}, accept {number} ({item.code})")
    return (*settled, *unused)


def _refusal(item: AcceptedFinding, *, place: str) -> Problem | None:
    if item.code not in CODES:
        near = nearest(item.code, CODES)
        remedy = f"Did you mean {near}?" if near else "results/check.json gives each its code."
        return Problem(place, repr(item.code), "the code of a finding", remedy)
    code = CODES[item.code]
    if code.grade == "error" and not code.acceptable:
        expected = "a finding that a study can run with"
        remedy = f"{code.meaning} Mend what is found, and remove this acceptance."
        return Problem(place, f"{item.code} ({code.title.lower()})", expected, remedy)
    if item.code == UNUSED:
        expected = "the finding itself"
        return Problem(place, UNUSED, expected, "Remove the acceptance that covers nothing.")
    return None


def _apply(item: AcceptedFinding, finding: Finding) -> tuple[Finding | None, Finding | None]:
    """Return what of a finding is accepted by `item`, and what stands or was accepted before."""
    code = code_named(finding.code)
    may = finding.severity == "warning" or (finding.severity == "error" and code.acceptable)
    if finding.code != item.code or not may:
        return None, finding
    named = set(item.patients)
    theirs = [patient for patient in finding.patients if patient in named]
    if not named or (theirs and len(theirs) == len(finding.patients)):
        return replace(finding, severity="accepted", reason=item.reason), None
    if not theirs or code.whole:
        return None, finding
    return _divide(finding, theirs, reason=item.reason)


def _divide(finding: Finding, theirs: Sequence[str], *, reason: str) -> tuple[Finding, Finding]:
    count = f"accepted for {len(theirs)} of the {len(finding.patients)}"
    problem = replace(finding.problem, found=f"{finding.problem.found}, {count}")
    rest = tuple(patient for patient in finding.patients if patient not in theirs)
    covered = Finding(finding.code, "accepted", problem, tuple(theirs), reason)
    return covered, replace(finding, problem=problem, patients=rest)


def _find_unused(
    item: AcceptedFinding, taken: Sequence[Finding], *, place: str
) -> Iterator[Finding]:
    reached = {patient for finding in taken for patient in finding.patients}
    idle = [patient for patient in item.patients if patient not in reached]
    if taken and not idle:
        return
    found = f"none of patient {', '.join(idle)}" if idle else "no such finding"
    remedy = "Once no error is left, remove the acceptance, or correct its code and patients."
    if code_named(item.code).whole and idle:
        remedy = f"A finding that ties patients together needs all of them named. {remedy}"
    yield warning(UNUSED, Problem(place, found, "a finding to let stand", remedy), patients=idle)
