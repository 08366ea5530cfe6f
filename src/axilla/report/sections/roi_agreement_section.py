"""Two readers on the ROI: how far they agree, and where they do not."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from axilla.annotation.roi_reviews import RoiReview
from axilla.evaluation.agreement.roi_agreement import RoiAgreement, roi_agreement
from axilla.records.estimate import Estimate
from axilla.report.number_format import interval_text, number, percent, pluralise, with_interval
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext

_WORST: Final = 10
_TITLES: Final[Mapping[str, str]] = {
    "unchanged": "Accepted unchanged",
    "same_presence": "Agree whether there is a lesion to draw",
    "iou": "Mean IoU",
    "iou_0.5": "IoU of at least 0.5",
    "iou_0.75": "IoU of at least 0.75",
    "distance": "Mean distance of centres",
    "icc_area": "ICC(2,1) of areas",
}
_WHOLE: Final = ("distance",)
_SHARES: Final = ("unchanged", "same_presence", "iou_0.5", "iou_0.75")
_ENDS: Final = {
    "accepted": "accepted",
    "redrawn": "redrawn, accepted",
    "disagreement": "not settled yet",
    "settled": "settled by a third",
}


@dataclass(frozen=True, slots=True)
class AgreementLine:
    """One number of the table, as it is printed."""

    title: str
    value: str
    bounds: str
    n: int
    method: str


def roi_agreement_section(material: ReportContext) -> PageSection | None:
    """Agreement of two readers on rectangles; None for a study without a review of them."""
    reviews = material.results.roi_reviews
    if not reviews:
        return None
    agreed = roi_agreement(reviews)
    html = render(
        "sections/roi_agreement.html.j2",
        sentence=_sentence(reviews, agreed),
        lines=[_line(one) for one in agreed],
        worst=list(_worst(reviews)),
    )
    return PageSection("Agreement of readers on the ROI", "roi-agreement", html)


def _sentence(reviews: Sequence[RoiReview], agreed: Sequence[RoiAgreement]) -> str:
    estimates = {one.key: one.estimate for one in agreed}
    readers = {reader for one in reviews for reader in one.readers}
    patients = {one.patient_id for one in reviews}
    said = (
        f"Two of {pluralise(len(readers), 'reader')} judged {pluralise(len(reviews), 'image')} of "
        f"{pluralise(len(patients), 'patient')}; {percent(estimates['unchanged'].value)} were "
        "accepted unchanged"
    )
    if "iou" not in estimates:
        return f"{said}."
    return f"{said}, and the mean IoU was {with_interval(estimates['iou'])}."


def _line(agreed: RoiAgreement) -> AgreementLine:
    estimate, unit = agreed.estimate, agreed.unit
    title = _TITLES[agreed.key]
    if agreed.key == "icc_area":
        return AgreementLine(f"{title} ({unit})", *_texts(estimate), estimate.n, estimate.method)
    if agreed.key in _WHOLE:
        shown = [f"{value:.1f}" for value in (estimate.value, estimate.low, estimate.high)]
        bounds = f"{shown[1]} to {shown[2]}" if math.isfinite(estimate.low) else "no interval"
        return AgreementLine(title, f"{shown[0]} {unit}", bounds, estimate.n, estimate.method)
    if agreed.key in _SHARES:
        bounds = f"{percent(estimate.low)} to {percent(estimate.high)}"
        bounds = bounds if math.isfinite(estimate.low) else "no interval"
        return AgreementLine(title, percent(estimate.value), bounds, estimate.n, estimate.method)
    return AgreementLine(title, *_texts(estimate), estimate.n, estimate.method)


def _texts(estimate: Estimate) -> tuple[str, str]:
    return number(estimate.value), interval_text(estimate)


def _worst(reviews: Sequence[RoiReview]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the images on which readers differ most: patient, image, readers, IoU, outcome."""
    differing = [one for one in reviews if one.iou is not None and one.decision != "accepted"]
    ranked = sorted(differing, key=lambda one: (one.iou or 0.0, one.patient_id, one.image))
    for one in ranked[:_WORST]:
        overlap = f"{one.iou:.2f}" if one.iou is not None else ""
        yield one.patient_id, one.image, " / ".join(one.readers), overlap, _ENDS[one.decision]
