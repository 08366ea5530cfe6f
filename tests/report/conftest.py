"""Synthetic studies: whole results folders from a seed, measured by the real evaluation stage."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from explained import explain

from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate
from axilla.records.patients import ImageFile, Patient
from axilla.records.run_folder import RunFolder
from axilla.report.stage import write_report

PATIENTS = 211
FOLDS = 5
BACKBONES = ("densenet121", "squeezenet", "efficientnet_lite0", "plnet")

# Model, kind, modality, and how far apart its classes stand (in standard deviations).
PAIRED = (
    *(
        (f"ultrasound/{b}", "unimodal", "ultrasound", s)
        for b, s in zip(BACKBONES, (1.5, 1.25, 1.1, 0.6), strict=True)
    ),
    ("ultrasound/selected", "unimodal", "ultrasound", 1.45),
    ("ultrasound/trivial", "unimodal", "ultrasound", 1.2),
    *(
        (f"pathology/{b}", "unimodal", "pathology", s)
        for b, s in zip(BACKBONES, (1.9, 1.6, 1.5, 1.0), strict=True)
    ),
    ("pathology/selected", "unimodal", "pathology", 1.85),
    ("pathology/trivial", "unimodal", "pathology", 1.5),
    ("clinical/logistic", "unimodal", "clinical", 0.4),
    ("concatenation", "fusion", "ultrasound+pathology", 2.3),
    ("weighting", "fusion", "ultrasound+pathology", 2.4),
    ("attention", "fusion", "ultrasound+pathology", 2.2),
    ("voting", "fusion", "ultrasound+pathology", 2.5),
    ("multilayer", "fusion", "ultrasound+pathology", 2.4),
    ("selected", "fusion", "ultrasound+pathology", 2.35),
    ("single/selected", "unimodal", "pathology", 1.8),
    ("birads", "reader", "reader", 1.6),
)
CLINICAL_ONLY = (("clinical/logistic", "unimodal", "clinical", 0.4),)

ABOUT = (
    "Real breast ultrasound and real H&E tiles, but a stand-in outcome: malignancy, not node "
    "metastasis. The two images of a case come from different people, paired within the label, so "
    "fusion gains more here than in real patients.\n\nNothing measured on it is clinical. Sources: "
    "BrEaST-Lesions-USG (CC BY 4.0), BUS-BRA (its own licence), BreakHis (CC BY 4.0)."
)


def paired_config(**study) -> StudyConfig:
    """The configuration of the sample cohort."""
    return StudyConfig.model_validate(
        {
            "study": {"name": "Sample cohort", "about": ABOUT, "outcome": "malignant"} | study,
            "cohort": {"group": ["pathology_donor"], "site": "site"},
            "clinical": {"age": "number"},
            "reader": {"column": "birads", "positive": ["4c", 5, 6], "name": "BI-RADS"},
            "models": {
                "ultrasound": BACKBONES,
                "pathology": BACKBONES,
                "fusion": ["concatenation", "weighting", "attention", "voting", "multilayer"],
            },
            "search": {"rate_factors": [1, 3], "batch_sizes": [16, 64]},
            "training": {"network_size_px": 96, "network_epochs": 20},
            "evaluation": {"subgroups": ["site", "age"], "bands": {"age": [40, 50, 60]}},
        }
    )


def clinical_config() -> StudyConfig:
    """A study without images, groups, reader or fusion, as the TCGA sample."""
    return StudyConfig.model_validate(
        {
            "study": {"name": "TCGA-BRCA, clinical", "outcome": "alnm"},
            "clinical": {"age": "number", "pathological_t": "category"},
        }
    )


def write_study(
    root: Path,
    *,
    config: StudyConfig,
    models: Sequence[tuple[str, str, str, float]],
    patients: int = PATIENTS,
    seed: int = 7,
) -> RunFolder:
    """Write a whole results folder: the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    folder = RunFolder(root)
    positive = round(patients * 107 / 211)
    label = rng.permutation(np.repeat([1, 0], [positive, patients - positive]))
    identifiers = np.array([f"P{number:03d}" for number in range(1, patients + 1)])
    donor = np.where(label == 1, rng.integers(0, 27, patients), rng.integers(27, 36, patients))
    fold = donor % FOLDS if config.cohort.group else rng.permutation(patients) % FOLDS
    frames = [
        _predict(np.column_stack([identifiers, label, fold]), model=model, rng=rng)
        for model in models
    ]
    folder.write_table("predictions.csv", pd.concat(frames, ignore_index=True))
    folder.write_table("splits.csv", _splits(identifiers, fold))
    evaluate(
        config,
        folder,
        [
            Patient(
                name,
                int(outcome),
                group=str(number) if config.cohort.group else name,
                site=_site(position),
                ultrasound=(ImageFile(Path("us.png")),),
                pathology=(ImageFile(Path("he.png")),),
                reader_positive=bool(position % 2),
                clinical={"age": _age(position)},
                attributes={"site": _site(position), "age": _age(position)},
            )
            for position, (name, outcome, number) in enumerate(
                zip(identifiers, label, donor, strict=True)
            )
        ],
    )
    _write_story(folder, config=config, models=models, patients=patients)
    return folder


