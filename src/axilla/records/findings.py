"""What `axilla check` has to say: errors that stop a study, warnings that do not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from axilla.records.errors import CohortError, Problem

Severity = Literal["error", "warning", "accepted"]

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about the cohort, and the patients it concerns.

    `code` is one of `axilla.records.codes`. `reason` is why somebody accepted the finding.
    """

    code: str
    severity: Severity
    problem: Problem
    patients: tuple[str, ...] = ()
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as check.json holds it; only accepted ones have a reason."""
        return {
            "code": self.code,
            "severity": self.severity,
            "place": self.problem.place,
            "found": self.problem.found,
            "expected": self.problem.expected,
            "remedy": self.problem.remedy,
            "patients": list(self.patients),
            **({} if self.reason is None else {"reason": self.reason}),
        }


def error(code: str, problem: Problem, *, patients: Iterable[str] = ()) -> Finding:
    """Return a finding that stops the study."""
    return Finding(code, "error", problem, tuple(patients))


def warning(code: str, problem: Problem, *, patients: Iterable[str] = ()) -> Finding:
    """Return a finding that the study can live with."""
    return Finding(code, "warning", problem, tuple(patients))


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop the study."""
    return tuple(finding for finding in findings if finding.severity == "error")


def by_severity(findings: Iterable[Finding]) -> dict[str, list[dict[str, Any]]]:
    """Return the three lists of check.json: errors, warnings, accepted."""
    lists: dict[str, list[dict[str, Any]]] = {"errors": [], "warnings": [], "accepted": []}
    names = {"error": "errors", "warning": "warnings", "accepted": "accepted"}
    for finding in findings:
        lists[names[finding.severity]].append(finding.as_json())
    return lists


def cohort_error(findings: Iterable[Finding]) -> CohortError:
    """Return one error of all findings: every problem in `.problems`, the first 50 in the text."""
    problems = [finding.problem for finding in findings]
    whole = CohortError(problems)
    if len(problems) > _SHOWN:
        shown = [str(problem) for problem in problems[:_SHOWN]]
        rest = f"... and {len(problems) - _SHOWN} more problems, all in results/check.json."
        whole.args = ("\n".join([*shown, rest]),)
    return whole
