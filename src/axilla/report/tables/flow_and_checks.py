"""Rows of the inclusion flow, the findings and the provenance."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from axilla.records.findings import code_named
from axilla.report.number_format import pluralise
from axilla.report.reported_models import model_label

_SHOWN_PATIENTS = 8
_SHOWN_SITES = 12
_ORDER = {"error": 0, "warning": 1, "accepted": 2}
_FOLD_KEYS = ("repeat", "fold", "name")
Severity = Literal["error", "warning", "accepted"]
LISTS: Mapping[str, Severity] = {"errors": "error", "warnings": "warning", "accepted": "accepted"}


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One line of the inclusion flow; classes are None where the step does not tell them apart."""

    label: str
    count: int
    positive: int | None = None
    negative: int | None = None
    part: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding of `axilla check`."""

    severity: str
    place: str
    found: str
    expected: str
    remedy: str
    patients: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """The models that the inner splits of one fold chose."""

    fold: str
    models: tuple[str, ...]


def flow_steps(flow: Any) -> tuple[FlowRow, ...]:
    """Return the steps of flow.json; a part stands below the patients it is a part of."""
    if not isinstance(flow, Mapping):
        return ()
    modalities, sites = _mapping(flow.get("modalities")), _mapping(flow.get("sites"))
    steps = [
        _make_flow_row("In the cohort table", flow.get("in_table")),
        *(_make_exclusion_row(item) for item in _list(flow.get("excluded"))),
        _make_flow_row(
            "Outcome unknown, left out", flow.get("without_outcome"), positive_only=True
        ),
        _classes("Outcome known", flow),
    ]
    if len(modalities) > 1:
        steps += [_classes(f"with {name}", had, part=True) for name, had in modalities.items()]
        steps.append(_classes("with all of these", flow.get("all_modalities"), part=True))
    if 1 < len(sites) <= _SHOWN_SITES:
        steps += [_classes(f"at {site}", found, part=True) for site, found in sites.items()]
    steps.append(_make_flow_row("kept apart as external", flow.get("external"), positive_only=True))
    return tuple(step for step in steps if step is not None)


def flow_notes(flow: Any, *, group: str) -> tuple[str, ...]:
    """Return what else flow.json counts: groups, sites too many to list, criteria left open."""
    known = _mapping(flow)
    groups, sites = known.get("groups"), _mapping(known.get("sites"))
    notes = []
    if group and isinstance(groups, int):
        notes.append(f"They form {pluralise(groups, 'group')} by {group}.")
    if len(sites) > _SHOWN_SITES:
        notes.append(f"They come from {len(sites)} sites.")
    unknown = {
        reason: count
        for reason, count in _mapping(known.get("not_assessed")).items()
        if isinstance(count, int) and count
    }
    if unknown:
        parts = "; ".join(f"{reason}: {count:,}" for reason, count in unknown.items())
        notes.append(f"Cells left open whether a criterion excludes, and these stayed: {parts}.")
    return tuple(notes)


def remarks(check: Any) -> tuple[Remark, ...]:
    """Return the findings of check.json, errors first and accepted last, each as text."""
    found = []
    for item in _findings(check):
        patients = [str(patient) for patient in item.get("patients") or ()]
        rest = len(patients) - _SHOWN_PATIENTS
        shown = ", ".join(patients[:_SHOWN_PATIENTS]) + (f" and {rest} more" if rest > 0 else "")
        found.append(
            Remark(
                severity=str(item.get("severity") or item.get("level") or "warning"),
                place=str(item.get("place") or item.get("code") or ""),
                found=str(item.get("found") or item.get("message") or ""),
                expected=str(item.get("expected") or ""),
                remedy=str(item.get("remedy") or ""),
                patients=shown,
                reason=str(item.get("reason") or ""),
            )
        )
    return tuple(sorted(found, key=lambda remark: _ORDER.get(remark.severity, 1)))


def choices(
    provenance: Mapping[str, Any], *, without: Collection[str] = ()
) -> tuple[tuple[str, ...], tuple[FoldChoice, ...]]:
    """Return what was chosen (each modality, fusion) and, per fold, the model that was.

    Families in `without` are left out: those whose only model was no choice.
    """
    selected = [item for item in _list(provenance.get("selected")) if isinstance(item, Mapping)]
    left_out = {*_FOLD_KEYS, *without}
    modalities = tuple(dict.fromkeys(k for item in selected for k in item if k not in left_out))
    rows = tuple(
        FoldChoice(
            fold=str(item.get("name") or item.get("fold", "")),
            models=tuple(_format_choice(item.get(modality)) for modality in modalities),
        )
        for item in selected
    )
    return modalities, rows


def tally(modalities: Iterable[str], rows: Iterable[FoldChoice]) -> tuple[str, ...]:
    """Return, per modality, how often each model was chosen, the most frequent first."""
    rows = tuple(rows)
    lines = []
    for index, modality in enumerate(modalities):
        counts = Counter(row.models[index] for row in rows if row.models[index])
        parts = [f"{name} in {n} of {len(rows)} folds" for name, n in counts.most_common()]
        lines.append(f"{modality.capitalize()}: {', '.join(parts) or 'none'}.")
    return tuple(lines)


def _format_choice(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_format_choice(part) for part in value)
    return model_label(str(value)) if value else ""


def _findings(check: Any) -> list[Mapping[str, Any]]:
    if isinstance(check, Mapping):
        pairs = (
            ("errors", "error"),
            ("warnings", "warning"),
            ("accepted", "accepted"),
            ("findings", None),
        )
        return [
            item if severity is None else {"severity": severity, **item}
            for key, severity in pairs
            for item in _list(check.get(key))
            if isinstance(item, Mapping)
        ]
    return [item for item in _list(check) if isinstance(item, Mapping)]


def _make_flow_row(label: str, count: Any, *, positive_only: bool = False) -> FlowRow | None:
    if not isinstance(count, int) or (positive_only and not count):
        return None
    return FlowRow(label, count)


def _make_exclusion_row(item: Any) -> FlowRow | None:
    found = _mapping(item)
    step = _make_flow_row(
        f"Excluded: {found.get('reason')}", found.get("count"), positive_only=True
    )
    classes = _classes("", found)
    if step is None or classes is None:
        return step
    return FlowRow(step.label, step.count, classes.positive, classes.negative)


def _classes(label: str, found: Any, *, part: bool = False) -> FlowRow | None:
    known = _mapping(found)
    positive, negative = known.get("positive"), known.get("negative")
    if not (isinstance(positive, int) and isinstance(negative, int)):
        return None
    return FlowRow(label, positive + negative, positive, negative, part)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class FindingText:
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
    findings: tuple[FindingText, ...]

    @property
    def expected_values(self) -> tuple[str, ...]:
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
        patients = [pluralise(len(self.patients), "patient")] if self.patients else []
        return ", ".join([pluralise(len(self.findings), "finding"), *patients])


def finding_groups(check: Mapping[str, Any]) -> tuple[FindingGroup, ...]:
    """Return the findings of check.json by code: errors first, then warnings, then accepted."""
    gathered: dict[tuple[Severity, str], list[FindingText]] = {}
    for severity, finding in _findings_by_severity(check):
        code = str(finding.get("code") or "")
        gathered.setdefault((severity, code), []).append(_format_finding(finding))
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
    return frozenset(
        patient
        for _, one in _findings_by_severity(check)
        for patient in _format_finding(one).patients
    )


def list_names(names: Iterable[str], *, most: int) -> str:
    """Return the first names, and how many more there are."""
    known = list(names)
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more} more" if more > 0 else "")


def _findings_by_severity(check: Mapping[str, Any]) -> Iterator[tuple[Severity, Mapping[str, Any]]]:
    for name, severity in LISTS.items():
        for finding in check.get(name) or ():
            yield severity, finding


def _format_finding(finding: Mapping[str, Any]) -> FindingText:
    return FindingText(
        place=str(finding.get("place") or ""),
        found=str(finding.get("found") or ""),
        expected=str(finding.get("expected") or ""),
        remedy=str(finding.get("remedy") or ""),
        patients=tuple(str(patient) for patient in finding.get("patients") or ()),
        reason=str(finding.get("reason") or ""),
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
