"""The learning curve on the page: what fewer patients gave, and what more of them may bring."""

from collections.abc import Sequence

from axilla.report.number_format import LEVEL, format_signed, sentence, with_interval
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.tables.learning_curve_rows import (
    LearningCurve,
    is_of_these_results,
    learning_curves,
)

_NEXT_TO_NOTHING = 0.01


def learning_section(material: ReportContext) -> PageSection | None:
    """How the AUC grew with the training patients; None for a study that did not try."""
    results = material.results
    if results.learning_curve.empty:
        return None
    current = is_of_these_results(results)
    curves = learning_curves(results) if current else ()
    if current and not curves:
        return None
    html = render(
        "sections/learning.html.j2",
        sentences=_sentences(curves[0]) if curves else (),
        drawing=material.drawings.get("learning_curve"),
        sizes=_sizes(curves),
        rows=[(sentence(curve.entry.long_label), _cells(curve, curves)) for curve in curves],
        gains=[(sentence(curve.entry.long_label), _changes(curve)) for curve in curves],
        ahead=[point.patients for point in curves[0].gains] if curves else [],
        current=current,
    )
    return PageSection("Would more patients help?", "learning", html)


def _sentences(curve: LearningCurve) -> tuple[str, ...]:
    first, last = curve.measured[0], curve.measured[-1]
    name = sentence(curve.entry.long_label)
    grown = (
        f"{name}: trained on {first.patients:,} patients, its AUC was "
        f"{with_interval(first.estimate)}; on {last.patients:,}, all that each fold had, "
        f"{with_interval(last.estimate)}, tested on the same patients."
    )
    if not curve.gains:
        return (
            grown,
            "Fewer than four shares could be trained, so no curve was fitted through them.",
        )
    return grown, _promise(curve)


def _promise(curve: LearningCurve) -> str:
    gain, end = curve.gains[-1], curve.fitted[-1]
    low, high = format_signed(gain.estimate.low), format_signed(gain.estimate.high)
    said = (
        f"If the curve goes on as an inverse power law, {end.patients:,} training patients would "
        f"give an AUC of {with_interval(end.estimate)}; on the curve that is a change of "
        f"{format_signed(gain.estimate.value)} ({LEVEL} interval {low} to {high})"
    )
    if gain.estimate.high < _NEXT_TO_NOTHING:
        return f"{said}: hardly worth collecting them for the AUC alone."
    if gain.estimate.low < _NEXT_TO_NOTHING:
        return f"{said}: this study cannot tell a worthwhile gain from none."
    return f"{said}: more patients would probably help."


def _sizes(curves: Sequence[LearningCurve]) -> list[int]:
    return sorted({point.patients for curve in curves for point in curve.measured})


def _cells(curve: LearningCurve, curves: Sequence[LearningCurve]) -> list[object]:
    known = {point.patients: point.estimate for point in curve.measured}
    return [known.get(size) for size in _sizes(curves)]


def _changes(curve: LearningCurve) -> list[str]:
    return [
        f"{format_signed(p.estimate.value)} "
        f"({format_signed(p.estimate.low)} to {format_signed(p.estimate.high)})"
        for p in curve.gains
    ]
