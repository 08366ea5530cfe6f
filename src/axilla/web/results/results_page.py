"""The results page and its texts."""

from collections.abc import Callable

from axilla.web.accounts.roles import Permission
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, script, text
from axilla.web.state import AppState

Say = Callable[[str], str]


def words(say: Say) -> dict[str, str]:
    """Return every text of the page, translated."""
    return {
        **_states(say),
        **_run(say),
        **_table(say),
        **_curves(say),
        **_cases(say),
    }


def _states(say: Say) -> dict[str, str]:
    return {
        "failed": say("This could not be loaded."),
        "none": say("This study has not been run yet. On the machine that has it, run:"),
        "coming": say("The results appear here when the run has finished."),
        "writing": say("A run is writing these results. They appear as soon as they are whole."),
        "damaged": say("These results do not belong together, or cannot be read:"),
        "facts": say("{patients} patients, {positive} of them positive ({outcome})"),
        "finished_at": say("finished {day}"),
        "seed": say("seed {seed}"),
        "more": say("More of the answer, and its limits"),
        "flow": say("Patients"),
        "flow_alt": say("Inclusion flow; the table beside it says the same."),
        "step": say("Step"),
        "patients": say("Patients"),
        "files": say("Report and tables"),
        "figures": say("Figures ({count})"),
        "to": say("{low} to {high}"),
        "n": say("n"),
    }


def _run(say: Say) -> dict[str, str]:
    return {
        "run": say("The run"),
        "run_running": say("The study is running, since {seconds}"),
        "run_failed": say("The last run failed after {seconds}"),
        "run_stopped": say("The last run was stopped after {seconds}; the same command goes on"),
        "run_lost": say("The last run ended without a word after {seconds}; run it again to go on"),
        "left": say("about {left} left"),
        "seconds": say("{s} s"),
        "minutes": say("{m} min {s} s"),
        "hours": say("{h} h {m} min"),
        "stage_check": say("Check"),
        "stage_train": say("Train"),
        "stage_evaluate": say("Evaluate"),
        "stage_bundle": say("Bundle"),
        "stage_explain": say("Explain"),
        "stage_external": say("External set"),
        "stage_report": say("Report"),
    }


def _table(say: Say) -> dict[str, str]:
    return {
        "metrics": say("Metrics"),
        "about_metrics": say(
            "Out of fold, with 95 % intervals; n with positives in brackets. Calls are at the "
            "threshold of each fold. Ticked models are drawn below."
        ),
        "show": say("Show"),
        "all_families": say("all models"),
        "draw": say("Draw"),
        "draw_model": say("Draw {model}"),
        "most_models": say("At most {most} models at once."),
        "model": say("Model"),
        "family": say("Family"),
        "metric_auc": say("AUC"),
        "metric_recall": say("Sensitivity"),
        "metric_specificity": say("Specificity"),
        "metric_precision": say("PPV"),
        "metric_npv": say("NPV"),
        "metric_accuracy": say("Accuracy"),
        "metric_f1": say("F1"),
        "metric_brier": say("Brier"),
    }


def _curves(say: Say) -> dict[str, str]:
    return {
        "curves": say("Curves"),
        "how": say(
            "Point at a curve to read it, and click to see the cases behind. By keyboard: arrow "
            "keys along a curve and between curves, Enter for the cases."
        ),
        "explore": say("arrow keys move along the curve, Enter shows the cases"),
        "as_table": say("As a table"),
        "no_curve": say("This study has no such curve of these models."),
        "roc": say("ROC"),
        "about_roc": say("Dots: operating points, with the threshold of each fold."),
        "false_positive_rate": say("1 − specificity"),  # noqa: RUF001
        "sensitivity": say("Sensitivity"),
        "specificity": say("Specificity"),
        "threshold": say("Threshold"),
        "roc_point": say(
            "threshold {threshold}: sensitivity {sensitivity}, specificity {specificity}; "
            "{called} of {n} called positive"
        ),
        "operating_point": say(
            "each fold's threshold: sensitivity {sensitivity}, specificity {specificity}, n = {n}"
        ),
        "called_at": say("{model}, called at {threshold}"),
        "called_by_fold": say("{model}, called at each fold's threshold"),
        "calibration": say("Calibration"),
        "predicted": say("Predicted risk"),
        "observed": say("Observed share"),
        "bin": say("Bin"),
        "bin_point": say("predicted {predicted}, observed {observed}, n = {n}"),
        "in_bin": say("{model}, bin {bin} of the calibration plot"),
        "slope": say("{model}: slope {slope}, intercept {intercept}"),
        "decision": say("Decision curve"),
        "about_decision": say("Band: 95 % interval of the first model; grey: treating everybody."),
        "threshold_probability": say("Threshold probability"),
        "net_benefit": say("Net benefit"),
        "treat_all": say("Treat all"),
        "decision_point": say("at {threshold}: net benefit {benefit}; treating all {all}"),
    }


def _cases(say: Say) -> dict[str, str]:
    return {
        "gallery": say("Failures"),
        "of_model": say("Of"),
        "about_gallery": say("The most confident errors: farthest from the threshold."),
        "fp_many": say("False positives"),
        "fn_many": say("False negatives"),
        "kind_of": say("{kind}: {shown} of {of}"),
        "said": say("said {probability}, threshold {threshold}"),
        "close": say("Close"),
        "back": say("Back to the cases"),
        "loading": say("Loading"),
        "filter": say("Which cases"),
        "all": say("all"),
        "fp": say("false positive"),
        "fn": say("false negative"),
        "tp": say("true positive"),
        "tn": say("true negative"),
        "patient": say("Patient"),
        "one_patient": say("Patient {patient}"),
        "truth": say("Truth"),
        "truth_is": say("In truth {truth}."),
        "probability": say("Probability"),
        "call": say("Call"),
        "images": say("Images"),
        "positive": say("positive"),
        "negative": say("negative"),
        "more_cases": say("More cases"),
        "ultrasound": say("Ultrasound"),
        "pathology": say("Pathology"),
        "image": say("image"),
        "heatmap": say("heatmap"),
        "thumbnail": say("image"),
        "of_images": say("{modality}, 1 of {images}"),
        "no_image": say("no image"),
        "speaks_for": say("speaks for positive"),
        "speaks_against": say("speaks against"),
    }


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/results", Permission.SEE_RESULTS, title=N_("Results"))(_build)


def _build(visit: PageContext) -> None:
    text("h1", visit.say("Results"))
    script("results", data={"words": words(visit.say)})
