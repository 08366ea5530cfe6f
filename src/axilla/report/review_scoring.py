"""From readers' answers and the key to tables of agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from axilla.config.study import StudyConfig
from axilla.evaluation.agreement.reader_comparisons import comparison_table
from axilla.evaluation.agreement.reader_study import agreement_table, ratings_frame
from axilla.explanation.reader_study.answers import Answers, read_answers, valid_rows
from axilla.explanation.reader_study.blinding_key import KEY, PACKETS, Key, read_key
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import PREDICTIONS, read_results

_KINDS = (".csv", ".json", ".xlsx")


@dataclass(frozen=True, slots=True)
class Scored:
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
) -> Scored:
    """Read the answers of all readers and compare them; unblinding happens here.

    Raises `StudyError` without any valid answer, and with `strict` for any fault or gap.
    """
    key = read_key(folder.table(KEY))
    answers = read_answers(files or _found(folder), key)
    if strict and (answers.faults or answers.missing):
        raise StudyError((*answers.faults, *answers.missing))
    if not answers.ratings:
        raise StudyError(answers.faults or answers.missing)
    ratings = _frame(answers, key)
    right, notes = _right(folder, key.model)
    rng = np.random.default_rng(config.study.seed)
    return Scored(
        key,
        answers,
        ratings,
        agreement_table(ratings),
        comparison_table(ratings, right=right, rng=rng),
        {patient: called for patient, called in right.items() if patient in set(ratings.patient)},
        notes,
    )


def _found(folder: RunFolder) -> list[Path]:
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
