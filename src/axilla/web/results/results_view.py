"""Results as they were read: metrics, curves, and the answer, in the report's own words."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from axilla.config.load import as_run, read_study
from axilla.records.estimate import Estimate
from axilla.records.run_folder import RunFolder
from axilla.report.answer import answer_of
from axilla.report.headline_models import protagonists
from axilla.report.number_format import sentence
from axilla.report.reported_models import FAMILY_TITLES, StudyModel
from axilla.report.study_results import StudyResults, estimate_of, load_results
from axilla.report.tables.family_summary import headline_of
from axilla.report.tables.flow_and_checks import flow_steps
from axilla.web.core.finite_numbers import finite
from axilla.web.core.http_errors import NotFoundError
from axilla.web.results.case_lists import no_model
from axilla.web.results.results_schemas import (
    BinPoint,
    DecisionPoint,
    Estimated,
    FlowStep,
    FoldOperatingPoint,
    Metrics,
    ModelCurves,
    ModelRow,
    Overview,
    RocPoint,
    SmoothPoint,
)

_POSITIVE: Final = 1


class View:
    """The results of one moment; everything it tells belongs together."""

    def __init__(self, results: StudyResults, folder: RunFolder) -> None:
        """Hold what was read."""
        self.results = results
        self.folder = folder
        self._entries = {entry.name: entry for entry in results.entries}

    def entry(self, model: str) -> StudyModel:
        """Return a model; raise `NotFoundError` if the study has none of this name."""
        found = self._entries.get(model)
        if found is None:
            raise NotFoundError(no_model(self._entries))
        return found

    def overview(self, *, figures: list[str], files: list[str]) -> Overview:
        """Return what the study found, in the report's words."""
        results, answer = self.results, answer_of(self.results)
        patients = results.predictions.drop_duplicates("patient_id")
        made = results.provenance
        seed = made.get("seed")
        return Overview(
            state="ready",
            name=results.config.study.name,
            outcome=results.config.study.outcome,
            patients=len(patients),
            n_positive=int((patients["label"] == _POSITIVE).sum()),
            lead=answer.lead,
            more=list(answer.more),
            caveats=list(answer.caveats),
            flow=[FlowStep.model_validate(step) for step in flow_steps(results.flow)],
            figures=figures,
            files=files,
            finished=str(made.get("finished") or ""),
            version=str(made.get("axilla_version") or ""),
            seed=seed if isinstance(seed, int) else results.config.study.seed,
            cohort_digest=str(made.get("cohort_digest") or ""),
        )

    def metrics(self) -> Metrics:
        """Return every model with its metrics."""
        results = self.results
        headline = headline_of(results)
        return Metrics(
            models=[self._row(entry) for entry in results.entries],
            leading=[entry.name for entry in protagonists(results)],
            headline=headline.entry.name if headline else None,
        )

    def curves(self, model: str) -> ModelCurves:
        """Return what is drawn of a model; raise `NotFoundError` for an unknown one."""
        entry, results = self.entry(model), self.results
        rows = results.predictions[results.predictions["model"] == model]
        patients = rows.drop_duplicates("patient_id")
        sensitivity, specificity = results.operating_point(model)
        calibration = results.calibration[results.calibration["model"] == model]
        decision = results.decision_curve[results.decision_curve["model"] == model]
        return ModelCurves(
            model=model,
            label=sentence(entry.long_label),
            n=len(patients),
            n_positive=int(patients["label"].sum()),
            repeats=int(rows["repeat"].nunique()),
            roc=self._roc(model),
            operating=FoldOperatingPoint(
                sensitivity=finite(sensitivity), specificity=finite(specificity)
            ),
            bins=_bins(calibration[calibration["part"] == "bin"]),
            smooth=_smooth(calibration[calibration["part"] == "smooth"]),
            slope=_get_estimate(results.estimate(model, "calibration_slope")),
            intercept=_get_estimate(results.estimate(model, "calibration_intercept")),
            decision=_decision(decision),
        )

    def _roc(self, model: str) -> list[RocPoint]:
        curve = self.results.roc(model)
        if curve is None:
            return []
        points = (curve.false_positive_rate, curve.true_positive_rate, curve.thresholds)
        return [
            RocPoint(false_positive_rate=x, sensitivity=y, threshold=finite(threshold))
            for x, y, threshold in zip(*(part.tolist() for part in points), strict=True)
        ]

    def _row(self, entry: StudyModel) -> ModelRow:
        rows = self.results.metrics[self.results.metrics["model"] == entry.name]
        metrics = {str(row["metric"]): row for row in rows.to_dict("records")}
        sizes = rows[rows["n"].notna()]
        return ModelRow(
            model=entry.name,
            label=sentence(entry.long_label),
            family=entry.family,
            family_title=FAMILY_TITLES[entry.family],
            reader=entry.family == "reader",
            trivial=entry.trivial,
            chosen=entry.chosen,
            n=int(sizes["n"].iloc[0]) if len(sizes) else 0,
            n_positive=int(sizes["n_positive"].iloc[0]) if len(sizes) else 0,
            metrics={name: _from_row(row) for name, row in metrics.items()},
        )


def open_view(folder: RunFolder) -> View:
    """Read the results with the settings they were made with; raises as `load_results` does."""
    config = as_run(read_study(folder.root / "study.toml"), folder)
    return View(load_results(config, folder), folder)


def _from_row(row: Mapping[Any, Any]) -> Estimated:
    return _get_estimate(estimate_of(row)) or Estimated(value=None, low=None, high=None, method="")


def _get_estimate(estimate: Estimate | None) -> Estimated | None:
    if estimate is None:
        return None
    return Estimated(
        value=finite(estimate.value),
        low=finite(estimate.low),
        high=finite(estimate.high),
        method=estimate.method,
    )


def _bins(rows: pd.DataFrame) -> list[BinPoint]:
    return [
        BinPoint(
            bin=number,
            predicted=row["predicted"],
            observed=row["observed"],
            low=finite(row["low"]),
            high=finite(row["high"]),
            n=row["n"],
        )
        for number, row in enumerate(rows.to_dict("records"))
    ]


def _smooth(rows: pd.DataFrame) -> list[SmoothPoint]:
    return [
        SmoothPoint(
            predicted=row["predicted"],
            observed=row["observed"],
            low=finite(row["low"]),
            high=finite(row["high"]),
        )
        for row in rows.to_dict("records")
        if finite(row["observed"]) is not None
    ]


def _decision(rows: pd.DataFrame) -> list[DecisionPoint]:
    return [
        DecisionPoint(
            threshold=row["threshold"],
            net_benefit=row["net_benefit"],
            low=finite(row["low"]),
            high=finite(row["high"]),
            treat_all=row["treat_all"],
        )
        for row in rows.to_dict("records")
        if finite(row["net_benefit"]) is not None
    ]
