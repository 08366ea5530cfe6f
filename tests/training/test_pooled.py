"""Learnt pooling in folds: nothing leaks, parts agree, one malignant tile in ten is found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

import axilla
from axilla.cohort.splits.folds import Fold, Split, plan_folds
from axilla.config.study import (
    ModelsSection,
    OptimisationSection,
    PreprocessingSection,
    SearchSection,
    StudyConfig,
    StudySection,
    TrainingSection,
    ValidationSection,
)
from axilla.models.pca import Projection
from axilla.models.pooling import GatedAttention, shares_in_bags
from axilla.preprocessing.prepare import PixelSettings
from axilla.records.errors import ConfigError
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Silent
from axilla.training.candidates import Candidate
from axilla.training.data.embeddings import EmbeddingPlan, map_embeddings, store_embeddings
from axilla.training.data.pixels import per_patient, store_pixels
from axilla.training.engine.engine import Engine
from axilla.training.heads import pooled_heads as pooled_module
from axilla.training.heads.bag_heads import BagIndex
from axilla.training.heads.frozen_heads import train_frozen
from axilla.training.heads.hyperparameter_grid import HeadSearch
from axilla.training.heads.pooled_heads import train_pooled
from axilla.training.networks.optimisation import Optimisation, of_network
from axilla.training.preflight import require_models

SAMPLE = Path(axilla.__file__).parent / "sample"
FOLD = Fold(
    1,
    1,
    name="fold 1",
    outer=Split(train=tuple(range(16)), test=(16, 17, 18, 19)),
    inner=(
        Split(train=tuple(range(8)), test=tuple(range(8, 16))),
        Split(train=tuple(range(8, 16)), test=tuple(range(8))),
    ),
)
LABELS = (torch.arange(20) % 2).float()
OWNER = torch.arange(20).repeat_interleave(torch.arange(20) % 4 + 1)
OWNER = OWNER[OWNER != 5]  # a patient without an image
SEARCH = HeadSearch.of(
    SearchSection(rate_factors=(1.0, 10.0), batch_sizes=(8,)),
    TrainingSection(head_epochs=3, reduce_to=6),
)


def trained(images: torch.Tensor, labels: torch.Tensor = LABELS) -> Candidate:
    (candidate,), _ = train_pooled(
        "squeezenet",
        "pathology",
        images,
        labels,
        [FOLD],
        bags=BagIndex.of(OWNER, patients=20),
        pooling="attention",
        search=SEARCH,
        optimisation=Optimisation("adam", 1e-3, halve_every=10),
        seed=1,
    )
    return candidate


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(len(OWNER), 2, 30, generator=torch.Generator().manual_seed(1))


def test_test_patients_reach_no_decision(images: torch.Tensor) -> None:
    honest = trained(images)
    test = torch.tensor(FOLD.outer.test)
    poisoned, labels = images.clone(), LABELS.clone()
    poisoned[torch.isin(OWNER, test)] = 100.0
    labels[test] = 1 - labels[test]
    other = trained(poisoned, labels)
    for part, state in honest.parts.items():
        for name, tensor in state.items():
            assert torch.equal(tensor, other.parts[part][name]), (part, name)
    assert torch.equal(honest.inner_logits.nan_to_num(), other.inner_logits.nan_to_num())
    assert honest.inner_score == other.inner_score
    assert not torch.equal(honest.outer.logits[test], other.outer.logits[test])


def test_an_inner_model_never_saw_whom_it_is_scored_on(images: torch.Tensor) -> None:
    """Change only the patients that the first inner split leaves out: its model stays itself."""
    honest, other = trained(images), trained(images + 5 * (OWNER >= 8).view(-1, 1, 1))
    first = list(range(8))
    a, b = (c.inner[0].embedding[first].nan_to_num() for c in (honest, other))
    assert torch.equal(a, b)
    known = torch.isfinite(honest.inner_logits).nonzero().flatten().tolist()
    assert known == [n for n in range(16) if n != 5]


def test_what_a_bundle_does_with_the_parts_is_what_was_trained(images: torch.Tensor) -> None:
    candidate = trained(images)
    projection = Projection(**candidate.parts["projection"])
    pool = GatedAttention(6)
    pool.load_state_dict(dict(candidate.parts["pooling"]))
    classifier = candidate.parts["classifier"]
    with torch.no_grad():
        for patient in range(20):
            bag = images[patient == OWNER].mean(1)
            if not len(bag):
                assert candidate.outer.logits[patient].isnan()
                assert candidate.outer.embedding[patient].isnan().all()
                continue
            shares = torch.softmax(pool.scores(projection(bag)), 0)
            raw = shares @ bag
            served = candidate.outer.embedding[patient].mean(0)
            torch.testing.assert_close(projection(raw), served, rtol=1e-4, atol=1e-5)
            logit = classifier["weight"][0] @ raw + classifier["bias"][0]
            torch.testing.assert_close(candidate.outer.logits[patient], logit, rtol=1e-4, atol=1e-5)


def test_splits_trained_some_at_a_time_are_trained_alike(
    images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = trained(images)
    monkeypatch.setattr(pooled_module, "_STACKED_BYTES", 1)
    alone = trained(images)
    torch.testing.assert_close(alone.outer.logits, together.outer.logits, equal_nan=True)
    for ours, theirs in zip(alone.inner, together.inner, strict=True):
        torch.testing.assert_close(ours.logits, theirs.logits, equal_nan=True)


def planted(rng: np.random.Generator) -> tuple[list[Patient], list[int]]:
    """Make bags of ten real tiles in which only one malignant tile tells positives from negatives.

    Donors are put into nine groups of one benign and some malignant donors. Each malignant tile
    makes a positive, among nine benign tiles of its group; beside it stands a negative, ten benign
    tiles of the same group. Returns the place of the malignant tile in each bag, -1 for none.
    """
    table = pd.read_csv(SAMPLE / "cohort.csv", dtype=str)
    benign, malignant = (table[table["malignant"] == label] for label in ("0", "1"))
    donors = list(benign["pathology_donor"].unique())
    others = rng.permutation(malignant["pathology_donor"].unique())
    patients, places = [], []
    for number, donor in enumerate(donors):
        tiles = benign.loc[benign["pathology_donor"] == donor, "pathology"].tolist()
        mine = malignant["pathology_donor"].isin(others[number :: len(donors)])
        for tile in malignant.loc[mine, "pathology"]:
            for label in (1, 0):
                bag = list(rng.choice(tiles, min(10 - label, len(tiles)), replace=False))
                places.append(int(rng.integers(len(bag) + 1)) if label else -1)
                if label:
                    bag.insert(places[-1], tile)
                files = tuple(ImageFile(SAMPLE / name) for name in bag)
                patients.append(Patient(f"B{len(patients)}", label, donor, pathology=files))
    return patients, places


def embedded(patients: Sequence[Patient], cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed every tile once, and return the bags' tiles (I, V, D) and whose they are (I,)."""
    files = sorted({file.path for patient in patients for file in patient.pathology})
    once = [Patient("all", 1, "all", pathology=tuple(map(ImageFile, files)))]
    settings = PixelSettings(128, roi_margin=0.25, harmonise=True)
    pixels = store_pixels(once, "pathology", settings=settings, cache=cache, progress=Silent())
    plan = EmbeddingPlan(
        *("squeezenet", pixels, PreprocessingSection(image_size_px=128)),
        pretrained=True,
        seed=1,
        cache=cache,
    )
    store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())
    bags = [(n, files.index(f.path)) for n, p in enumerate(patients) for f in p.pathology]
    return (
        map_embeddings(plan.path)[torch.tensor([place for _, place in bags])],
        torch.tensor([owner for owner, _ in bags]),
    )


