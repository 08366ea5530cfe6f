"""The report's tables as a manuscript prints them: Table 1, Tables 2 to 4, and the comparisons."""

from collections.abc import Iterator

from axilla.records.estimate import Estimate
from axilla.report.figures.all_figures import page_families, table_entries
from axilla.report.manuscript.manuscript_table import ManuscriptTable
from axilla.report.number_format import (
    LEVEL,
    NO_NUMBER,
    format_signed,
    interval_text,
    number,
    p_value,
    sentence,
)
from axilla.report.reported_models import FAMILY_TITLES, FamilyKey
from axilla.report.sections.comparisons_section import family_title
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import ComparisonRow, families
from axilla.report.tables.performance_tables import COLUMNS, performance_table
from axilla.report.tables.table1_text import study_manuscript_table1

# The paper's numbers for the families that it has; what else a study has follows them.
_NUMBERS: dict[FamilyKey, int] = {"pathology": 2, "ultrasound": 3, "fusion": 4}
_INDENT = "  "


def manuscript_tables(results: StudyResults) -> tuple[ManuscriptTable, ...]:
    """Return the tables that the study has; every estimate stands with its 95 % interval."""
    first = study_manuscript_table1(results)
    tables = [first] if first else []
    following = max(_NUMBERS.values()) + 1
    for family in page_families(results):
        place = _NUMBERS.get(family, following)
        following += family not in _NUMBERS
        tables.append(_performance(results, family, place=place))
    if not results.comparisons.empty:
        tables.append(_comparisons(results, place=following))
    return tuple(tables)


def _performance(results: StudyResults, family: FamilyKey, *, place: int) -> ManuscriptTable:
    table = performance_table(results, table_entries(results, family))
    rows = tuple(
        (row.entry.title, *(_estimate(row.estimates[metric]) for metric in COLUMNS))
        for row in table.rows
    )
    sizes = "; ".join(f"{n:,} patients, {positive:,} positive" for n, positive in table.sizes)
    return ManuscriptTable(
        title=f"Table {place}. {FAMILY_TITLES[family]}: performance of the models",
        header=("Model", *COLUMNS.values()),
        rows=rows,
        note=f"Value ({LEVEL} interval). {sizes}. {_threshold_note(results)}",
    )


def _threshold_note(results: StudyResults) -> str:
    rule = results.config.validation.threshold
    if rule == "half":
        return "Operating threshold: 0.5."
    return f"Operating threshold chosen on inner folds ({rule.replace('_', ' ')})."


def _comparisons(results: StudyResults, *, place: int) -> ManuscriptTable:
    return ManuscriptTable(
        title=f"Table {place}. Paired comparisons of models",
        header=(
            "First model, second model",
            "Difference in AUC",
            "p",
            "p, Holm",
            "Difference in accuracy",
            "p",
            "p, Holm",
        ),
        rows=tuple(_comparison_rows(results)),
        note=f"First model minus second, on the same patients ({LEVEL} interval). AUC: DeLong's "
        "test; accuracy: McNemar's; both by group where patients share one. Holm: corrected "
        "within the family.",
    )


def _comparison_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    labels = {entry.name: sentence(entry.long_label) for entry in results.entries}
    for family, contests in families(results):
        yield (family_title(family), *[""] * 6)
        for contest in contests:
            one, other = (labels.get(name, name) for name in (contest.first, contest.second))
            yield (
                f"{_INDENT}{one} – {other}",  # noqa: RUF001
                *_format_test(contest.auc),
                *_format_test(contest.accuracy),
            )


def _format_test(row: ComparisonRow | None) -> tuple[str, str, str]:
    if row is None:
        return (NO_NUMBER,) * 3
    return f"{format_signed(row.value)} ({row.bounds})", p_value(row.p), p_value(row.p_holm)


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return NO_NUMBER
    return f"{number(estimate.value)} ({interval_text(estimate)})"
