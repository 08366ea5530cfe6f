"""What a person should know about a cohort, apart from what is wrong in single cells."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from axilla.cohort.cohort_schema import CohortSchema
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning
from axilla.records.patients import Patient

_SPARSE = 0.5


def remarks_on(
    patients: Sequence[Patient], wanted: CohortSchema, *, table: str
) -> Iterator[Finding]:
    """Yield a warning for each trait of the cohort that weakens what can be concluded.

    A group that stands on both sides of the external split is an error.
    """
    yield from _outcomes(patients, wanted, table=table)
    yield from _external(patients, table=table)
    yield from _modalities(patients, wanted, table=table)
    for column in wanted.clinical:
        yield from _clinical(patients, column, table=table)
    yield from _groups(patients, wanted)


def _outcomes(
    patients: Sequence[Patient], wanted: CohortSchema, *, table: str
) -> Iterator[Finding]:
    if without := [p.patient_id for p in patients if p.label is None]:
        yield warning(
            "outcome_missing",
            Problem(
                f"{table}, column {wanted.outcome}",
                f"{len(without)} of {len(patients)} patients without outcome",
                "an outcome",
                "They neither train nor test a model.",
            ),
            patients=without,
        )


def _external(patients: Sequence[Patient], *, table: str) -> Iterator[Finding]:
    if external := [p.patient_id for p in patients if p.split == "external"]:
        yield warning(
            "external_set_aside",
            Problem(
                f"{table}, column split",
                f"{len(external)} of {len(patients)} patients external",
                "patients to develop on",
                "They neither train nor test a model; the finished bundle predicts them once.",
            ),
            patients=external,
        )


def _modalities(
    patients: Sequence[Patient], wanted: CohortSchema, *, table: str
) -> Iterator[Finding]:
    for modality in wanted.modalities:
        if lacking := [p.patient_id for p in patients if not p.has(modality)]:
            yield warning(
                "modality_missing",
                Problem(
                    table,
                    f"{len(lacking)} of {len(patients)} patients without {modality}",
                    f"{modality} of every patient",
                    "A model predicts those who bring its modality; the report gives each n.",
                ),
                patients=lacking,
            )


def _clinical(patients: Sequence[Patient], column: str, *, table: str) -> Iterator[Finding]:
    values = [patient.clinical.get(column) for patient in patients]
    known = [value for value in values if value is not None]
    place = f"{table}, column {column}"
    if len(set(known)) <= 1:
        found = f"only {known[0]!r}" if known else "no value"
        remedy = f"It cannot help a model; remove {column} from [clinical]."
        yield warning("constant", Problem(place, found, "values that differ", remedy))
    elif len(known) < _SPARSE * len(values):
        yield warning(
            "sparse",
            Problem(
                place,
                f"{len(values) - len(known)} of {len(values)} cells empty",
                "at most half of them empty",
                "Most values a model sees are imputed.",
            ),
        )


def _groups(patients: Sequence[Patient], wanted: CohortSchema) -> Iterator[Finding]:
    groups: dict[str, list[Patient]] = defaultdict(list)
    for patient in patients:
        if patient.label is not None:
            groups[patient.group].append(patient)
    place = f"{wanted.asked_by}, cohort.group"
    several = [members for members in groups.values() if len(members) > 1]
    if several and all(len({p.label for p in members}) == 1 for members in several):
        yield warning(
            "groups_of_one_class",
            Problem(
                place,
                f"{len(groups)} groups, each with one outcome only",
                "groups that hold both outcomes",
                "The evidence is that of the groups, not of the patients; see the intervals.",
            ),
        )
    for members in several:
        if len({patient.split for patient in members}) > 1:
            yield _across_split(members, place=place)


def _across_split(members: Sequence[Patient], *, place: str) -> Finding:
    external = sum(patient.split == "external" for patient in members)
    found = f"{len(members) - external} of them in the development set, {external} in the external"
    return error(
        "group_across_split",
        Problem(
            f"{place}, the group of {members[0].patient_id}",
            found,
            "an external set of other groups",
            "Correct column split, or the external result will look too good.",
        ),
        patients=[patient.patient_id for patient in members],
    )