def out_of_fold(candidates: Sequence[Candidate]) -> np.ndarray:
    logits = torch.full_like(candidates[0].outer.logits, torch.nan)
    for candidate in candidates:
        test = list(candidate.fold.outer.test)
        logits[test] = candidate.outer.logits[test]
    return logits.numpy()


@torch.no_grad()
def shares_by(candidate: Candidate, images: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    projection = Projection(**candidate.parts["projection"])
    pool = GatedAttention(projection.axes.shape[1])
    pool.load_state_dict(dict(candidate.parts["pooling"]))
    scores = pool.scores(projection(images.mean(1)))
    return shares_in_bags(scores, owner, bags=int(owner.max()) + 1)


@pytest.mark.slow
def test_attention_finds_the_one_malignant_tile_among_ten(tmp_path: Path) -> None:
    patients, places = planted(np.random.default_rng(2))
    images, owner = embedded(patients, tmp_path)
    labels = torch.tensor([float(patient.label or 0) for patient in patients])
    folds = plan_folds(
        labels=[patient.label or 0 for patient in patients],
        groups=[patient.group for patient in patients],
        sites=[None] * len(patients),
        validation=ValidationSection(folds=3, inner_folds=2),
        seed=2,
    )
    search = HeadSearch.of(SearchSection(rate_factors=(10.0,)), TrainingSection())
    adam = of_network("squeezenet", OptimisationSection())
    averaged, _ = train_frozen(
        "squeezenet",
        "pathology",
        per_patient(images, owner.numpy(), patients=len(patients)),
        labels,
        folds,
        search=search,
        optimisation=adam,
        seed=2,
    )
    pooled, _ = train_pooled(
        "squeezenet",
        "pathology",
        images,
        labels,
        folds,
        bags=BagIndex.of(owner, patients=len(patients)),
        pooling="attention",
        search=search,
        optimisation=adam,
        seed=2,
    )
    found = []
    for candidate in pooled:
        shares = shares_by(candidate, images, owner)
        found += [
            int(shares[owner == patient].argmax()) == places[patient]
            for patient in candidate.fold.outer.test
            if places[patient] >= 0
        ]
    mean, attention = (roc_auc_score(labels, out_of_fold(c)) for c in (averaged, pooled))
    assert attention > mean + 0.1
    assert attention > 0.65
    assert np.mean(found) > 0.6  # by chance 0.1


@pytest.mark.parametrize(
    ("models", "place", "remedy"),
    [
        ({"training": "finetune"}, "models.training", "training = 'frozen'"),
        ({"fusion_training": "joint"}, "models.fusion_training", "fusion_training = 'head'"),
        ({"pathology": ("squeezenet", "plnet")}, "study.toml, models", "Leave plnet out"),
    ],
)
def test_networks_that_learn_from_single_images_are_not_pooled_by_attention(
    models: dict[str, object], place: str, remedy: str
) -> None:
    def config(pooling: str) -> StudyConfig:
        section = {"pathology": ("squeezenet",)} | models | {"pooling": pooling}
        return StudyConfig(
            study=StudySection(outcome="alnm"), models=ModelsSection.model_validate(section)
        )

    require_models(config("mean"))
    with pytest.raises(ConfigError) as caught:
        require_models(config("attention"))
    (problem,) = caught.value.problems
    assert place in problem.place
    assert remedy in problem.remedy
    assert "pooling = 'mean'" in problem.remedy
