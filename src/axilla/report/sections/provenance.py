"""What made the numbers: software, data, time and seed; and what the search tried."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla.report.number_format import duration, number
from axilla.report.reported_models import model_label
from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class SearchLine:
    """The search of one model: how many trials, the settings most folds chose, and the time."""

    model: str
    trials: int
    settings: str
    score: str
    seconds: float
    time: str


def provenance_facts(
    results: StudyResults,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return the facts of provenance.json that are known, then the versions of packages."""
    known = results.provenance
    seconds = known.get("seconds")
    bundle = known.get("bundle")
    candidates = (
        ("axilla", known.get("axilla_version")),
        ("Preset", results.config.preset),
        ("Started", known.get("started")),
        ("Finished", known.get("finished")),
        ("Duration", duration(float(seconds)) if isinstance(seconds, int | float) else None),
        ("Seed", known.get("seed", results.config.study.seed)),
        ("Cohort digest", known.get("cohort_digest")),
        ("Platform", known.get("platform")),
        ("Device", known.get("device")),
        ("Python", known.get("python")),
        ("Bundle", _bundle(bundle) if isinstance(bundle, Mapping) else None),
        ("Protocol after", "Peng et al., Front Oncol 2025;15:1591858"),
    )
    facts = tuple((name, str(value)) for name, value in candidates if value not in (None, ""))
    versions = known.get("versions")
    packages = sorted(versions.items()) if isinstance(versions, Mapping) else []
    return facts, tuple((str(name), str(version)) for name, version in packages)


def search_lines(search: pd.DataFrame) -> tuple[SearchLine, ...]:
    """Return one line per searched model, in the order of search.csv; none for an empty search."""
    lines = []
    for model, trials in search.groupby("model", sort=False):
        scored = trials.dropna(subset=["inner_score"])
        best = scored.loc[scored.groupby(_fold_keys(trials))["inner_score"].idxmax()]
        chosen = best["hyperparameters"].dropna().astype(str)
        seconds = trials["seconds"].sum()
        median = best["inner_score"].median()
        lines.append(
            SearchLine(
                model=_long_name(str(model)),
                trials=len(trials),
                settings=_settings(chosen.mode().iloc[0]) if len(chosen) else "",
                score=number(float(median)),
                seconds=round(float(seconds), 3),
                time=duration(float(seconds)),
            )
        )
    return tuple(lines)


def _fold_keys(trials: pd.DataFrame) -> list[str]:
    return [column for column in ("repeat", "fold") if column in trials.columns]


def _long_name(model: str) -> str:
    family, slash, _ = model.rpartition("/")
    return f"{model_label(model)}, {family}" if slash else f"{model_label(model)} fusion"


def _settings(text: str) -> str:
    try:
        values: Any = json.loads(text)
    except ValueError:
        return text
    if not isinstance(values, dict):
        return text
    return ", ".join(f"{str(key).replace('_', ' ')} {value}" for key, value in values.items())


def _bundle(bundle: Mapping[str, Any]) -> str:
    model, threshold = bundle.get("model"), bundle.get("threshold")
    if model is None:
        return ""
    text = f"predicts new cases with {model}"
    return f"{text}, threshold {threshold:.3f}" if isinstance(threshold, int | float) else text
