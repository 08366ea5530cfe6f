"""Choices inside folds, and the models they are made among, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from axilla.cohort.splits.folds import Fold, Split
from axilla.config.study import StudyConfig
from axilla.preprocessing.augment import served_views
from axilla.records.patients import Patient
from axilla.training.candidates import (
    GridPoint,
    all_splits,
    assemble,
    best_of,
    by_fold,
    inner_auc,
    pick,
)
from axilla.training.heads.batched_training import TrainedHead
from axilla.training.heads.frozen_heads import train_frozen
from axilla.training.heads.hyperparameter_grid import HeadSearch
from axilla.training.heads.logistic import PENALTIES, encoders_of, standardise, train_logistic
from axilla.training.networks.optimisation import Optimisation

PATIENTS = 24
LABELS = (torch.arange(PATIENTS) % 3 == 0).float()
NOWHERE = torch.nan
EVERYBODY = torch.ones(PATIENTS, dtype=torch.bool)


def fold(number, test):
    train = tuple(n for n in range(PATIENTS) if n not in test)
    halves = train[::2], train[1::2]
    inner = tuple(Split(train=halves[1 - n], test=halves[n]) for n in range(2))
    return Fold(1, number, name=f"fold {number}", outer=Split(train, tuple(test)), inner=inner)


FOLDS = [fold(1, range(12)), fold(2, range(12, 24))]
RNG = torch.Generator().manual_seed(9)


def test_splits_and_items_go_together():
    splits = all_splits(FOLDS)
    assert splits == [*FOLDS[0].inner, FOLDS[0].outer, *FOLDS[1].inner, FOLDS[1].outer]
    cut = list(by_fold(FOLDS, splits))
    for one, (inner, outer) in zip(FOLDS, cut, strict=True):
        assert (tuple(inner), outer) == (one.inner, one.outer)


def test_inner_predictions_come_from_the_model_that_did_not_see_the_patient():
    inner = FOLDS[0].inner
    joined = assemble(inner, [torch.full((PATIENTS,), 1.0), torch.full((PATIENTS,), 2.0)])
    assert (joined[list(inner[0].test)] == 1).all()
    assert (joined[list(inner[1].test)] == 2).all()
    assert joined[list(FOLDS[0].outer.test)].isnan().all()


def test_the_inner_score_is_the_auc_of_known_logits():
    logits = torch.randn(PATIENTS, generator=RNG)
    logits[3:6] = NOWHERE
    known = torch.isfinite(logits)
    expected = roc_auc_score(LABELS[known], logits[known])
    assert inner_auc(logits, LABELS) == pytest.approx(expected)
    one_class = logits.where(LABELS == 1, torch.tensor(NOWHERE))
    assert inner_auc(one_class, LABELS) == 0.5
    assert inner_auc(torch.full((PATIENTS,), NOWHERE), LABELS) == 0.5


def test_the_best_is_by_auc_then_log_loss_then_order():
    right, wrong = LABELS * 2 - 1, 1 - LABELS * 2
    assert best_of([wrong, right], LABELS) == 1
    assert best_of([right * 0.1, right, right * 0.1], LABELS) == 1
    assert best_of([right, right.clone()], LABELS) == 0


def test_the_outer_model_is_never_asked():
    def models(seed, outer):
        rng = torch.Generator().manual_seed(seed)
        logits = [torch.randn(PATIENTS, generator=rng) for _ in range(6)]
        logits[2], logits[5] = outer, outer
        return [TrainedHead({}, values) for values in logits]

    oracle, junk = LABELS * 9, torch.full((PATIENTS,), NOWHERE)
    first = list(pick(FOLDS, [models(1, oracle), models(2, junk)], LABELS, present=EVERYBODY))
    second = list(pick(FOLDS, [models(1, junk), models(2, oracle)], LABELS, present=EVERYBODY))
    assert [p.point for p in first] == [p.point for p in second]
    for chosen, one in zip(first, FOLDS, strict=True):
        assert chosen.fold == one
        assert chosen.inner_scores[chosen.point] == max(chosen.inner_scores)
        assert chosen.inner_logits[list(one.outer.test)].isnan().all()
        assert len(chosen.inner) == 2


def test_who_brings_nothing_has_no_part_in_the_choice():
    def models(good):
        rng = torch.Generator().manual_seed(int(good))
        noise = torch.randn(PATIENTS, generator=rng)
        return [TrainedHead({}, torch.where(present, LABELS if good else noise, noise * 9))] * 6

    present = torch.arange(PATIENTS) % 4 < 2
    for chosen in pick(FOLDS, [models(good=False), models(good=True)], LABELS, present=present):
        assert (chosen.point, chosen.inner_scores[1]) == (1, 1.0)
        assert chosen.inner_logits[~present].isnan().all()


def features(split):
    raw = torch.randn(PATIENTS, 3, generator=torch.Generator().manual_seed(4)) * 5 + 2
    return raw, StandardScaler().fit(raw[list(split.train)].double().numpy())


def test_features_are_scaled_as_scikit_learn_does_on_training_patients():
    split = FOLDS[0].outer
    raw, scaler = features(split)
    everybody = EVERYBODY
    out = standardise(raw, everybody, split)
    assert out.numpy() == pytest.approx(scaler.transform(raw.double().numpy()), abs=1e-4)
    spoiled = raw.clone()
    spoiled[list(split.test)] = 1e9
    train = list(split.train)
    assert torch.equal(standardise(spoiled, everybody, split)[train], out[train])


def test_an_absent_patient_neither_scales_nor_stays():
    split = FOLDS[0].outer
    raw, _ = features(split)
    present = torch.ones(PATIENTS, dtype=torch.bool)
    present[13] = False
    raw[13] = NOWHERE
    out = standardise(raw, present, split)
    assert torch.isfinite(out).all()
    assert not out[13].any()


def logistic(present=None, spoil=()):
    present = torch.ones(PATIENTS, dtype=torch.bool) if present is None else present
    x = [features(split)[0].clone() for split in all_splits(FOLDS)]
    for one in x:
        one[list(spoil)] = 77.0
    return x, *train_logistic(
        "clinical/logistic", "clinical", x, present=present, labels=LABELS, folds=FOLDS
    )


def test_the_clinical_model_is_scikit_learns_with_a_penalty_chosen_inside():
    x, candidates, rows = logistic()
    assert len(candidates) == 2
    assert len(rows) == 2 * len(PENALTIES)
    for candidate, (_, matrix) in zip(candidates, by_fold(FOLDS, x), strict=True):
        mine = [row for row in rows if row.fold == candidate.fold.name]
        scores = [row.inner_score for row in mine]
        assert candidate.inner_score == pytest.approx(max(scores))
        best = [c for c, score in zip(PENALTIES, scores, strict=True) if score == max(scores)]
        train = list(candidate.fold.outer.train)
        answers = []
        for penalty in best:
            reference = LogisticRegression(C=penalty, max_iter=1000)
            reference.fit(matrix[train].numpy(), LABELS[train].numpy())
            answers.append(reference.decision_function(matrix.numpy()))
        ours = candidate.outer.logits.numpy()
        assert any(np.allclose(ours, theirs, atol=1e-3) for theirs in answers)
        state = candidate.parts["classifier"]
        by_state = matrix @ state["weight"].T + state["bias"]
        assert torch.allclose(by_state.squeeze(1), candidate.outer.logits)


def test_test_patients_do_not_move_the_clinical_model():
    _, clean, _ = logistic()
    _, spoiled, _ = logistic(spoil=FOLDS[0].outer.test)
    for key, tensor in clean[0].parts["classifier"].items():
        assert torch.equal(tensor, spoiled[0].parts["classifier"][key])
    assert torch.equal(clean[0].inner_logits.nan_to_num(), spoiled[0].inner_logits.nan_to_num())


def test_a_patient_without_values_gets_no_logit():
    present = torch.ones(PATIENTS, dtype=torch.bool)
    present[[2, 20]] = False
    _, candidates, _ = logistic(present)
    for candidate in candidates:
        for logits in (candidate.outer.logits, *(output.logits for output in candidate.inner)):
            assert torch.isfinite(logits).logical_not().nonzero().flatten().tolist() == [2, 20]
        assert candidate.inner_logits[[2, 20]].isnan().all()


def test_a_split_of_one_class_says_smoothed_odds():
    _, candidates, _ = logistic(present=LABELS == 1)
    for candidate in candidates:
        logits = candidate.outer.logits[LABELS == 1]
        trained_on = int(LABELS[list(candidate.fold.outer.train)].sum())
        assert logits.numpy() == pytest.approx(np.log((trained_on + 0.5) / 0.5), abs=1e-5)


def test_encoders_know_their_splits_training_patients_only():
    config = StudyConfig.model_validate(
        {"study": {"outcome": "x"}, "clinical": {"age": "number", "er": "category"}}
    )
    patients = [
        Patient(str(n), int(LABELS[n]), str(n), clinical={"age": float(n), "er": f"level {n}"})
        for n in range(PATIENTS)
    ]
    encoders = encoders_of(patients, config, FOLDS)
    for encoder, split in zip(encoders, all_splits(FOLDS), strict=True):
        age, er = encoder.columns
        assert age.mean == pytest.approx(np.mean(split.train))
        assert set(er.levels) == {f"level {n}" for n in split.train}


SEARCH = HeadSearch((GridPoint(10.0, 8), GridPoint(100.0, 8)), epochs=6, components=4)


def frozen(spoil=(), absent=()):
    embeddings = torch.randn(PATIENTS, 3, 10, generator=torch.Generator().manual_seed(6))
    embeddings[:, :, 0] += LABELS.unsqueeze(1) * 2
    embeddings[list(spoil)] = 1e6
    embeddings[list(absent)] = NOWHERE
    trained = train_frozen(
        "squeezenet",
        "pathology",
        embeddings,
        LABELS,
        FOLDS,
        search=SEARCH,
        optimisation=Optimisation("adam", 1e-3, halve_every=10),
        seed=3,
    )
    return embeddings, *trained


def test_the_bundled_classifier_on_the_embedding_is_the_trained_head():
    embeddings, candidates, rows = frozen()
    assert len(rows) == 2 * len(SEARCH.grid)
    for candidate in candidates:
        state = candidate.parts["classifier"]
        served = embeddings[:, :2].mean(1)
        logits = (served @ state["weight"].T + state["bias"]).squeeze(1)
        torch.testing.assert_close(logits, candidate.outer.logits, rtol=1e-3, atol=1e-4)
        assert candidate.outer.embedding.shape == (PATIENTS, 3, 4)
        assert candidate.inner_score == pytest.approx(inner_auc(candidate.inner_logits, LABELS))


def test_test_patients_move_neither_projection_nor_head():
    _, clean, _ = frozen()
    _, spoiled, _ = frozen(spoil=FOLDS[0].outer.test)
    for part, state in clean[0].parts.items():
        for key, tensor in state.items():
            assert torch.equal(tensor, spoiled[0].parts[part][key]), (part, key)
    assert torch.equal(clean[0].inner_logits.nan_to_num(), spoiled[0].inner_logits.nan_to_num())


def test_patients_without_an_image_are_neither_trained_on_nor_scored():
    _, candidates, _ = frozen(absent=(1, 2, 14))
    for candidate in candidates:
        missing = torch.isfinite(candidate.outer.logits).logical_not().nonzero().flatten()
        assert missing.tolist() == [1, 2, 14]
        scored = torch.isfinite(candidate.inner_logits).nonzero().flatten().tolist()
        assert scored == [n for n in candidate.fold.outer.train if n not in missing]
        assert candidate.inner_score == inner_auc(candidate.inner_logits, LABELS)
        for state in candidate.parts.values():
            assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_serving_averages_original_and_flip():
    planes = torch.randint(0, 256, (2, 2, 4, 4)).to(torch.uint8)
    original, mirrored = served_views(planes, mirror=True)
    assert torch.equal(original, planes)
    assert torch.equal(mirrored, torch.flip(planes, [3]))
    (alone,) = served_views(planes, mirror=False)
    assert torch.equal(alone, planes)
