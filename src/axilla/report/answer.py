"""The answer to the study question in plain sentences, with headline numbers and fusion verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from axilla.evaluation.comparisons.planned_comparisons import READER, VERDICT, WORTH
from axilla.records.estimate import Estimate
from axilla.records.prespecified import HEADLINE_FUSION
from axilla.report.number_format import (
    LEVEL,
    inside_sentence,
    join_items,
    number,
    overlap,
    sentence,
    with_interval,
)
from axilla.report.reported_models import FAMILY_TITLES, FamilyKey, of_family
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import (
    ComparisonRow,
    get_comparison_rows,
    p_text,
    verdict_row,
)
from axilla.report.tables.family_summary import (
    FamilySummary,
    ScoredModel,
    headline_fusion,
    standing_of,
)

_CHANCE = 0.5
_SINGLES: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical", "models")


def verdict_sentence(results: StudyResults) -> str | None:
    """Say whether fusion beats the best single modality; None where they were not compared.

    Both are what each fold chose on its inner splits, so neither was picked after the fact.
    """
    found = verdict_row(results)
    if found is None:
        return None
    fusion, single = (results.estimate(name, "auc") for name in (found.first, found.second))
    if not found.is_significant:
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
        for row in get_comparison_rows(results, test="delong_by_fold", family=VERDICT)
    ]


def worth_sentences(results: StudyResults) -> list[str]:
    """Say how much the AUC loses without each modality."""
    rows = [
        row for row in get_comparison_rows(results, test="delong") if row.family.startswith(WORTH)
    ]
    return [_worth(row) for row in rows]


def reader_match_sentences(results: StudyResults) -> list[str]:
    """Say how fusion does at the reader's own sensitivity."""
    rows = [
        row
        for row in get_comparison_rows(results, test="specificity_at_equal_recall")
        if row.family.startswith(READER)
    ]
    return [
        f"At the sensitivity of the reader, the specificity of fusion differs from the reader's by "
        f"{row}."
        for row in rows[:1]
        if "/" not in row.first
    ]


def _worth(row: ComparisonRow) -> str:
    modality = row.family.removeprefix(WORTH)
    if " without " in row.second:
        modality = row.second.partition(" without ")[2]
    moved = "falls" if row.value >= 0 else "rises"
    remark = "" if row.is_significant else ", which may be chance"
    return (
        f"Without {modality} the AUC {moved} by {number(abs(row.value))} "
        f"(change {row.bounds}, {LEVEL} interval; {p_text(row.p)}{remark})."
    )


@dataclass(frozen=True, slots=True)
class HeadlineNumber:
    """One headline number and what it is of."""

    title: str
    label: str
    family: FamilyKey
    auc: Estimate


def tile_of(standing: FamilySummary, scored: ScoredModel) -> HeadlineNumber:
    """Return a model's tile; a model picked after the fact is called best."""
    name = FAMILY_TITLES[standing.family]
    named_before = scored.entry.chosen or scored.entry.name == HEADLINE_FUSION
    picked = len(standing.models) > 1 and not named_before
    title = f"Best {name.lower()}" if picked else name
    return HeadlineNumber(title, scored.entry.label, standing.family, scored.auc)


def scale_of(tiles: Sequence[HeadlineNumber]) -> tuple[float, float]:
    """Return the common axis of the tiles' strips: from chance, or lower, to one."""
    lows = [tile.auc.low for tile in tiles if math.isfinite(tile.auc.low)]
    return math.floor(min([_CHANCE, *lows]) * 10) / 10, 1.0


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """What the report says first: sentences, the numbers behind them, and their caveats.

    `rival` is the single modality that fusion is held against, None without fusion.
    """

    lead: str
    more: tuple[str, ...]
    caveats: tuple[str, ...]
    tiles: tuple[HeadlineNumber, ...]
    rival: ScoredModel | None


def answer_of(results: StudyResults) -> StudyAnswer:
    """Return the answer that the metrics support; missing families leave no empty sentence.

    The lead is the verdict: fusion against the best single modality by a paired test, both chosen
    in each fold. The fusion of the sentence after it is the multilayer strategy, named before any
    result was seen; without it, the fusion chosen in each fold.
    """
    singles = [found for family in _SINGLES if (found := standing_of(results, family))]
    fusion = standing_of(results, "fusion")
    headline = headline_fusion(fusion)
    rivals = _rivals(singles, headline)
    told = [standing.fair for standing in rivals] + ([headline] if headline else [])
    verdict = verdict_sentence(results)
    more = [
        *fold_sentences(results),
        *([_lead(headline, rivals)] if verdict else []),
        *worth_sentences(results),
        *_alone_sentences([standing for standing in singles if standing not in rivals]),
        *_fusion_sentences(fusion, headline),
        *_highest_sentences([*singles, *([fusion] if fusion else [])], told=told),
        *_trivial_sentences(singles),
        *_reader_sentences(results),
        *reader_match_sentences(results),
    ]
    tiles = [tile_of(standing, standing.fair) for standing in singles]
    if fusion and headline:
        tiles += [tile_of(fusion, scored) for scored in (headline, fusion.fair)]
    return StudyAnswer(
        lead=verdict or _lead(headline, rivals),
        more=tuple(more),
        caveats=_caveats(results, [*singles, *([fusion] if fusion else [])], fused=bool(fusion)),
        tiles=tuple(dict.fromkeys(tiles)),
        rival=_strongest(rivals) if headline and rivals else None,
    )


def _rivals(singles: Sequence[FamilySummary], headline: ScoredModel | None) -> list[FamilySummary]:
    """The modalities that the headline fuses; all of them where it does not say or exist."""
    fused = headline.entry.modality.split("+") if headline else []
    return [standing for standing in singles if standing.family in fused] or list(singles)