def _site(position: int) -> str:
    return ("BUS-BRA", "BrEaST")[position % 2]


def _age(position: int) -> float:
    return 30.0 + (position * 7) % 50


def _predict(cohort, *, model, rng) -> pd.DataFrame:
    name, kind, modality, separation = model
    label, fold = cohort[:, 1].astype(int), cohort[:, 2].astype(int)
    score = rng.normal(size=len(label)) + separation * (label - 0.5)
    probability = 1 / (1 + np.exp(-score))
    threshold = np.clip(0.5 + 0.06 * rng.normal(size=FOLDS), 0.2, 0.8)[fold]
    if kind == "reader":
        probability, threshold = (score > 0.5).astype(float), np.full(len(label), 0.5)
    return pd.DataFrame(
        {
            "patient_id": cohort[:, 0],
            "model": name,
            "kind": kind,
            "modality": modality,
            "repeat": 1,
            "fold": fold + 1,
            "label": label,
            "probability": probability,
            "threshold": threshold,
        }
    )


def _splits(identifiers, fold) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (patient, 1, number + 1, "test" if own == number else "train")
            for number in range(FOLDS)
            for patient, own in zip(identifiers, fold, strict=True)
        ],
        columns=["patient_id", "repeat", "fold", "role"],
    )


def _write_story(folder: RunFolder, *, config: StudyConfig, models, patients: int) -> None:
    fused = any(kind == "fusion" for _, kind, _, _ in models)
    searched = [
        m[0]
        for m in models
        if m[1] != "reader" and "trivial" not in m[0] and "selected" not in m[0]
    ]
    trials = [
        (
            model,
            fold,
            json.dumps({"learning_rate": rate, "batch_size": size}),
            0.7 + rate + fold / 99,
            2.5,
        )
        for model in searched
        for fold in range(FOLDS)
        for rate, size in ((0.0001, 16), (0.0003, 16), (0.0001, 64), (0.0003, 64))
    ]
    columns = ["model", "fold", "hyperparameters", "inner_score", "seconds"]
    folder.write_table("search.csv", pd.DataFrame(trials, columns=columns))
    positive = round(patients * 107 / 211)
    classes = {"positive": positive, "negative": patients - positive}
    images = {"ultrasound": classes, "pathology": classes}
    flow = {
        "in_table": patients + 4,
        "without_outcome": 4,
        "labelled": patients,
        **classes,
        "groups": 36 if config.cohort.group else patients,
        "external": 0,
        "modalities": (images if fused else {}) | {"clinical": classes},
        "all_modalities": classes,
        "sites": {"BUS-BRA": classes} if fused else {f"site {n}": classes for n in range(38)},
    }
    folder.write_json("flow.json", flow)
    finding = {
        "code": "outcome-unknown",
        "severity": "warning",
        "place": "cohort.csv, malignant",
        "found": "4 patients without a value",
        "expected": "1 or another value",
        "remedy": "They are left out.",
        "patients": ["P300", "P301", "P302", "P303"],
    }
    folder.write_json("check.json", {"errors": [], "warnings": [finding], "summary": {}})
    chosen = [
        {
            "repeat": 1,
            "fold": fold,
            "name": f"fold {fold}",
            "ultrasound": "ultrasound/densenet121",
            "pathology": ("pathology/densenet121", "pathology/plnet")[fold == 3],
            "fusion": "voting",
        }
        for fold in range(1, FOLDS + 1)
    ]
    provenance = {
        "axilla_version": "0.1.0",
        "started": "2026-02-03T10:00:00+00:00",
        "finished": "2026-02-03T10:14:05+00:00",
        "seconds": 845.2,
        "seed": config.study.seed,
        "cohort_digest": "0f3a5b1c9d7e2f4a6b8c0d1e2f3a4b5c",
        "config": config.model_dump(mode="json"),
        "versions": {
            "torch": "2.13.0",
            "numpy": "2.4.6",
            "scikit-learn": "1.7.2",
            "timm": "1.0.24",
        },
        "platform": "Linux x86_64, Python 3.12",
        "selected": chosen if fused else [],
        "bundle": {"model": "multilayer", "threshold": 0.487} if fused else None,
    }
    folder.write_json("provenance.json", provenance)


@pytest.fixture(scope="session")
def paired(tmp_path_factory) -> tuple[StudyConfig, RunFolder]:
    """Both modalities, every family, a reader; its report is written already."""
    config = paired_config()
    folder = write_study(tmp_path_factory.mktemp("paired"), config=config, models=PAIRED)
    write_report(config, folder)
    return config, folder


@pytest.fixture(scope="session")
def explained(paired, tmp_path_factory) -> tuple[StudyConfig, RunFolder, list[str]]:
    """The same results with maps and tables of explanations; and the patients who have maps."""
    config, finished = paired
    return config, *explain(finished, tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="session")
def clinical_only(tmp_path_factory) -> tuple[StudyConfig, RunFolder]:
    """One clinical model, nothing else; its report is written already."""
    config = clinical_config()
    root = tmp_path_factory.mktemp("clinical")
    folder = write_study(root, config=config, models=CLINICAL_ONLY, patients=400)
    write_report(config, folder)
    return config, folder
