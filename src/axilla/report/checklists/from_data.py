"""Evidence that lies in the patients and their table."""

from collections.abc import Mapping
from typing import Any

from axilla.report.checklists.evidence import Evidence, Finder, method_place
from axilla.report.number_format import interval_text, join_items, number, percent, pluralise
from axilla.report.sections.methods import methods_of_evaluation
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import headline_of
from axilla.report.tables.inclusion_stages import flow_stages, fold_sizes, patients_in

_SHOWN = 6


def _study_name(results: StudyResults) -> Evidence:
    study = results.config.study
    return Evidence(f"Study “{study.name}”: prediction of {study.outcome} from {_inputs(results)}.")


def _data_source(results: StudyResults) -> Evidence:
    flow = _flow(results)
    patients = flow.get("in_table")
    size = f", {pluralise(patients, 'patient')}" if isinstance(patients, int) else ""
    return Evidence(
        f"Cohort table {results.config.cohort.table}{size}.",
        ("#cohort", "#patients", "#provenance"),
    )


def _sites(results: StudyResults) -> Evidence | None:
    sites = _flow(results).get("sites")
    if not isinstance(sites, Mapping) or not sites:
        return None
    sizes = {name: patients_in(had) for name, had in list(sites.items())[:_SHOWN]}
    names = [name if size is None else f"{name} ({size:,})" for name, size in sizes.items()]
    names += [f"{len(sites) - _SHOWN} more"] if len(sites) > _SHOWN else []
    return Evidence(
        f"{pluralise(len(sites), 'site')} (patients): {join_items(names)}.",
        ("#patients", "flow.json"),
    )


def _eligibility(results: StudyResults) -> Evidence | None:
    stages = flow_stages(results)
    left = [f"{one.reason} {one.count:,}" for stage in stages for one in stage.leaving]
    if not stages:
        return None
    said = f"left out: {join_items(left)}" if left else "nobody was left out"
    return Evidence(
        f"Of {pluralise(stages[0].count, 'patient')} in the table, {said}.",
        ("#patients", "flow.json"),
    )


def _flow_diagram(results: StudyResults) -> Evidence | None:
    stages = flow_stages(results)
    if not stages:
        return None
    last = stages[-1]
    return Evidence(
        f"From {stages[0].count:,} in the table to {last.count:,} evaluated: {last.positive:,} "
        f"positive, {last.negative:,} negative.",
        ("#patients", "figures/inclusion_flow.svg", "flow.json"),
    )


def _quality(results: StudyResults) -> Evidence | None:
    check = results.check
    if not isinstance(check, Mapping):
        return None
    warnings = check.get("warnings")
    found = len(warnings) if isinstance(warnings, list) else 0
    return Evidence(
        f"axilla check read every row and every image file before training: "
        f"{pluralise(found, 'warning')}, no error.",
        ("#warnings", "check.json"),
    )


def _outcome(results: StudyResults) -> Evidence:
    study = results.config.study
    return Evidence(
        f"Column {study.outcome}; {study.positive} is positive.",
        (method_place("Outcome"), "#cohort"),
    )


def _predictors(results: StudyResults) -> Evidence:
    return Evidence(f"{_inputs(results).capitalize()}.", (method_place("Models"),))


def _annotation(results: StudyResults) -> Evidence | None:
    said = []
    if results.config.models.ultrasound:
        said.append("The lesion's region in each ultrasound image comes from the cohort table.")
    if results.config.reader is not None:
        said.append(f"The reading is column {results.config.reader.column}.")
    places = (method_place("Preprocessing"), method_place("Reader"))
    return Evidence(" ".join(said), places) if said else None


def _same_annotation(results: StudyResults) -> Evidence | None:
    if not results.config.models.ultrasound:
        return None
    return Evidence(
        "Every patient is a test patient once, annotated as all others are: regions come from the "
        "same columns of the table."
        if results.config.validation.scheme != "holdout"
        else "Test patients were drawn after annotation, from the same table.",
        (method_place("Validation"),),
    )


