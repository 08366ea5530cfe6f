"""The projection of a fold is principal components; its batches leave nobody out."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from axilla.training.projection import fit_projection
from axilla.training.stacked import shuffled_batches


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
