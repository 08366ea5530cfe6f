"""Findings of `axilla check`: their codes, severity and text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from axilla.records.errors import CohortError, Problem

Grade = Literal["error", "warning", "either"]
_STRUCTURAL = (  # the study cannot run while one of these stands
    ("table", "Table that cannot be read", "Nothing else can be checked before this is mended."),
    ("column_missing", "Column not in the table",
     "study.toml asks for a column that is not there."),
    ("column_mapping", "Column names that do not fit",
     "study.toml names a header that is not there, or one twice."),
    ("no_model", "No model named", "The study names no model of any modality."),
    ("outcome_as_input", "Outcome among the inputs", "A model would be told the answer."),
    ("clinical_kind", "Clinical column of another kind",
     "A number is read as words, or words as numbers."),
    ("subgroups", "Subgroups that cannot be formed",
     "A subgroup or its bands do not fit the column."),
    ("outcome", "Outcome without two classes",
     "A study needs exactly two values, one of them positive."),
    ("patient_id", "Patient identifier empty or repeated", "Each row has to be one patient."),
    ("unknown_value", "Value that its column does not know",
     "Guessing its meaning could turn a result around."),
    ("file_missing", "File not where the table says", "The image or mask cannot be opened."),
    ("image_unreadable", "Image that cannot be read",
     "The file is damaged, or of a kind that is not read."),
    ("mask_size", "Mask of another size",
     "It does not lie on its image, so it marks the wrong place."),
    ("mask_empty", "Mask that marks nothing",
     "Without a marked pixel there is no lesion to look at."),
    ("roi", "Rectangle that does not fit", "The lesion would be cut from the wrong place."),
    ("count", "Values and images do not pair up", "Which value belongs to which image is open."),
    ("site_missing", "Patient without a site", "Leaving one site out needs the site of everybody."),
    ("splits", "No clean split exists",
     "Groups and classes do not allow the folds that are asked for."),
)  # fmt: skip
_EITHER = (
    ("no_modality", "Patient without any modality",
     "There is nothing to predict this patient from."),
    ("reader_code", "Reader's word that never occurs",
     "A misspelt word would turn readings around."),
    ("value_mapping", "Value codes that do not fit",
     "study.toml translates a code that no cell holds, or one code in two ways."),
    ("eligibility", "Eligibility rule that cannot be applied",
     "A rule or its column does not say who belongs to the study."),
    ("low_tissue", "Little tissue",
     "Most of the image is background; of a slide without tissue no tile is left."),
)  # fmt: skip
_DEFECTS = (  # errors that a person may look at and let stand
    ("image_blank", "Image without content",
     "It shows next to nothing, so a model learns from noise."),
)  # fmt: skip
_SMALL = (  # an error below a size that a person may let stand, a warning above it
    ("image_tiny", "Image too small", "It holds too few pixels to show a lesion."),
)
_TIES = (  # as _DEFECTS, but about what several patients share
    ("image_duplicate", "Same image in several patients",
     "A model tested on an image that it was trained on looks better than it is."),
    ("group_across_split", "Patients of one group in both sets",
     "What ties them together is known from training, so the external result looks too good."),
)  # fmt: skip
_REMARKS = (
    ("outcome_missing", "Patients without outcome",
     "Nothing can be learnt from them or tested on them."),
    ("external_set_aside", "Patients of the external set",
     "They are kept for one test of the finished model."),
    ("modality_missing", "Patients without a modality",
     "Models are then compared on different patients."),
    ("date_order", "Dates of an open order",
     "Day and month could be the other way round."),
    ("derived_conflict", "Columns that contradict each other",
     "What the table says is not what follows from its other columns."),
    ("excluded", "Patients who are not eligible",
     "They are counted with their reason, and not used."),
    ("image_blurred", "Blurred image", "Fine structure, which a model may live on, is lost."),
    ("image_orientation", "Image that seems turned",
     "The skin is expected at the top of an ultrasound image."),
    ("colour_in_bmode", "Colour in a B-mode image",
     "Doppler, elastography or marks may give the outcome away."),
    ("burned_in_text", "Text in the image",
     "It may name the patient or the hospital, or mark the lesion."),
    ("doppler", "Doppler image", "It shows flow, not the B-mode picture that the models expect."),
    ("split_screen", "Two pictures in one image", "Scaling them as one changes what a model sees."),
    ("roi_small", "Very small region", "It may be a slip of the mouse, or a lesion in few pixels."),
    ("roi_large", "Very large region", "It may be the whole image, not the lesion."),
    ("roi_conflict", "Regions that disagree", "Two sources mark different places of one image."),
    ("rois_unmatched", "Regions of no image",
     "They were drawn on images that the table does not list."),
    ("magnification", "Unusual magnification", "Cells of another size look like another tissue."),
    ("calibration", "Implausible pixel size",
     "Sizes in mm cannot be trusted, and the value is not used."),
    ("pixel_mm_conflict", "Pixel sizes that disagree",
     "The table and the file declare different sizes of a pixel."),
    ("constant", "Clinical column without variation", "Every patient has the same value, or none."),
    ("sparse", "Clinical column mostly empty",
     "For most patients a model gets the same stand-in value."),
)  # fmt: skip
_TRAITS = (  # warnings about the cohort as a whole, or what several images share
    ("image_repeated", "Same image twice in one group", "One image counts as several."),
    ("groups_of_one_class", "Groups with one outcome each",
     "Whatever tells the groups apart tells the outcome, too."),
    ("metadata_predicts", "Outcome told by metadata",
     "A model can learn where an image comes from instead of the disease."),
    ("missingness", "Gaps that tell the outcome",
     "Whether a value is missing differs between the outcomes, so a gap is itself a hint."),
)  # fmt: skip
UNUSED = "accept_unused"
Severity = Literal["error", "warning", "accepted"]
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding.

    `grade` either: an error in one place, a warning in another. Warnings may always be accepted,
    errors if `acceptable`. `whole` findings on several patients are about what ties them
    together, and can only be accepted for all of them at once.
    """

    name: str
    grade: Grade
    title: str
    meaning: str
    acceptable: bool = True
    whole: bool = False


_ACCEPT_UNUSED = Code(
    UNUSED,
    "warning",
    "Acceptance of nothing",
    "What it let stand is gone, or it names other patients.",
    acceptable=False,
)

CODES: dict[str, Code] = {
    code.name: code
    for code in (
        *(Code(n, "error", t, meaning=m, acceptable=False) for n, t, m in _STRUCTURAL),
        *(Code(n, "either", t, meaning=m, acceptable=False) for n, t, m in _EITHER),
        *(Code(n, "error", t, meaning=m) for n, t, m in _DEFECTS),
        *(Code(n, "either", t, meaning=m) for n, t, m in _SMALL),
        *(Code(n, "error", t, meaning=m, whole=True) for n, t, m in _TIES),
        *(Code(n, "warning", t, meaning=m) for n, t, m in _REMARKS),
        *(Code(n, "warning", t, meaning=m, whole=True) for n, t, m in _TRAITS),
        _ACCEPT_UNUSED,
    )
}
"""Every code that a finding can have, by its name; docs/findings.md explains each."""


def code_named(name: str) -> Code:
    """Return what is known of a code, also of one that another version of axilla wrote."""
    if name in CODES:
        return CODES[name]
    return Code(name, "either", name.replace("_", " ").capitalize(), "", acceptable=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about the cohort, and the patients it concerns.

    `code` is one of `axilla.records.findings`. `reason` is why somebody accepted the finding.
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
