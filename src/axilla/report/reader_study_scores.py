"""Scores of a reader study: tables of agreement, a summary, and a record for programs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from axilla import RESEARCH_USE_ONLY
from axilla.config.study import StudyConfig
from axilla.evaluation.agreement.reader_study import (
    ALL,
    agreement_table,
    comparison_table,
    ratings_frame,
)
from axilla.explanation.reader_study.answers import Answers, read_answers, valid_rows
from axilla.explanation.reader_study.blinding_key import KEY, PACKETS, Key, read_key
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder, write_bytes
from axilla.records.table_columns import PREDICTIONS, read_results
from axilla.report.number_format import DECIMALS, format_signed, number, p_value, pluralise

_KINDS = (".csv", ".json", ".xlsx")
_QUESTIONS = {"present": "present", "attention_matches": "attention matches"}
_COMPARED = {
    "share_real": "real maps",
    "share_decoy": "decoy maps",
    "real_decoy": "real less decoy, same cases",
    "real_decoy_real_first": "of these, real map first",
    "real_decoy_decoy_first": "of these, decoy map first",
    "right_wrong": "model right less wrong",
}
_ABOUT_AGREEMENT = (
    "Estimates with 95 % intervals. Agreement is told from real maps; whether attention matches is "
    "compared where every reader saw the finding. Kappa is low where a finding is rare or nearly "
    "always there, even if readers hardly ever differ; AC1 is not."
)
_ABOUT_DECOYS = (
    "Maps that explain something match what readers see more often than decoys, the maps of a "
    "model with shuffled weights, do on the same cases."
)
_AGREED = ("percent agreement", "kappa", "AC1")


@dataclass(frozen=True, slots=True)
class ScoredReading:
    """A scored reading; `right` says of how many patients the model's call is known and right."""

    key: Key
    answers: Answers
    ratings: pd.DataFrame
    agreement: pd.DataFrame
    comparison: pd.DataFrame
    right: dict[str, bool]
    notes: tuple[str, ...]


def score_review(
    config: StudyConfig, folder: RunFolder, files: Sequence[Path] | None, *, strict: bool
) -> ScoredReading:
    """Read the answers of all readers and compare them; unblinding happens here.

    Raises `StudyError` without any valid answer, and with `strict` for any fault or gap.
    """
    key = read_key(folder.table(KEY))
    answers = read_answers(files or _find_answer_files(folder), key)
    if strict and (answers.faults or answers.missing):
        raise StudyError((*answers.faults, *answers.missing))
    if not answers.ratings:
        raise StudyError(answers.faults or answers.missing)
    ratings = _frame(answers, key)
    right, notes = _right(folder, key.model)
    rng = np.random.default_rng(config.study.seed)
    return ScoredReading(
        key,
        answers,
        ratings,
        agreement_table(ratings),
        comparison_table(ratings, right=right, rng=rng),
        {patient: called for patient, called in right.items() if patient in set(ratings.patient)},
        notes,
    )


def _find_answer_files(folder: RunFolder) -> list[Path]:
    packets = folder.root / PACKETS
    found = sorted(
        path
        for path in (*packets.glob("*"), *packets.glob("*/*"))
        if path.is_file() and path.suffix.lower() in _KINDS and not path.name.startswith(".")
    )
    if not found:
        remedy = "Name the files: `axilla review score DIR answers-R1.csv answers-R2.json`."
        raise StudyError(Problem("review", "no answers", "files that readers sent back", remedy))
    return found


def _frame(answers: Answers, key: Key) -> pd.DataFrame:
    items = {item.case: item for item in key.items}
    frame = ratings_frame(
        (
            reader,
            items[case].patient_id,
            modality,
            criterion,
            items[case].map,
            position,
            float(rating.present),
            np.nan if rating.matches is None else float(rating.matches),
        )
        for (reader, case, modality, criterion), rating, position in valid_rows(answers, key)
    )
    place = {
        (modality, text): (m, t)
        for m, (modality, texts) in enumerate(key.criteria.items())
        for t, text in enumerate(texts)
    }
    order = [place[pair] for pair in zip(frame["modality"], frame["criterion"], strict=True)]
    return frame.iloc[sorted(range(len(frame)), key=lambda row: order[row])].reset_index(drop=True)


