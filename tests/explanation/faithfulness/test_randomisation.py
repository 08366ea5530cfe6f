import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.faithfulness.deletion_insertion import edge_strength
from axilla.explanation.faithfulness.model_randomisation import (
    described_by,
    likeness,
    shuffle_weights,
    shuffles,
)
from axilla.explanation.faithfulness.rank_correlation import rank_correlations


def test_rank_correlations_are_scipys_ties_and_all():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 9, (4, 7, 7)), rng.integers(0, 9, (4, 7, 7))
    known = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    found = rank_correlations(torch.from_numpy(one), torch.from_numpy(other))
    assert found == pytest.approx(known)
    assert np.isnan(rank_correlations(torch.zeros(1, 3, 3), torch.rand(1, 3, 3))[0])


def test_the_map_of_a_learnt_place_changes_with_the_weights(
    corner_model, corner_described, gradcam
):
    maps = gradcam(corner_model).explain(corner_described, torch.arange(12))
    decoys = shuffles(corner_model, corner_described, seed=1)
    found = likeness(maps, decoys, explains=gradcam)
    assert found["signed"].mean() < 0.3
    assert abs(found["absolute"].mean()) < 0.3


def test_a_map_of_edges_does_not_change_with_the_weights(corner_model, corner_described, drawing):
    edges = drawing(lambda planes: edge_strength(corner_model, "pathology", planes))
    maps = edges(corner_model).explain(corner_described, torch.arange(12))
    decoys = shuffles(corner_model, corner_described, seed=1)
    found = likeness(maps, decoys, explains=edges)
    assert found["signed"] == pytest.approx(1)
    assert found["absolute"] == pytest.approx(1)


def test_a_map_turned_over_is_as_like_without_its_sign(corner_model, corner_described, drawing):
    turned = iter((1, -1, -1))
    flipping = drawing(lambda planes: next(turned) * planes[:, 0].float())
    maps = flipping(corner_model).explain(corner_described, torch.arange(12))
    found = likeness(maps, shuffles(corner_model, corner_described, seed=1), explains=flipping)
    assert found["signed"] == pytest.approx(1)


def test_shuffling_keeps_values_and_moves_them(fused_model, fused_described):
    before = {k: v.clone() for k, v in fused_model.network("pathology").state_dict().items()}
    other = shuffle_weights(fused_model, seed=3, described=fused_described)
    pairs = [
        *zip(
            fused_model.network("pathology").parameters(),
            other.network("pathology").parameters(),
            strict=True,
        ),
        *zip(fused_model.fusion.parameters(), other.fusion.parameters(), strict=True),
        (fused_model.parts["ultrasound"].weight, other.parts["ultrasound"].weight),
    ]
    for mine, shuffled_one in pairs:
        assert torch.equal(mine.flatten().sort().values, shuffled_one.flatten().sort().values)
        if len(mine.unique()) > 9:
            assert not torch.equal(mine, shuffled_one)
    for name, tensor in fused_model.network("pathology").state_dict().items():
        assert torch.equal(tensor, before[name])
    again = shuffle_weights(fused_model, seed=3, described=fused_described)
    another = shuffle_weights(fused_model, seed=4, described=fused_described)
    weights = [m.parts["pathology"].weight for m in (other, again, another)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_batch_norm_of_the_shuffled_model_fits_its_features(fused_model, fused_described):
    other = shuffle_weights(fused_model, seed=3, described=fused_described)
    network = other.network("pathology")
    inputs = other.views(fused_described.images["pathology"].planes, "pathology")
    checked = []

    def check(layer, given, _output):
        values = given[0].transpose(0, 1).flatten(1)
        assert layer.running_mean == pytest.approx(values.mean(1), rel=0.01, abs=0.01)
        assert layer.running_var == pytest.approx(values.var(1), rel=0.02)
        checked.append(layer)

    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(check)
    with torch.no_grad():
        network(inputs)
    assert len(checked) == 4


def test_components_of_the_shuffled_model_keep_their_size(fused_model, fused_described):
    other = shuffle_weights(fused_model, seed=3, described=fused_described)
    again = described_by(other, fused_described)
    for modality, images in fused_described.images.items():
        sizes = [
            float(model.parts[modality].components(seen.embeddings).std(correction=0))
            for model, seen in ((fused_model, images), (other, again.images[modality]))
        ]
        assert sizes[1] == pytest.approx(sizes[0], rel=1e-3)


def test_the_model_itself_describes_the_same_again(fused_model, fused_described):
    again = described_by(fused_model, fused_described)
    for modality, images in fused_described.images.items():
        assert torch.allclose(images.embeddings, again.images[modality].embeddings, atol=1e-5)
        assert torch.allclose(images.share, again.images[modality].share, atol=1e-5)
    assert torch.equal(fused_described.present, again.present)
    assert torch.allclose(fused_described.logits, again.logits, atol=1e-4)
    for one, other in zip(fused_described.components, again.components, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_shuffled_maps_are_not_flat(fused_model, fused_described, gradcam):
    other = shuffle_weights(fused_model, seed=3, described=fused_described)
    which = top_images(fused_described, "pathology")
    values = gradcam(other).explain(described_by(other, fused_described), which).values
    assert (values.flatten(1).std(1) > 0).all()
