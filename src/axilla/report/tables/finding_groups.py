"""The findings of check.json, grouped by what they say, for a screen or a page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from axilla.records.codes import code_named
from axilla.report.number_format import counted

Severity = Literal["error", "warning", "accepted"]

LISTS: Mapping[str, Severity] = {"errors": "error", "warnings": "warning", "accepted": "accepted"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding, as text."""

    place: str
    found: str
    expected: str
    remedy: str
    patients: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """The findings of one code and severity, in the order of check.json."""

    code: str
    severity: Severity
    title: str
    meaning: str
    findings: tuple[Shown, ...]

    @property
    def expected(self) -> tuple[str, ...]:
        """What was expected, each said once."""
        return _once(finding.expected for finding in self.findings)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do, each said once."""
        return _once(finding.remedy for finding in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the findings were accepted, each said once."""
        return _once(finding.reason for finding in self.findings)

    @property
    def patients(self) -> tuple[str, ...]:
        """Whom the findings concern, each once."""
        return _once(patient for finding in self.findings for patient in finding.patients)

    @property
    def counts(self) -> str:
        """How many findings, on how many patients, in words."""
        patients = [counted(len(self.patients), "patient")] if self.patients else []
        return ", ".join([counted(len(self.findings), "finding"), *patients])


def finding_groups(check: Mapping[str, Any]) -> tuple[FindingGroup, ...]:
    """Return the findings of check.json by code: errors first, then warnings, then accepted."""
    gathered: dict[tuple[Severity, str], list[Shown]] = {}
    for severity, finding in _findings(check):
        code = str(finding.get("code") or "")
        gathered.setdefault((severity, code), []).append(_shown(finding))
    return tuple(
        FindingGroup(
            code=code,
            severity=severity,
            title=code_named(code).title,
            meaning=code_named(code).meaning,
            findings=tuple(findings),
        )
        for (severity, code), findings in gathered.items()
    )


def patients_named(check: Mapping[str, Any]) -> frozenset[str]:
    """Return every patient whom a finding concerns."""
    return frozenset(patient for _, one in _findings(check) for patient in _shown(one).patients)


def listed(names: Iterable[str], *, most: int) -> str:
    """Return the first names, and how many more there are."""
    known = list(names)
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more} more" if more > 0 else "")


def _findings(check: Mapping[str, Any]) -> Iterator[tuple[Severity, Mapping[str, Any]]]:
    for name, severity in LISTS.items():
        for finding in check.get(name) or ():
            yield severity, finding


def _shown(finding: Mapping[str, Any]) -> Shown:
    return Shown(
        place=str(finding.get("place") or ""),
        found=str(finding.get("found") or ""),
        expected=str(finding.get("expected") or ""),
        remedy=str(finding.get("remedy") or ""),
        patients=tuple(str(patient) for patient in finding.get("patients") or ()),
        reason=str(finding.get("reason") or ""),
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