def _strongest(rivals: Sequence[FamilySummary]) -> ScoredModel:
    return max((standing.fair for standing in rivals), key=lambda scored: scored.auc.value)


def _lead(headline: ScoredModel | None, rivals: Sequence[FamilySummary]) -> str:
    if headline is None:
        return _lead_without_fusion(rivals)
    modalities = [part for part in headline.entry.modality.split("+") if part]
    fused = ["clinical data" if part == "clinical" else part for part in modalities]
    name = "Fusion" if headline.entry.chosen else f"{headline.entry.label} fusion"
    how = ", as chosen in each fold," if headline.entry.chosen else ""
    first = f"{name} of {join_items(fused) or 'the modalities'}{how} reaches an AUC of"
    first = f"{first} {headline}"
    if not rivals:
        return f"{first}; no single modality was evaluated beside it."
    alone = join_items([f"{_alone(rival)}, {rival.fair}" for rival in rivals])
    return f"{first}; {alone}. {_verdict(headline, rivals)}"


def _lead_without_fusion(singles: Sequence[FamilySummary]) -> str:
    if not singles:
        return "No model with an AUC was evaluated in this study."
    first, *rest = singles
    said = f"{sentence(_alone(first))}, reaches an AUC of {first.fair}"
    others = [f"{_alone(single)}, {single.fair}" for single in rest]
    return f"{join_items([said, *others])}. No fusion was evaluated."


def _verdict(fusion: ScoredModel, rivals: Sequence[FamilySummary]) -> str:
    """Hold fusion against every single modality: one overlap is enough for no claim."""
    alike = [rival for rival in rivals if overlap(fusion.auc, rival.fair.auc)]
    apart = [rival for rival in rivals if rival not in alike]
    said = [
        f"the whole interval of fusion lies {side} that of {join_items(names)} alone"
        for side in ("above", "below")
        if (names := [str(r.family) for r in apart if _above(fusion, r) == (side == "above")])
    ]
    if alike:
        overlapped = join_items([str(rival.family) for rival in alike])
        said.append(
            f"the intervals of fusion and of {overlapped} alone overlap, so by themselves they do "
            f"not show that fusion is better than {overlapped}"
        )
    return f"{sentence('; '.join(said))}."


def _above(fusion: ScoredModel, rival: FamilySummary) -> bool:
    return fusion.auc.value > rival.fair.auc.value


def _alone(standing: FamilySummary) -> str:
    if standing.chosen:
        return f"{standing.family} alone, as chosen in each fold"
    best = "best " if len(standing.models) > 1 else ""
    if standing.family == "models":
        return f"the {best}model, {standing.fair.entry.label}"
    label = inside_sentence(standing.fair.entry.label)
    return f"the {best}{standing.family} model alone, {label}"


def _alone_sentences(standings: Sequence[FamilySummary]) -> list[str]:
    return [f"{sentence(_alone(standing))}, reaches {standing.fair}." for standing in standings]


def _fusion_sentences(fusion: FamilySummary | None, headline: ScoredModel | None) -> list[str]:
    if fusion is None or fusion.chosen is None or fusion.chosen == headline:
        return []
    return [f"The fusion chosen in each fold reaches {fusion.chosen}."]


def _highest_sentences(
    standings: Sequence[FamilySummary], *, told: Sequence[ScoredModel]
) -> list[str]:
    picks = [
        f"{standing.family} {inside_sentence(standing.highest.entry.label)}, {standing.highest}"
        for standing in standings
        if len(standing.models) > 1 and standing.highest not in told
    ]
    return [f"Best after the fact: {'; '.join(picks)}."] if picks else []


def _trivial_sentences(standings: Sequence[FamilySummary]) -> list[str]:
    sentences = []
    for standing in standings:
        floor, fair, name = standing.floor, standing.fair, standing.family
        if floor is None:
            continue
        network = f"the {name} network chosen in each fold"
        if not standing.chosen:
            network = f"the best {name} network"
        if overlap(floor.auc, fair.auc):
            verdict = f"the interval of {network} overlaps theirs"
        else:
            side = "below" if floor.auc.value > fair.auc.value else "above"
            verdict = f"the interval of {network} lies {side} theirs"
        sentences.append(
            f"Trivial features alone (colour, brightness, size of the {name} image) reach "
            f"{floor}; {verdict}."
        )
    return sentences


def _reader_sentences(results: StudyResults) -> list[str]:
    sentences = []
    for entry in of_family(results.entries, "reader"):
        recall = results.estimate(entry.name, "recall")
        specificity = results.estimate(entry.name, "specificity")
        if recall is not None and specificity is not None:
            sentences.append(
                f"The human reader ({entry.label}) has sensitivity {with_interval(recall)} and "
                f"specificity {with_interval(specificity)} in {recall.n:,} read patients."
            )
    return sentences


def _caveats(
    results: StudyResults, standings: Sequence[FamilySummary], *, fused: bool
) -> tuple[str, ...]:
    kind = "held-out" if results.config.validation.scheme == "holdout" else "out-of-fold"
    caveats = []
    if any(len(standing.models) > 1 for standing in standings):
        caveats.append(
            f"“Best” was picked after the fact by {kind} AUC, which makes those numbers "
            "optimistic; a new cohort will probably give less."
        )
    if any(standing.chosen for standing in standings):
        caveats.append(
            "“Chosen in each fold” is free of that: inner folds chose the model before the test "
            "patients of the fold were looked at."
        )
    if fused:
        caveats.append(
            "Whether two intervals overlap is a coarse look at the same patients twice; the "
            "paired tests are under Comparisons."
        )
    return tuple(caveats)