def _right(folder: RunFolder, model: str) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Return whom the explained model called right out of fold, in most of its repeats."""
    path = folder.table("predictions.csv")
    if not path.is_file():
        return {}, ("results/predictions.csv is missing: readers are not compared with the model.",)
    table = read_results(path, PREDICTIONS)
    own = table[(table["model"] == model) & table["probability"].notna()]
    if own.empty:
        return {}, (
            f"predictions.csv has no model {model!r}: readers are not compared with the model.",
        )
    right = (own["probability"] >= own["threshold"]).astype(int) == own["label"]
    share = right.groupby(own["patient_id"]).mean()
    return {str(patient): bool(value >= 0.5) for patient, value in share.items()}, ()  # noqa: PLR2004


def write_scores(folder: RunFolder, scored: ScoredReading) -> None:
    """Write agreement.csv, comparison.csv, summary.json and summary.md into results/review."""
    folder.write_table("review/agreement.csv", scored.agreement)
    folder.write_table("review/comparison.csv", scored.comparison)
    folder.write_json("review/summary.json", as_record(scored))
    write_bytes(folder.table("review/summary.md"), summary_text(scored).encode())


def summary_text(scored: ScoredReading) -> str:
    """Return summary.md."""
    lines = [
        "# Blinded reading of heatmaps",
        "",
        _basis(scored),
        "",
        _ABOUT_AGREEMENT,
        "",
        *_markdown(
            ("modality", "criterion", "question", "n", "yes, by reader", *_AGREED),
            agreement_rows(scored.agreement),
        ),
        "",
        _ABOUT_DECOYS,
        "",
        *_markdown(
            ("modality", "share of matches", "estimate", "p", "cases"),
            comparison_rows(scored.comparison),
        ),
        "",
        "By criterion, with methods and p-values after Holm: agreement.csv, comparison.csv.",
    ]
    faults = (*scored.answers.faults, *scored.answers.missing)
    if faults:
        lines += ["", "## Answers that are missing or not valid", ""]
        lines += [f"- {problem}" for problem in faults]
    lines += [f"- {note}" for note in scored.notes]
    return "\n".join([*lines, "", RESEARCH_USE_ONLY, ""])


def as_record(scored: ScoredReading) -> dict[str, Any]:
    """Return summary.json."""
    items = scored.key.items
    return {
        "notice": RESEARCH_USE_ONLY,
        "packet": scored.key.packet,
        "model": scored.key.model,
        "readers": sorted(scored.ratings["reader"].unique()),
        "cases": int(scored.ratings["patient"].nunique()),
        "decoys": sum(item.map == "decoy" for item in items),
        "ratings": len(scored.ratings),
        "model_right": sum(scored.right.values()),
        "model_known": len(scored.right),
        "faults": [str(problem) for problem in scored.answers.faults],
        "missing": [str(problem) for problem in scored.answers.missing],
        "agreement": _records(scored.agreement),
        "comparison": _records(scored.comparison),
    }


def _basis(scored: ScoredReading) -> str:
    readers = scored.ratings["reader"].nunique()
    decoys = sum(item.map == "decoy" for item in scored.key.items)
    right = f"{sum(scored.right.values())} of {len(scored.right)}"
    return (
        f"{pluralise(readers, 'reader')}, "
        f"{pluralise(scored.ratings['patient'].nunique(), 'case')}, "
        f"{decoys} of them shown once more with a decoy map; "
        f"{pluralise(len(scored.ratings), 'valid rating')}. "
        f"Model {scored.key.model}, right in {right} of these cases where its call is known."
    )


def agreement_rows(table: pd.DataFrame, *, decimals: int = DECIMALS) -> Iterator[tuple[str, ...]]:
    """Yield modality, criterion, question, n, shares of yes by reader, and three coefficients."""
    places = ["modality", "criterion", "question"]
    for place, part in table.groupby(places, sort=False):
        modality, criterion, question = map(str, place)
        own = part[part["measure"] == "prevalence"]
        together = part[part["measure"].isin(_AGREED)].set_index("measure")
        if own.empty:
            continue
        n = "" if together.empty else str(together["n"].iloc[0])
        values = [
            _interval(together.loc[name].to_dict(), decimals=decimals)
            if name in together.index
            else ""
            for name in _AGREED
        ]
        shares = ", ".join(
            f"{row['reader']} {row['value'] * 100:.0f} %" for row in own.to_dict("records")
        )
        yield modality, criterion, _QUESTIONS[question], n, shares, *values


def comparison_rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield modality, name, estimate, p and number of cases, over all criteria."""
    for row in table[table["criterion"] == ALL].to_dict("records"):
        name = _COMPARED[row["comparison"]] + (f", {row['reader']}" if row["reader"] else "")
        share = row["comparison"].startswith("share")
        p = "" if share else p_value(row["p"])
        yield row["modality"], name, _interval(row, plain=share), p, str(row["n_cases"])


def _interval(row: dict[Any, Any], *, plain: bool = True, decimals: int = DECIMALS) -> str:
    value = row["value"] if "value" in row else row["estimate"]
    shown = [
        (number(one) if plain else format_signed(one))
        if decimals == DECIMALS
        else f"{one:z.{decimals}f}"
        for one in (value, row["low"], row["high"])
    ]
    if math.isnan(row["low"]):
        return f"{shown[0]} (no interval)"
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _markdown(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    return lines + [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
