"""Bags in a bundle: pooled in a stream as in one piece, each image's share told, old files read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made import manifest_of
from PIL import Image

from axilla.inference.bundle import Bundle
from axilla.inference.case_bags import CaseBags
from axilla.inference.manifest import Manifest, ModalityManifest
from axilla.inference.predictor import Predictor
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pooling import pools
from axilla.preprocessing.prepare import PixelSettings, prepare
from axilla.records.errors import BundleError
from axilla.records.patients import ImageFile, Patient

SIDE_PX, WIDTH, COMPONENTS = 32, 128, 4
SETTINGS = PixelSettings(SIDE_PX, roi_margin=0.25, harmonise=True)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-300, 300)), max_size=20), st.integers(1, 7))
def test_images_in_batches_are_pooled_as_all_at_once(images, batch):
    """Scores may rise or fall by any amount from one batch to the next."""
    owner = torch.tensor([case for case, _ in images], dtype=torch.long)
    scores = torch.tensor([score for _, score in images], dtype=torch.float32)
    values = torch.randn(len(images), 3, generator=torch.Generator().manual_seed(len(images)))
    bags = CaseBags(5, width=3)
    for start in range(0, len(images), batch):
        some = slice(start, start + batch)
        bags.add(owner[some], values[some], scores[some])
    vectors, shares = bags.vectors(), bags.shares()
    for case in range(5):
        mine = owner == case
        expected = torch.softmax(scores[mine].double(), 0)
        assert shares[case] == pytest.approx(expected.tolist(), abs=1e-5)
        if mine.any():
            pooled = expected @ values[mine].double()
            torch.testing.assert_close(vectors[case].double(), pooled, rtol=1e-4, atol=1e-5)
        else:
            assert vectors[case].isnan().all()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(2)

    def tile(name):
        path = folder / f"{name}.png"
        low = rng.integers(0, 200, 3)  # tiles of all colours, which the network tells apart
        Image.fromarray(rng.integers(low, low + 56, (40, 40, 3), dtype=np.uint8)).save(path)
        return ImageFile(path)

    def case(number, tiles):
        files = tuple(tile(f"{number}-{n}") for n in range(tiles))
        return Patient(f"P{number}", None, f"P{number}", ultrasound=files[:1], pathology=files)

    return [case(0, 1), case(1, 5), case(2, 30), replace(case(3, 2), pathology=()), case(4, 3)]


def projection_of(backbone):
    """Return a random projection that tells tiles of unlike colour apart, as a fitted one does."""
    shown = (2 * torch.rand(32, 3, 1, 1) - 1).expand(-1, -1, SIDE_PX, SIDE_PX)
    with torch.no_grad():
        seen = backbone.eval()(shown)
    axes = torch.randn(WIDTH, COMPONENTS) / (seen.std(0).clamp(min=1e-3) * WIDTH**0.5).unsqueeze(1)
    return seen.mean(0), axes


def make_bundle(*, strategy="concatenation", pooling="attention"):
    torch.manual_seed(4)
    tensors, parts = {}, []
    for modality, pooled in (("ultrasound", "mean"), ("pathology", pooling)):
        backbone = find_backbone("plnet").build()
        for parameter in backbone.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        pool = pools[pooled](COMPONENTS)
        for parameter in pool.parameters():
            torch.nn.init.normal_(parameter, std=2.0)
        mean, axes = projection_of(backbone)
        states = {
            "backbone": backbone.state_dict(),
            "pooling": pool.state_dict(),
            "projection": {"mean": mean, "axes": axes},
            "classifier": torch.nn.Linear(WIDTH, 1).state_dict(),
        }
        for part, state in states.items():
            tensors |= {f"{modality}.{part}.{name}": tensor for name, tensor in state.items()}
        parts.append(
            ModalityManifest(
                modality=modality,
                model=f"{modality}/plnet",
                backbone="plnet",
                side_px=SIDE_PX,
                pooling=pooled,
            )
        )
    fusion = fusions[strategy]([COMPONENTS, COMPONENTS])
    tensors |= {f"fusion.{name}": tensor for name, tensor in fusion.state_dict().items()}
    return Bundle(manifest_of(strategy, parts), tensors)


@torch.no_grad()
def by_hand(bundle, case):
    """Return a case's pathology vector (D) and the shares of its tiles, tile by tile."""
    backbone = find_backbone("plnet").build().eval()
    backbone.load_state_dict(bundle.part("pathology.backbone"))
    projection, pool = bundle.part("pathology.projection"), bundle.part("pathology.pooling")
    raw, scores = [], []
    for file in case.pathology:
        shown = (prepare(file, "pathology", settings=SETTINGS).float() / 255 - 0.5) / 0.5
        raw.append((backbone(shown[None])[0] + backbone(shown.flip(2)[None])[0]) / 2)
        h = (raw[-1] - projection["mean"]) @ projection["axes"]
        content = torch.tanh(pool["content.weight"] @ h + pool["content.bias"])
        gate = torch.sigmoid(pool["gate.weight"] @ h + pool["gate.bias"])
        scores.append(float(pool["score.weight"][0] @ (content * gate)))
    shares = torch.softmax(torch.tensor(scores), 0)
    return shares @ torch.stack(raw), shares


