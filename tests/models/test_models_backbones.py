"""Every registered backbone: its promises, and that patients never meet inside it."""

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision import models as vision
from torchvision.transforms.v2 import functional as transforms

from axilla.models.backbones import backbones, find_backbone
from axilla.models.networks import DROPOUT, Network
from axilla.records.errors import ConfigError
from axilla.records.types import HALVES, IMAGENET

FAST = {"densenet121", "efficientnet_lite0", "plnet", "squeezenet"}
NAMES = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in (*backbones.names(), "timm:resnet18", "timm:vit_tiny_patch16_224")
]
SMALL_PX = 32


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    """Return a backbone's entry, its network with random weights, and three images for it."""
    torch.manual_seed(0)
    entry = find_backbone(request.param)
    network = Network(request.param)
    side = entry.fixed_size_px or SMALL_PX
    images = torch.randn(3, entry.expects.channels, side, side)
    if norms := [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]:
        # Deep random networks answer next to nothing until their norms know their inputs, and
        # then magnify rounding: double precision tells it from a true difference.
        network, images = network.double(), images.double()
        measure_statistics(network, norms, images)
    return entry, network.eval(), images


@torch.no_grad()
def measure_statistics(network, norms, images):
    for norm in norms:
        norm.momentum = 1.0
    network.train()(images)
    for norm in norms:
        norm.momentum = 0.1


def state_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a, b):
    """Tell whether two answers differ by rounding only, which kernels for other batches may."""
    tolerance = 1e-9 if b.dtype == torch.float64 else 1e-5
    return torch.allclose(a, b, rtol=10 * tolerance, atol=tolerance * float(b.abs().max()))


@torch.no_grad()
def test_a_patient_alone_is_the_patient_among_others(case):
    entry, network, images = case
    modules, before = list(network.modules()), state_of(network)
    embedding, logit = network(images)
    assert embedding.shape == (3, entry.embedding_dim)
    assert logit.shape == (3,)
    assert torch.isfinite(embedding).all()
    assert torch.isfinite(logit).all()
    assert not torch.allclose(embedding[0], embedding[1], rtol=0.01)

    alone = network(images[1:2])
    assert same(alone.embedding[0], embedding[1])
    assert same(alone.logit[0], logit[1])
    again = network(images[1:2])
    assert torch.equal(again.embedding, alone.embedding)
    assert torch.equal(again.logit, alone.logit)
    beside_noise = network(torch.stack([images[0] * 1e3, images[1]]))
    assert same(beside_noise.embedding[1], embedding[1])

    after = state_of(network)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(a is b for a, b in zip(network.modules(), modules, strict=True))


def test_training_moves_the_whole_network(case):
    _, network, images = case
    network.train()
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    # Two steps: timm starts the last norm of a residual block at zero.
    for _ in range(2):
        optimiser.zero_grad()
        logits = network(images[:2]).logit
        binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0]).to(logits)).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        optimiser.step()
    after = dict(network.named_parameters())
    assert after.keys() == before.keys()
    moved = [name for name, tensor in before.items() if not torch.equal(after[name], tensor)]
    assert len(moved) > 0.9 * len(before)
    network.eval()


def test_the_head_is_the_papers():
    network = Network("plnet")
    assert [name for name, _ in network.named_children()] == ["backbone", "dropout", "classifier"]
    assert network.dropout.p == DROPOUT == 0.5
    assert network.classifier.weight.shape == (1, 128)


@pytest.mark.parametrize(
    ("name", "rate", "side"),
    [
        ("resnet50", 1e-3, None),
        ("densenet121", 1e-3, None),
        ("googlenet", 1e-3, None),
        ("squeezenet", 1e-3, None),
        ("ulnet", 1e-3, None),
        ("vit_b_16", 3e-5, 224),
        ("swin_t", 3e-5, None),
        ("efficientnet_v2_s", 1e-3, None),
        ("plnet", 1e-4, None),
        ("timm:resnet18", 1e-3, None),
        ("timm:vit_tiny_patch16_224", 3e-5, 224),
    ],
)
def test_published_rates_and_fixed_sides(name, rate, side):
    entry = find_backbone(name)
    assert (entry.learning_rate, entry.fixed_size_px) == (rate, side)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "reference", "classifier"),
    [
        ("resnet50", vision.resnet50, "fc"),
        ("densenet121", vision.densenet121, "classifier"),
        ("efficientnet_v2_s", vision.efficientnet_v2_s, "classifier"),
        ("swin_t", vision.swin_t, "head"),
    ],
)
def test_an_embedding_is_what_torchvision_classifies(name, reference, classifier):
    theirs, ours = reference().eval(), find_backbone(name).build().eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not missing
    assert {key.split(".")[0] for key in unexpected} == {classifier}
    images = torch.randn(2, 3, SMALL_PX, SMALL_PX)
    logits = getattr(theirs, classifier)(ours(images))
    assert torch.allclose(logits, theirs(images), atol=1e-5)


@torch.no_grad()
def test_googlenet_wants_halves_as_its_published_weights_do():
    # Asked for pretrained weights, torchvision builds GoogLeNet with transform_input=True.
    theirs = vision.googlenet(aux_logits=False, init_weights=False, transform_input=True).eval()
    ours = find_backbone("googlenet").build().eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    theirs.fc = nn.Identity()
    assert find_backbone("googlenet").expects == HALVES
    picture = torch.rand(1, 3, SMALL_PX, SMALL_PX)
    expected = theirs(transforms.normalize(picture, list(IMAGENET.mean), list(IMAGENET.sd)))
    embedded = ours(transforms.normalize(picture, list(HALVES.mean), list(HALVES.sd)))
    assert torch.allclose(embedded, expected, atol=1e-5)


def test_plnet_is_four_growing_blocks_and_a_global_pool():
    network = find_backbone("plnet").build()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [16, 32, 64, 128]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 4
    assert isinstance(network.pool, nn.AdaptiveAvgPool2d)
    assert network.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 128)


@pytest.mark.parametrize("name", ["timm:mobilenetv3_small_050", "timm:convnext_atto"])
def test_the_declared_width_of_a_timm_model_is_that_of_its_output(name):
    # Some timm models widen after `num_features`; others keep a norm in their head.
    network = Network(name).eval()
    assert network(torch.rand(1, 3, SMALL_PX, SMALL_PX)).logit.shape == (1,)


def test_asking_for_a_timm_model_draws_no_random_numbers():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    find_backbone("timm:resnet10t")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert find_backbone("timm:resnet10t") is find_backbone("timm:resnet10t")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("timm:resnet18x", "resnet18"),
        ("timm:vit_tiny_patch16_224.nonsense", "vit_tiny_patch16_224.augreg"),
        ("timm:qqqqqq", "list_models"),
        ("timm:", "list_models"),
    ],
)
def test_an_unknown_timm_name_is_a_configuration_error(name, near):
    with pytest.raises(ConfigError) as caught:
        find_backbone(name)
    (problem,) = caught.value.problems
    assert problem.found == repr(name)
    assert near in problem.remedy
