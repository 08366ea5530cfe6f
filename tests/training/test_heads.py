"""Heads trained side by side are the heads trained one by one, and an ordinary PyTorch loop."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import Concatenation, Fusion, Multilayer
from axilla.training.projection import fit_projection
from axilla.training.stacked import Schedule, Trial, shuffled_batches, train_stacked

PATIENTS, WIDTH = 40, 6
SCHEDULE = Schedule(torch.optim.AdamW, rate=1e-2, batch_size=8, epochs=7, halve_every=3)


@pytest.fixture
def labels() -> torch.Tensor:
    return (torch.arange(PATIENTS) % 3 == 0).float()


def trial(seed: int, train: range, views: int = 2) -> Trial:
    rng = torch.Generator().manual_seed(seed)
    return Trial(
        embeddings=tuple(torch.randn(PATIENTS, views, WIDTH, generator=rng) for _ in range(2)),
        logits=torch.zeros(PATIENTS, 2),
        present=torch.ones(PATIENTS, 2, dtype=torch.bool),
        train=torch.tensor(train),
        seed=seed,
    )


@pytest.mark.parametrize("strategy", [Concatenation, Multilayer])
def test_side_by_side_equals_one_by_one(strategy: type[Fusion], labels: torch.Tensor) -> None:
    trials = [trial(1, range(30)), trial(2, range(10, 40)), trial(3, range(5, 24))]
    together = train_stacked(strategy, trials, labels, schedule=SCHEDULE)
    for one, stacked in zip(trials, together, strict=True):
        (alone,) = train_stacked(strategy, [one], labels, schedule=SCHEDULE)
        torch.testing.assert_close(stacked.logits, alone.logits, rtol=1e-4, atol=1e-5)
        for name, tensor in alone.state.items():
            torch.testing.assert_close(stacked.state[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_stacked_head_is_an_ordinary_training_loop(labels: torch.Tensor) -> None:
    one = trial(4, range(29), views=1)
    (stacked,) = train_stacked(Multilayer, [one], labels, schedule=SCHEDULE)
    torch.manual_seed(one.seed)
    head = Multilayer([WIDTH, WIDTH])
    optimiser = torch.optim.AdamW(head.parameters(), lr=SCHEDULE.rate)
    halving = torch.optim.lr_scheduler.StepLR(optimiser, SCHEDULE.halve_every, gamma=0.5)
    rng = torch.Generator().manual_seed(one.seed)
    head.train()
    for _ in range(SCHEDULE.epochs):
        for batch in shuffled_batches(one.train, SCHEDULE.batch_size, rng):
            views = [embedding[batch, 0] for embedding in one.embeddings]
            for _ in views:  # the stacked program draws one view per patient and modality
                torch.randint(1, (len(batch),), generator=rng)
            loss = binary_cross_entropy_with_logits(
                head(views, one.logits[batch], one.present[batch]), labels[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        halving.step()
    head.eval()
    expected = head([e[:, 0] for e in one.embeddings], one.logits, one.present)
    torch.testing.assert_close(stacked.logits, expected.detach(), rtol=1e-4, atol=1e-5)


def test_patients_left_out_never_reach_the_state(labels: torch.Tensor) -> None:
    clean = trial(5, range(25))
    spoiled = trial(5, range(25))
    for embedding in spoiled.embeddings:
        embedding[25:] = 1e6
    (a,) = train_stacked(Multilayer, [clean], labels, schedule=SCHEDULE)
    swapped = labels.where(torch.arange(PATIENTS) < 25, 1 - labels)
    (b,) = train_stacked(Multilayer, [spoiled], swapped, schedule=SCHEDULE)
    for name, tensor in a.state.items():
        torch.testing.assert_close(b.state[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(("patients", "batch"), [(17, 8), (16, 8), (5, 8), (9, 4)])
def test_every_batch_is_full_and_nobody_is_left_out(patients: int, batch: int) -> None:
    train = torch.arange(100, 100 + patients)
    batches = shuffled_batches(train, batch, torch.Generator().manual_seed(0))
    assert batches.shape[1] == min(batch, patients)
    assert set(batches.flatten().tolist()) == set(train.tolist())


@pytest.mark.parametrize(("patients", "features"), [(20, 90), (90, 20), (6, 30)])
def test_the_projection_is_principal_components(patients: int, features: int) -> None:
    rng = torch.Generator().manual_seed(0)
    embeddings = torch.randn(patients, 2, features, generator=rng) * torch.arange(1, features + 1)
    projection = fit_projection(embeddings, components=8)
    rows = embeddings.flatten(0, 1)
    ours = projection(rows).double()
    kept = ours.shape[1]
    assert kept == min(8, patients - 1)
    theirs = torch.from_numpy(PCA(kept).fit_transform(StandardScaler().fit_transform(rows.numpy())))
    scale = theirs.std(0, correction=0).mean() / ours.std(0, correction=0).mean()
    torch.testing.assert_close(ours.abs() * scale, theirs.abs().double(), rtol=1e-3, atol=1e-3)
    assert ours.var(0, correction=0).mean() == pytest.approx(1, rel=1e-4)


def test_a_constant_feature_is_ignored() -> None:
    embeddings = torch.randn(12, 2, 5, generator=torch.Generator().manual_seed(0))
    embeddings[:, :, 2] = 7.0
    projection = fit_projection(embeddings, components=3)
    assert torch.equal(projection.axes[2], torch.zeros(3))