def test_a_bundle_pools_by_attention_and_says_each_images_share(cases):
    bundle = make_bundle()
    classifier = bundle.part("pathology.classifier")
    predictions = Predictor(bundle).predict(cases)
    for case, prediction in zip(cases, predictions, strict=True):
        if not case.pathology:
            assert dict(prediction.attention) == {}
            continue
        vector, shares = by_hand(bundle, case)
        logit = classifier["weight"][0] @ vector + classifier["bias"][0]
        assert prediction.by_modality["pathology"] == pytest.approx(
            float(logit.sigmoid()), abs=1e-4
        )
        assert set(prediction.attention) == {"pathology"}  # ultrasound is averaged here
        files, told = zip(*prediction.attention["pathology"], strict=True)
        assert files == case.pathology
        assert told == pytest.approx(shares.tolist(), abs=1e-4)
        assert sum(told) == pytest.approx(1, abs=1e-5)
    told = [share for _, share in predictions[2].attention["pathology"]]
    assert max(told) > 1.3 * min(told)


def test_a_bag_alone_is_the_bag_among_others_in_any_order(cases):
    predictor = Predictor(make_bundle())
    for case, together in zip(cases, predictor.predict(cases), strict=True):
        turned = replace(case, pathology=case.pathology[::-1])
        (alone,) = predictor.predict([turned])
        assert alone.probability == pytest.approx(together.probability, abs=1e-5)
        told = dict(alone.attention.get("pathology", ()))
        assert told == pytest.approx(dict(together.attention.get("pathology", ())), abs=1e-5)


def test_one_image_is_a_mean_and_several_are_not(cases):
    attentive, averaging = (Predictor(make_bundle(pooling=name)) for name in ("attention", "mean"))
    one = [predictor.predict(cases[:1])[0] for predictor in (attentive, averaging)]
    assert one[0].attention["pathology"] == ((cases[0].pathology[0], 1.0),)
    assert dict(one[1].attention) == {}
    several = [predictor.predict(cases[1:2])[0].by_modality for predictor in (attentive, averaging)]
    assert several[0]["pathology"] != several[1]["pathology"]


def test_a_manifest_from_before_pooling_averages():
    document = make_bundle(pooling="mean").manifest.model_dump(mode="json")
    for part in document["modalities"]:
        del part["pooling"]
    assert {part.pooling for part in Manifest.model_validate(document).modalities} == {"mean"}


def test_attention_without_its_tensors_or_with_anothers_is_a_misfit():
    bundle = make_bundle()
    kept = {k: v for k, v in bundle.tensors.items() if not k.startswith("pathology.pooling")}
    wide = {"pathology.pooling.content.weight": torch.zeros(2, COMPONENTS + 1)}
    first, second = bundle.manifest.modalities
    parts = (first, second.model_copy(update={"pooling": "median"}))
    unknown = bundle.manifest.model_copy(update={"modalities": parts})
    averaged = make_bundle(pooling="mean").manifest
    for spoiled in (
        Bundle(bundle.manifest, kept),
        Bundle(bundle.manifest, bundle.tensors | wide),
        Bundle(unknown, bundle.tensors),
        Bundle(averaged, bundle.tensors),
    ):
        with pytest.raises(BundleError, match="do not fit"):
            Predictor(spoiled)
