"""The projection of a fold is principal components; its batches leave nobody out."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from axilla.training.data.projection import fit_bag_projection, fit_projection
from axilla.training.heads.batched_training import shuffled_batches


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


@pytest.mark.parametrize("features", [90, 7])
def test_each_patient_counts_once_however_many_images_they_bring(features: int) -> None:
    """A bag's images, repeated until all bags are equally large, give the same projection."""
    rng = torch.Generator().manual_seed(2)
    sizes = torch.tensor([1, 2, 4, 4, 1, 2, 4, 1, 2, 4])
    owner = torch.arange(10).repeat_interleave(sizes)
    images = torch.randn(len(owner), 2, features, generator=rng)
    images += torch.randn(10, 1, features, generator=rng)[owner]
    ours = fit_bag_projection(images, owner, components=5)
    repeats = (4 // sizes)[owner]
    repeated = fit_projection(images.repeat_interleave(repeats, 0), components=5)
    torch.testing.assert_close(ours.mean, repeated.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.axes, repeated.axes, rtol=1e-3, atol=1e-4)
    careless = fit_projection(images, components=5)
    assert not torch.allclose(ours.mean, careless.mean, atol=1e-2)


@pytest.mark.parametrize("features", [90, 7])
def test_a_bag_of_one_is_a_patient(features: int) -> None:
    embeddings = torch.randn(20, 2, features, generator=torch.Generator().manual_seed(3))
    ours = fit_bag_projection(embeddings, torch.arange(20), components=6)
    theirs = fit_projection(embeddings, components=6)
    torch.testing.assert_close(ours.mean, theirs.mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.axes, theirs.axes, rtol=1e-4, atol=1e-5)


def test_bags_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(4)
    images, owner = torch.randn(40, 2, 9, generator=rng), torch.arange(40) // 3
    whole = fit_bag_projection(images, owner, components=4)
    monkeypatch.setattr("axilla.training.data.projection._ROWS", 7)
    torch.testing.assert_close(fit_bag_projection(images, owner, components=4).axes, whole.axes)
