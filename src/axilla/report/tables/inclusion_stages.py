"""Stages of inclusion, and the number of patients in each fold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from axilla.report.number_format import join_items, pluralise
from axilla.report.study_results import StudyResults

_SCHEMES = {
    "nested_cv": "out of fold, by models that had not seen them",
    "holdout": "held out from every model",
    "site": "by models of the other sites",
}


@dataclass(frozen=True, slots=True)
class Leaving:
    """Patients who go no further, and why."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class InclusionStage:
    """Patients at one stage; `leaving` are those who left on the way from the stage before."""

    label: str
    count: int
    positive: int | None = None
    negative: int | None = None
    notes: tuple[str, ...] = ()
    leaving: tuple[Leaving, ...] = ()


def flow_stages(results: StudyResults) -> tuple[InclusionStage, ...]:
    """Return the stages from the cohort table to the patients evaluated; none without flow.json.

    Exclusions are drawn as flow.json lists them: `without_outcome`, and any number of
    `{"reason": ..., "count": ...}` under `excluded`. Whoever is missing between two stages
    without a reason is counted too.
    """
    flow = results.flow if isinstance(results.flow, Mapping) else {}
    in_table, labelled = flow.get("in_table"), flow.get("labelled")
    if not (isinstance(in_table, int) and isinstance(labelled, int) and labelled):
        return ()
    stages = [InclusionStage("In the cohort table", in_table), _make_outcome_stage(results, flow)]
    external = flow.get("external")
    if isinstance(external, int) and external:
        left = Leaving("kept apart as external set", external)
        stages.append(InclusionStage("Development set", labelled - external, leaving=(left,)))
    return (*stages, _make_evaluated_stage(results, before=stages[-1].count))


def patients_in(found: Any) -> int | None:
    """Return how many patients a count by class holds, or None where it is no such count."""
    known = found if isinstance(found, Mapping) else {}
    positive, negative = known.get("positive"), known.get("negative")
    if isinstance(positive, int) and isinstance(negative, int):
        return positive + negative
    return None


def _make_outcome_stage(results: StudyResults, flow: Mapping[str, Any]) -> InclusionStage:
    excluded = flow.get("excluded")
    leaving = list(_exclusions(excluded if isinstance(excluded, list) else []))
    nobody_knows = flow.get("without_outcome")
    if isinstance(nobody_knows, int) and nobody_knows:
        leaving.append(Leaving("outcome unknown", nobody_knows))
    rest = flow["in_table"] - flow["labelled"] - sum(one.count for one in leaving)
    if rest > 0:
        leaving.append(Leaving("no reason recorded", rest))
    positive, negative = flow.get("positive"), flow.get("negative")
    known = isinstance(positive, int) and isinstance(negative, int)
    return InclusionStage(
        label="Eligible, outcome known" if excluded else "Outcome known",
        count=flow["labelled"],
        positive=positive if known else None,
        negative=negative if known else None,
        notes=tuple(_known_notes(results, flow)),
        leaving=tuple(leaving),
    )


def _known_notes(results: StudyResults, flow: Mapping[str, Any]) -> Iterator[str]:
    groups, sites = flow.get("groups"), flow.get("sites")
    columns = join_items(list(results.config.cohort.group))
    if columns and isinstance(groups, int):
        yield f"{pluralise(groups, 'group')} by {columns}"
    if isinstance(sites, Mapping) and len(sites) > 1:
        yield f"{len(sites)} sites"
    modalities = flow.get("modalities")
    if isinstance(modalities, Mapping) and len(modalities) > 1:
        yield from (
            f"with {name}: {count:,}"
            for name, had in (*modalities.items(), ("all of these", flow.get("all_modalities")))
            if (count := patients_in(had)) is not None
        )


def _exclusions(excluded: Sequence[Any]) -> Iterator[Leaving]:
    for item in excluded:
        count = item.get("count") if isinstance(item, Mapping) else None
        if isinstance(count, int) and count:
            yield Leaving(str(item.get("reason") or "no reason recorded"), count)


def _make_evaluated_stage(results: StudyResults, *, before: int) -> InclusionStage:
    patients = results.predictions.drop_duplicates("patient_id")
    positive, count = int(patients["label"].sum()), len(patients)
    scheme = results.config.validation.scheme
    why = "in the training part" if scheme == "holdout" else "without a prediction"
    return InclusionStage(
        label="Evaluated",
        count=count,
        positive=positive,
        negative=count - positive,
        notes=(_SCHEMES[scheme],),
        leaving=(Leaving(why, before - count),) if before > count else (),
    )


@dataclass(frozen=True, slots=True)
class FoldSize:
    """Patients of one fold: trained on, tested on, and positive among the tested."""

    repeat: str
    fold: str
    train: int
    test: int
    test_positive: int


def fold_sizes(results: StudyResults) -> tuple[FoldSize, ...]:
    """Return the sizes of every fold in splits.csv; none when the study has no such table."""
    splits = results.splits
    if splits.empty:
        return ()
    labels = results.predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    positive = set(labels.index[labels > 0])
    sizes = []
    for (repeat, fold), rows in splits.groupby(["repeat", "fold"], sort=True):
        tested = rows.loc[rows["role"] == "test", "patient_id"]
        sizes.append(
            FoldSize(
                repeat=str(repeat),
                fold=str(fold),
                train=int((rows["role"] == "train").sum()),
                test=len(tested),
                test_positive=int(tested.isin(positive).sum()),
            )
        )
    return tuple(sizes)
