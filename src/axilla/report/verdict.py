"""The fusion verdict: the study's question answered by a paired test, in plain sentences."""

from axilla.evaluation.comparisons.planned_comparisons import READER, VERDICT, WORTH
from axilla.report.number_format import LEVEL, number, sentence
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import Compared, compared, p_text, verdict_row


def verdict_sentence(results: StudyResults) -> str | None:
    """Say whether fusion beats the best single modality; None where they were not compared.

    Both are what each fold chose on its inner splits, so neither was picked after the fact.
    """
    found = verdict_row(results)
    if found is None:
        return None
    fusion, single = (results.estimate(name, "auc") for name in (found.first, found.second))
    if not found.decided:
        claim = "these patients do not show that fusion differs from the best single modality"
    elif found.value > 0:
        claim = "in these patients fusion predicts better than the best single modality"
    else:
        claim = "in these patients fusion predicts worse than the best single modality"
    areas = (
        f": AUC {number(fusion.value)} against {number(single.value)}" if fusion and single else ""
    )
    return (
        f"{sentence(claim)}{areas}, a difference of {found}. Both were chosen in each fold before "
        "its test patients were looked at."
    )


def fold_sentences(results: StudyResults) -> list[str]:
    """Say the verdict's difference fold by fold, beside the pooled one."""
    return [
        f"Fold by fold, where models of different folds are never mixed, the difference of fusion "
        f"and the best single modality is {row}."
        for row in compared(results, test="delong_by_fold", family=VERDICT)
    ]


def worth_sentences(results: StudyResults) -> list[str]:
    """Say how much the AUC loses without each modality."""
    rows = [row for row in compared(results, test="delong") if row.family.startswith(WORTH)]
    return [_worth(row) for row in rows]


def reader_match_sentences(results: StudyResults) -> list[str]:
    """Say how fusion does at the reader's own sensitivity."""
    rows = [
        row
        for row in compared(results, test="specificity_at_equal_recall")
        if row.family.startswith(READER)
    ]
    return [
        f"At the sensitivity of the reader, the specificity of fusion differs from the reader's by "
        f"{row}."
        for row in rows[:1]
        if "/" not in row.first
    ]


def _worth(row: Compared) -> str:
    modality = row.family.removeprefix(WORTH)
    if " without " in row.second:
        modality = row.second.partition(" without ")[2]
    moved = "falls" if row.value >= 0 else "rises"
    remark = "" if row.decided else ", which may be chance"
    return (
        f"Without {modality} the AUC {moved} by {number(abs(row.value))} "
        f"(change {row.bounds}, {LEVEL} interval; {p_text(row.p)}{remark})."
    )
