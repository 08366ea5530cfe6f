"""Where attention lies, how steady it is, and who is asked."""

import numpy as np
import pytest
import torch

from axilla.explanation.faithfulness.case_selection import cases_of, draw_patients, top_images
from axilla.explanation.faithfulness.lesion_enrichment import REGIONS, lesion_enrichment
from axilla.explanation.faithfulness.stability import likeness_when_altered

SIDE = 120
RADIUS = 30


def disc(radius=RADIUS):
    rows, columns = np.ogrid[:SIDE, :SIDE]
    distance = np.hypot(rows - SIDE / 2 + 0.5, columns - SIDE / 2 + 0.5)
    return torch.from_numpy((distance <= radius) * np.uint8(255))


def test_even_attention_prefers_no_region():
    found = lesion_enrichment(torch.full((6, 6), 0.3), disc())
    for region in REGIONS:
        assert found[f"{region}_positive"] == pytest.approx(1)
        assert found[f"{region}_absolute"] == pytest.approx(1)


def test_regions_have_the_areas_of_rings():
    found = lesion_enrichment(torch.ones(6, 6), disc())
    width = 0.1 * 2 * RADIUS
    whole = SIDE**2
    known = {
        "lesion": np.pi * RADIUS**2,
        "core": np.pi * (RADIUS - width) ** 2,
        "rim_inside": np.pi * (RADIUS**2 - (RADIUS - width) ** 2),
        "rim_outside": np.pi * ((RADIUS + width) ** 2 - RADIUS**2),
        "surroundings": whole - np.pi * (RADIUS + width) ** 2,
    }
    for region, area in known.items():
        assert found[f"{region}_area"] == pytest.approx(area / whole, rel=0.08)
    parts = [found[f"{name}_area"] for name in ("core", "rim_inside", "rim_outside")]
    assert sum(parts) + found["surroundings_area"] == pytest.approx(1)
    assert found["rim_cells"] == pytest.approx(width * 6 / SIDE, rel=0.02)


def test_attention_in_the_lesion_alone_is_all_there():
    mask = disc()
    heat = torch.where(mask > 0, 2.0, -1.0)
    found = lesion_enrichment(heat, mask)
    area = found["lesion_area"]
    assert found["lesion_positive"] == pytest.approx(1 / area)
    assert found["lesion_absolute"] == pytest.approx(2 / (2 * area + (1 - area)))
    assert found["surroundings_positive"] == found["rim_outside_positive"] == 0


def test_attention_against_the_outcome_alone_has_no_positive_share():
    found = lesion_enrichment(-torch.ones(6, 6), disc())
    assert np.isnan(found["lesion_positive"])
    assert found["lesion_absolute"] == pytest.approx(1)


@pytest.mark.parametrize("value", [0, 255])
def test_no_lesion_or_nothing_around_it_is_no_finding(value):
    mask = torch.full((SIDE, SIDE), value, dtype=torch.uint8)
    assert lesion_enrichment(torch.ones(6, 6), mask) == {}


def stability(explains, model, described):
    explainer = explains(model)
    maps = explainer.explain(described, torch.arange(12))
    found = likeness_when_altered(explainer, described, maps, modality="pathology")
    return {name: values.mean() for name, values in found.items()}


def test_a_map_that_moves_with_its_image_is_stable(corner_model, corner_described, drawing):
    found = stability(drawing(lambda planes: planes[:, 0].float()), corner_model, corner_described)
    assert found["shift"] == pytest.approx(1)
    assert found["brightness"] > 0.99


def test_a_map_that_stays_while_its_image_moves_is_not(corner_model, corner_described, drawing):
    rng = torch.Generator().manual_seed(1)
    fixed = torch.rand(12, 56, 56, generator=rng)
    found = stability(drawing(lambda _planes: fixed), corner_model, corner_described)
    assert abs(found["shift"]) < 0.1
    assert found["brightness"] == pytest.approx(1)


def test_a_map_drawn_anew_each_time_is_not(corner_model, corner_described, drawing):
    rng = torch.Generator().manual_seed(1)
    found = stability(
        drawing(lambda planes: torch.rand(len(planes), 8, 8, generator=rng)),
        corner_model,
        corner_described,
    )
    assert abs(found["shift"]) < 0.2
    assert abs(found["brightness"]) < 0.2


def test_cases_are_drawn_once_by_seed_and_keep_their_order(fused_cases):
    chosen = draw_patients(fused_cases, count=4, seed=2)
    assert chosen == draw_patients(fused_cases, count=4, seed=2)
    assert [one for one in fused_cases if one in chosen] == list(chosen)
    assert len(chosen) == 4
    assert draw_patients(fused_cases, count=99, seed=2) == tuple(fused_cases)
    firsts = {draw_patients(fused_cases, count=2, seed=k)[0].patient_id for k in range(9)}
    assert len(firsts) > 1


def test_some_cases_are_described_as_if_alone(fused_model, fused_cases, fused_described):
    rows = [4, 5, 1]
    alone = fused_model.describe([fused_cases[row] for row in rows])
    found = cases_of(fused_described, rows)
    assert torch.equal(found.present, alone.present)
    assert torch.allclose(found.logits, alone.logits, atol=1e-5)
    for modality in ("ultrasound", "pathology"):
        mine, other = found.images[modality], alone.images[modality]
        # Images keep the order of the whole, in which case 1 comes first.
        place = [mine.files.index(file) for file in other.files]
        assert len(mine.files) == len(other.files)
        assert torch.equal(mine.planes[place], other.planes)
        assert torch.equal(mine.owner[place], other.owner)
        assert torch.allclose(mine.embeddings[place], other.embeddings, atol=1e-5)
        assert torch.allclose(mine.share[place], other.share, atol=1e-5)


def test_the_image_that_counts_most_stands_for_its_case(fused_described):
    images = fused_described.images["pathology"]
    for image in top_images(fused_described, "pathology").tolist():
        mine = images.share[images.owner == images.owner[image]]
        assert images.share[image] == mine.max()
        assert mine.min() < mine.max()
    assert len(top_images(fused_described, "ultrasound")) == 5
