import numpy as np
import pytest
import torch

from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.explanation.faithfulness.deletion_insertion import (
    altered_logits,
    curves_of,
    edge_strength,
)


@pytest.fixture(scope="module")
def measured(corner_model, corner_described):
    """Return a function that measures all cases' curves, or some, with an explainer."""

    def measure(explains, seed=5, cases=12):
        which = top_images(corner_described, "pathology")[:cases]
        maps = explains(corner_model).explain(corner_described, which)
        return curves_of(corner_model, corner_described, maps, modality="pathology", seed=seed)

    return measure


@pytest.fixture(scope="module")
def of_gradcam(measured, gradcam):
    return measured(gradcam)


@pytest.fixture(scope="module")
def of_truth(measured, drawing, true_place):
    return measured(drawing(true_place))


def gain(found, kind, rival):
    """Return the interval of the paired difference between the map and a rival."""
    change = [one.areas[f"{kind}_map"] - one.areas[f"{kind}_{rival}"] for one in found]
    estimate = clustered_mean(
        change, [str(k) for k in range(len(change))], positive=[True] * len(change)
    )
    return estimate.low, estimate.high


def loud(found, name):
    return np.array([one.areas[name] for one in found[1::2]])


def test_the_toy_model_calls_loud_corners_positive(corner_model, corner_described):
    logits = corner_model.fuse((), corner_described.logits, corner_described.present)
    assert (logits[1::2] > 0.3).all()
    assert (logits[::2] < -0.3).all()


@pytest.mark.parametrize("rival", ["random", "edges"])
@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_a_map_of_what_the_network_uses_beats_its_rivals(of_gradcam, kind, rival):
    low, _ = gain(of_gradcam, kind, rival)
    assert low > 0.2


def test_a_random_map_does_not_beat_random_orders(measured, drawing):
    rng = torch.Generator().manual_seed(2)
    found = measured(drawing(lambda planes: torch.rand(len(planes), 14, 14, generator=rng)))
    for kind in ("deletion", "insertion"):
        low, high = gain(found, kind, "random")
        assert low < 0 < high < 0.2


def test_a_map_of_edges_fails(measured, drawing, corner_model):
    found = measured(drawing(lambda planes: edge_strength(corner_model, "pathology", planes)))
    for kind in ("deletion", "insertion"):
        assert gain(found, kind, "edges")[0] <= 0
        assert gain(found, kind, "random")[1] < 0


def test_areas_have_the_values_that_follow_from_the_place(of_truth):
    # The corners are 32 of 196 cells; a step is 24.5. Deletion along the truth is three quarters
    # done after one step and done after two, insertion is its complement: (0, 3/4, 1, ...).
    found = of_truth
    known = (0.75 + 6 + 1 / 2) / 8
    assert loud(found, "deletion_map") == pytest.approx(known, abs=0.06)
    assert loud(found, "insertion_map") == pytest.approx(known, abs=0.06)
    assert loud(found, "deletion_random").mean() == pytest.approx(0.5, abs=0.08)
    assert loud(found, "insertion_random").mean() == pytest.approx(0.5, abs=0.08)


def test_below_zero_the_map_is_turned_towards_the_predicted_side(of_truth):
    # Turned, the truth is removed last, and until then the logit must not rise.
    assert np.array([one.areas["deletion_map"] for one in of_truth[::2]]) == pytest.approx(
        -(1 / 4 + 1 / 2) / 8, abs=0.06
    )


def test_curves_start_and_end_where_all_orders_do(of_gradcam):
    for one in of_gradcam:
        ends = [one.curves[f"deletion_{who}"][-1] for who in ("map", "edges", "random")]
        ends += [one.curves[f"insertion_{who}"][-1] for who in ("map", "edges", "random")]
        assert ends == pytest.approx([ends[0]] * 6)
        assert all(curve[0] == 0 and len(curve) == 9 for curve in one.curves.values())


def test_equal_seeds_give_equal_numbers(measured, gradcam):
    one, same, other = (measured(gradcam, seed=seed, cases=2) for seed in (5, 5, 6))
    assert one == same
    assert one != other


def test_an_unaltered_image_gives_the_case_its_own_logit(fused_model, fused_described):
    logits = fused_model.fuse(
        fused_described.components, fused_described.logits, fused_described.present
    ).detach()
    for modality, images in fused_described.images.items():
        for image, owner in enumerate(images.owner.tolist()):
            versions = images.planes[[image, image]].clone()
            versions[1] //= 2
            same, darker = altered_logits(
                fused_model,
                modality,
                described=fused_described,
                image=image,
                planes=versions,
            )
            assert float(same) == pytest.approx(float(logits[owner]), abs=1e-5)
            assert abs(float(darker - same)) > 1e-6
