"""The external set: the frozen bundle on patients that had no part in its development."""

from dataclasses import dataclass

from axilla.records.estimate import Estimate
from axilla.report.page import PageSection, render
from axilla.report.reported_models import model_label
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults

_METRICS = {
    "auc": "AUC",
    "recall": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "npv": "NPV",
    "brier": "Brier score",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
}


@dataclass(frozen=True, slots=True)
class ExternalLine:
    """One metric: out of fold in development, and of each external model or reader."""

    title: str
    development: Estimate | None
    external: tuple[Estimate | None, ...]


def external_section(material: ReportContext) -> PageSection | None:
    """The frozen bundle's numbers beside those it was expected to reach; None without a set."""
    results = material.results
    if results.external.empty:
        return None
    models = [str(model) for model in results.external["model"].unique()]
    first = results.external.iloc[0]
    html = render(
        "sections/external.html.j2",
        lines=_lines(results, models),
        titles=[_title(results, model, first=model == models[0]) for model in models],
        n=int(first["n"]),
        n_positive=int(first["n_positive"]),
    )
    return PageSection("External set", "external", html)


def _lines(results: StudyResults, models: list[str]) -> list[ExternalLine]:
    measured = _describe_internal_auc(results)
    lines = [
        ExternalLine(
            title,
            results.estimate(measured, metric) if measured else None,
            tuple(results.external_estimate(model, metric) for model in models),
        )
        for metric, title in _METRICS.items()
    ]
    return [line for line in lines if any(estimate for estimate in line.external)]


def _describe_internal_auc(results: StudyResults) -> str | None:
    """What was measured out of fold of the model that the bundle became."""
    for entry in results.entries:
        if entry.chosen and entry.family == "fusion":
            return entry.name
    bundle = results.provenance.get("bundle")
    model = str(bundle.get("model")) if isinstance(bundle, dict) else ""
    chosen = f"{model.partition('/')[0]}/selected"
    names = {entry.name for entry in results.entries}
    return next((name for name in (chosen, model) if name in names), None)


def _title(results: StudyResults, model: str, *, first: bool) -> str:
    if first:
        return f"Bundle ({model_label(model)}), external"
    reader = next((e.title for e in results.entries if e.name == model), model)
    return f"{reader}, external"
