"""The page that predicts one case, and its texts."""

from collections.abc import Callable
from typing import Any

from axilla import __version__
from axilla.inference.prediction_warnings import TEMPLATES
from axilla.web.accounts.roles import Permission, Role
from axilla.web.core.http_errors import HttpError
from axilla.web.core.i18n import N_, translate_problem
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, script, text
from axilla.web.prediction.prediction_schemas import bundle_told
from axilla.web.rois.roi_page_strings import viewer_words
from axilla.web.state import AppState

Say = Callable[[str], str]


def predict_words(say: Say) -> dict[str, str]:
    """Return the words of predict.js and its parts, by key."""
    cautions = {template: say(template) for template in TEMPLATES}
    parts = (_inputs, _result, _limits, _heatmaps, _saving_strings, _terms)
    return cautions | {key: word for part in parts for key, word in part(say).items()}


def _inputs(say: Say) -> dict[str, str]:
    return {
        "inputs": say("Case"),
        "ultrasound": say("Ultrasound"),
        "pathology": say("Pathology"),
        "clinical": say("Clinical values"),
        "choose_ultrasound": say("Choose ultrasound images"),
        "choose_pathology": say("Choose pathology images"),
        "drop": say("or drop them here"),
        "kinds_ultrasound": say("DICOM, PNG, JPEG, TIFF or BMP"),
        "kinds_pathology": say("PNG, JPEG, TIFF, BMP or a whole slide"),
        "memory": say("Images stay in the server's memory and are gone with the answer."),
        "reading": say("Reading the image …"),
        "image_n": say("Image {n}"),
        "remove": say("Remove image {n}"),
        "frame": say("Frame of the clip, of {frames}"),
        "draw": say("Draw the smallest rectangle around the lesion."),
        "mask": say("Lesion mask (optional)"),
        "masks_trained": say("The models were trained with lesion masks."),
        "mpp": say("Micrometres per pixel, if the file does not say"),
        "unknown": say("unknown"),
        "seen": say("{low} to {high} in training"),
        "with_heatmaps": say("With heatmaps"),
        "predict": say("Predict"),
        "predicting": say("Predicting …"),
        "nothing": say("Choose an image, or fill in a clinical value."),
        "too_large": say("These files are larger than the server takes ({most} MB)."),
        "unreachable": say("The server cannot be reached. Try again."),
        "slide": say("Overview of a whole slide; it is cut into tiles."),
    }


def _result(say: Say) -> dict[str, str]:
    return {
        "result": say("Result"),
        "none_yet": say("The result appears here."),
        "probability": say("Probability of {outcome} = {positive}"),
        "risk": say(
            "{level} risk: of 100 patients with this probability about {per_100} would have "
            "{outcome} = {positive}. Of 100 training patients {training} had."
        ),
        "level_very low": say("Very low"),
        "level_low": say("Low"),
        "level_intermediate": say("Intermediate"),
        "level_high": say("High"),
        "level_very high": say("Very high"),
        "calibrated": say("The number is recalibrated ({kind}) on patients outside training."),
        "uncalibrated": say(
            "The number is not recalibrated; calibration slope and intercept below say how far it "
            "can be taken at its word."
        ),
        "words_scale": say("Words: below 5 %, 20 %, 50 %, 80 %, and above; they decide nothing."),
        "call_positive": say("Called positive: at or above the threshold of {threshold}."),
        "call_negative": say("Called negative: below the threshold of {threshold}."),
        "rule": say("Threshold chosen for {rule}."),
        "bar": say("Probability {probability}, threshold {threshold}"),
        "threshold": say("Threshold"),
        "used": say("Inputs used"),
        "alone": say("alone {probability}"),
        "missing": say("not given"),
        "together": say("together: {model}"),
    }


