"""The model card says what the manifest says, in the order that readers of cards expect."""

import zipfile

import pytest
import torch

from axilla import RESEARCH_USE_ONLY
from axilla.config.sections import TilesSection
from axilla.inference.bundle import Bundle, write_bundle
from axilla.inference.manifest import Manifest, ModalityManifest, Performance, PreprocessingManifest
from axilla.inference.model_card import model_card
from axilla.inference.recalibration import PlattMap

# Mitchell et al., Model Cards for Model Reporting, FAT* 2019, figure 1.
HEADINGS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]


def manifest(**changes) -> Manifest:
    values = {
        "axilla_version": "1.2.3",
        "study": "Two hospitals",
        "outcome": "alnm",
        "positive": "yes",
        "model": "multilayer",
        "strategy": "multilayer",
        "modalities": (
            ModalityManifest(
                modality="ultrasound",
                model="ultrasound/densenet121",
                backbone="densenet121",
                side_px=224,
            ),
            ModalityManifest(
                modality="pathology", model="pathology/vit_b_16", backbone="vit_b_16", side_px=224
            ),
            ModalityManifest(
                modality="clinical",
                model="clinical/logistic",
                encoder=[
                    {"name": "age", "kind": "number"},
                    {"name": "her2", "kind": "category", "levels": ["negative", "positive"]},
                ],
            ),
        ),
        "preprocessing": PreprocessingManifest(
            image_size_px=224, roi_margin=0.25, harmonise=True, outside_mask=0.4
        ),
        "threshold": 0.4321,
        "threshold_rule": "sensitivity=0.95",
        "cohort_digest": "abc123",
        "patients": 211,
        "positives": 107,
        "masks_in_training": True,
        "performance": (
            Performance(
                metric="auc", value=0.871, low=0.812, high=0.913, n=211, n_positive=107,
                method="DeLong",
            ),
            Performance(
                metric="recall", value=0.9, low=None, high=None, n=200, n_positive=100,
                method="Wilson; no interval: one | group",
            ),
            Performance(
                metric="mcc", value=0.5, low=0.4, high=0.6, n=211, n_positive=107, method="BCa"
            ),
        ),
        "performance_note": "Measured out of fold.",
    }  # fmt: skip
    return Manifest(**values | changes)


def parts_of(card: str) -> dict[str, str]:
    head, *parts = card.split("\n## ")
    assert head.startswith("# Model card: ")
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def test_headings_are_those_of_mitchell():
    assert list(parts_of(model_card(manifest()))) == HEADINGS
    assert f"**{RESEARCH_USE_ONLY}**" in model_card(manifest())


def test_numbers_are_those_of_the_manifest():
    parts = parts_of(model_card(manifest()))
    analyses = parts["Quantitative analyses"]
    assert "| AUC | 0.871 | 0.812 to 0.913 | 211 (107) | DeLong |" in analyses
    assert (
        "| Sensitivity | 0.900 | none | 200 (100) | Wilson; no interval: one \\| group |"
        in analyses
    )
    assert "mcc" not in analyses.casefold()
    assert analyses.index("AUC") < analyses.index("Sensitivity")
    assert "211 patients, 107 positive (51%)" in parts["Training data"]
    assert "abc123" in parts["Training data"]
    assert "0.4321 or more" in parts["Metrics"]
    assert "a sensitivity of 0.95" in parts["Metrics"]
    assert "Measured out of fold." in parts["Evaluation data"]


def test_inputs_and_licences_are_named():
    parts = parts_of(model_card(manifest()))
    assert "alnm = yes" in parts["Model details"]
    assert "fusion of ultrasound and pathology and clinical" in parts["Model details"]
    assert "Licence of densenet121: ImageNet weights of torchvision" in parts["Model details"]
    assert "Licence of vit_b_16: as its pretrained weights" in parts["Model details"]
    use = parts["Intended use"]
    assert "age: a number" in use
    assert "her2: one of negative, positive" in use
    assert "224 by 224 px" in use
    assert "25% of its sides" in use
    assert "a rectangle in place of a mask" in use


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("half", "one half"),
        ("youden", "the highest sensitivity + specificity - 1"),
        ("specificity=0.8", "a specificity of 0.8"),
        ("net_benefit=.2", "threshold probability of .2"),
    ],
)
def test_every_threshold_rule_is_explained(rule, said):
    assert said in model_card(manifest(threshold_rule=rule))


def test_what_a_bundle_lacks_is_not_claimed():
    alone = manifest(
        modalities=(ModalityManifest(modality="clinical", model="clinical/logistic", encoder=[]),),
        strategy=None,
        model="clinical/logistic",
        performance=(),
        performance_note="",
    )
    card = model_card(alone)
    assert "No performance was measured." in card
    assert "fusion" not in card
    assert "px" not in card
    assert "ltrasound" not in card


def test_learnt_pooling_is_told_and_a_plain_mean_is_not():
    whole = manifest()
    first, *others = whole.modalities
    attending = first.model_copy(update={"pooling": "attention"})
    card = model_card(whole.model_copy(update={"modalities": (attending, *others)}))
    assert card.count("pooled by learnt gated attention") == 1
    assert "attention" not in model_card(whole).replace(whole.model, "")


def test_recalibration_changes_how_probabilities_may_be_read():
    plain, mapped = (
        model_card(manifest(recalibration=map_))
        for map_ in (None, PlattMap(intercept=0.1, slope=0.9))
    )
    assert "read them as an order" in plain
    assert "read them as an order" not in mapped
    assert "recalibrated (platt)" in mapped


def test_words_of_the_user_cannot_break_out_of_their_line():
    card = model_card(manifest(study="A\n## Intended use\nSafe for patients"))
    assert list(parts_of(card)) == HEADINGS
    assert card.startswith("# Model card: A ## Intended use Safe for patients\n")


def test_the_card_travels_in_the_bundle(tmp_path):
    bundle = Bundle(manifest(), {"x": torch.zeros(2)})
    write_bundle(bundle, tmp_path / "a.axilla")
    with zipfile.ZipFile(tmp_path / "a.axilla") as archive:
        assert archive.read("model_card.md").decode() == model_card(manifest())


def test_the_card_says_how_the_stain_was_normalised():
    plain = manifest()
    assert "stain of pathology" not in model_card(plain)
    stained = plain.preprocessing.model_copy(update={"stain": "macenko"})
    card = model_card(plain.model_copy(update={"preprocessing": stained}))
    assert "The stain of pathology is normalised (Macenko, fixed reference)." in card


def test_a_manifest_of_before_slides_has_their_defaults():
    old = {"image_size_px": 224, "roi_margin": 0.25, "harmonise": True, "outside_mask": 0.4}
    settings = PreprocessingManifest.model_validate(old)
    assert settings.stain == "none"
    assert settings.tiles == TilesSection()
    written = settings.model_dump_json()
    assert PreprocessingManifest.model_validate_json(written) == settings