def _regions(results: StudyResults) -> Evidence | None:
    models = results.config.models
    said = []
    if models.ultrasound:
        context = percent(results.config.preprocessing.roi_margin)
        said.append(f"Ultrasound: the lesion's bounding box and {context} of its sides around it.")
    if models.pathology:
        said.append("Pathology: each image file as a whole.")
    return Evidence(" ".join(said), (method_place("Preprocessing"),)) if said else None


def _sample_size(results: StudyResults) -> Evidence | None:
    headline = headline_of(results)
    if headline is None:
        return None
    auc = headline.auc
    return Evidence(
        f"{auc.n:,} patients, {auc.n_positive:,} positive; they give the AUC of "
        f"{headline.name} an interval {number(auc.high - auc.low)} wide "
        f"({interval_text(auc)}).",
        ("#limitations", "#learning", "metrics.csv"),
    )


def _missing_handling(results: StudyResults) -> Evidence | None:
    parts = {part.topic: part.text for part in methods_of_evaluation(results)}
    if "Missing data" not in parts:
        return None
    return Evidence(
        f"{parts['Missing data']} Patients without a known outcome are left out.",
        (method_place("Missing data"), "#availability", "#patients"),
    )


def _missing_amount(results: StudyResults) -> Evidence | None:
    table = results.missingness
    if table.empty:
        return None
    some = table[table["n_missing"] > 0]
    parts = [
        f"{row['column']} {percent(row['n_missing'] / row['n'])}" for row in some.to_dict("records")
    ]
    parts = parts[:_SHOWN] + ([f"{len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else [])
    text = (
        f"Missing: {join_items(parts)}." if parts else "No modality, value or reading is missing."
    )
    return Evidence(text, ("#limitations", "missingness.csv"))


def _table1(results: StudyResults) -> Evidence | None:
    if results.table1.empty:
        return None
    return Evidence("Table 1.", ("#table1", "table1.csv"))


def _analysis_sizes(results: StudyResults) -> Evidence | None:
    sizes = fold_sizes(results)
    if not sizes:
        return None
    train, test = [fold.train for fold in sizes], [fold.test for fold in sizes]
    positive = [fold.test_positive for fold in sizes]
    return Evidence(
        f"{pluralise(len(sizes), 'fold')}: trained and tuned on {_span(train)} patients, tested on "
        f"{_span(test)} ({_span(positive)} positive).",
        ("#patients", "splits.csv"),
    )


def _data_digest(results: StudyResults) -> Evidence | None:
    digest = results.provenance.get("cohort_digest")
    if not digest:
        return None
    return Evidence(
        f"The same data can be recognised by their digest, {digest}.",
        ("#provenance", "provenance.json"),
    )


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _inputs(results: StudyResults) -> str:
    config = results.config
    inputs = ["ultrasound images"] if config.models.ultrasound else []
    inputs += ["pathology images"] if config.models.pathology else []
    inputs += list(config.clinical) if config.models.clinical else []
    return join_items(inputs) or "what the models were given"


def _flow(results: StudyResults) -> Mapping[str, Any]:
    return results.flow if isinstance(results.flow, Mapping) else {}


FROM_DATA: Mapping[str, Finder] = {
    "study_name": _study_name,
    "data_source": _data_source,
    "sites": _sites,
    "eligibility": _eligibility,
    "flow": _flow_diagram,
    "quality": _quality,
    "outcome": _outcome,
    "predictors": _predictors,
    "annotation": _annotation,
    "same_annotation": _same_annotation,
    "regions": _regions,
    "sample_size": _sample_size,
    "missing_handling": _missing_handling,
    "missing_amount": _missing_amount,
    "table1": _table1,
    "analysis_sizes": _analysis_sizes,
    "data_digest": _data_digest,
}