def _limits(say: Say) -> dict[str, str]:
    return {
        "warnings": say("Warnings"),
        "no_warnings": say("No warnings."),
        "familiarity": say("Likeness to the training patients"),
        "familiar": say("{share} of {n} training patients lie at least as far"),
        "unfamiliar": say("unlike the training patients: only {share} of {n} lie as far"),
        "not_measured": say("not measured: the bundle does not say"),
        "performance": say("Measured performance"),
        "measure": say("Measure"),
        "value": say("Value"),
        "interval": say("95 % interval"),
        "patients": say("Patients"),
        "method": say("Method"),
        "no_interval": say("unknown"),
        "no_performance": say("The bundle holds no measured performance."),
        "attention": say("How much each image counts"),
    }


def _heatmaps(say: Say) -> dict[str, str]:
    return {
        "heatmaps": say("Heatmaps"),
        "opacity": say("Opacity of the heatmaps"),
        "for": say("speaks for {positive}"),
        "against": say("speaks against"),
        "scale_shared": say("Colour is full at the value that all maps of the study share."),
        "scale_own": say("Colour is full at each map's own 99th percentile."),
        "of_ultrasound": say("the ultrasound image"),
        "of_pathology": say("the pathology image"),
        "map_of": say("Heatmap of {modality} ({method})"),
        "image_of": say("Under the heatmap of {modality}"),
        "map_share": say("counts {share} in its modality"),
        "map_caution": say(
            "Heatmaps show where this model looks, not where disease is; they prove nothing."
        ),
    }


def _saving_strings(say: Say) -> dict[str, str]:
    return {
        "print": say("Print or save as PDF"),
        "download": say("Download as JSON"),
        "save": say("Save this prediction"),
        "save_name": say("Name for it (no patient's name)"),
        "save_told": say("Saved: result and heatmaps, not the uploaded files."),
        "saved": say("Saved predictions"),
        "none_saved": say("None."),
        "name": say("Name"),
        "owner": say("Saved by"),
        "made": say("Made"),
        "probability_short": say("Probability"),
        "show_short": say("Show"),
        "delete_short": say("Delete"),
        "show": say("Show {name}"),
        "delete": say("Delete {name}"),
        "number": say("Prediction {n}"),
        "really": say("Delete this prediction and its pictures?"),
        "call": say("Call"),
        "positive": say("positive"),
        "negative": say("negative"),
        "sheet": say("Prediction"),
        "bundle": say("Bundle"),
        "digest": say("digest"),
        "software": say("Software"),
        "study": say("Study"),
    }


def _terms(say: Say) -> dict[str, str]:
    return {
        "metric_auc": say("AUC"),
        "metric_recall": say("Sensitivity"),
        "metric_specificity": say("Specificity"),
        "metric_precision": say("Positive predictive value"),
        "metric_npv": say("Negative predictive value"),
        "metric_accuracy": say("Accuracy"),
        "metric_brier": say("Brier score"),
        "metric_calibration_slope": say("Calibration slope"),
        "metric_calibration_intercept": say("Calibration intercept"),
        "rule_half": say("one half"),
        "rule_youden": say("the highest sensitivity + specificity - 1"),
        "rule_sensitivity": say("a sensitivity of {share}"),
        "rule_specificity": say("a specificity of {share}"),
        "rule_net_benefit": say("the highest net benefit at {share}"),
    }


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/predict", Permission.PREDICT, title=N_("Predict"))(_build)


def _build(visit: PageContext) -> None:
    say = visit.say
    text("h1", say("Predict one case"))
    desk = visit.web.desks.bundle
    try:
        told = bundle_told(desk.get_info(), name=desk.name)
    except HttpError as refusal:
        text("p", say("Nothing can be predicted yet: the study has no bundle that can be read."))
        text("p", translate_problem(refusal.problem, visit.language)).classes("ax-muted")
        return
    data: dict[str, Any] = {
        "words": predict_words(say),
        "viewer": viewer_words(say),
        "bundle": told.model_dump(),
        "version": __version__,
        "language": visit.language,
        "lead": Role.LEAD in visit.actor.roles,
        "most_bytes": visit.web.settings.limits.upload_bytes,
    }
    script("predict", data=data, styles=("viewer", "predict"))
