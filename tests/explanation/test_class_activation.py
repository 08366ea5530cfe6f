import pytest
import torch
from captum.attr import IntegratedGradients
from pytorch_grad_cam import GradCAM, LayerCAM
from torch import nn
from torch.nn import functional

from axilla.explanation.methods.attention_rollout import attention_layers, rollout
from axilla.explanation.methods.class_activation import class_activation, spatial_layer
from axilla.explanation.methods.integrated_gradients import integrated_gradients
from axilla.models.backbones import find_backbone
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.augment import flip
from axilla.records.errors import ConfigError

CONVOLUTIONAL = [
    *("densenet121", "efficientnet_lite0", "plnet", "squeezenet"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet50", "ulnet")),
]


def images_for(name, count=2, side=96, seed=3):
    channels = find_backbone(name).expects.channels
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, side, side, generator=generator)


@pytest.fixture(scope="module")
def built():
    """Networks, pretrained where the weights are at hand, each with a linear score."""
    made = {}

    def build(name):
        if name not in made:
            torch.manual_seed(1)
            backbone = find_backbone(name)
            network = backbone.build()
            if name in ("densenet121", "squeezenet", "efficientnet_lite0"):
                load_pretrained(name, network)
            made[name] = network.eval(), torch.randn(backbone.embedding_dim) / 30
        return made[name]

    return build


class Scored(nn.Module):
    """What pytorch-grad-cam wants: class scores, here of one class."""

    def __init__(self, network, weight):
        super().__init__()
        self.network, self.weight = network, weight

    def forward(self, images):
        return (self.network(images) @ self.weight).unsqueeze(1)


def independent(maker, network, weight, layer, images):
    """Return pytorch-grad-cam's own map before it is scaled: (B, h, w)."""
    with maker(model=Scored(network, weight), target_layers=[layer]) as cam:
        cam.activations_and_grads(images).sum().backward()
        grads = cam.activations_and_grads.gradients[0].numpy()
        activations = cam.activations_and_grads.activations[0].numpy()
        return torch.from_numpy(
            cam.get_cam_image(images, layer, [None], activations, grads, eigen_smooth=False)
        )


@pytest.mark.parametrize(("method", "maker"), [("gradcam", GradCAM), ("layercam", LayerCAM)])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_maps_equal_those_of_another_implementation(built, name, method, maker):
    network, weight = built(name)
    images = images_for(name)
    layer = spatial_layer(network, images)
    mine = class_activation(
        network, images, layer=layer, score=lambda e: e @ weight, method=method
    ).maps
    theirs = independent(maker, network, weight, layer, images)
    assert float(mine.abs().max()) > 0
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    "name",
    [
        "densenet121",
        "efficientnet_lite0",
        "squeezenet",
        pytest.param("resnet50", marks=pytest.mark.slow),
    ],
)
def test_the_map_adds_up_to_the_logit_where_average_pooling_ends_the_network(built, name):
    network, weight = built(name)
    images = images_for(name, side=224)
    found = class_activation(
        network, images, layer=spatial_layer(network, images), score=lambda e: e @ weight
    )
    torch.testing.assert_close(found.maps.sum((1, 2)), found.logits, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(found.logits, network(images) @ weight)


def test_the_maps_of_a_batch_are_those_of_its_images_alone(built):
    network, weight = built("densenet121")
    images = images_for("densenet121", count=3)
    layer = spatial_layer(network, images)

    def maps(batch):
        return class_activation(network, batch, layer=layer, score=lambda e: e @ weight).maps

    alone = torch.cat([maps(image) for image in images.split(1)])
    # Kernels round batches of other sizes differently, and an activation near zero turns on that.
    torch.testing.assert_close(maps(images), alone, rtol=0, atol=1e-3 * float(alone.abs().max()))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_the_layer_keeps_at_least_six_rows_and_no_hook_stays(built, name):
    network, weight = built(name)
    images = images_for(name, count=1, side=224)
    found = class_activation(
        network, images, layer=spatial_layer(network, images), score=lambda e: e @ weight
    )
    assert min(found.maps.shape[1:]) >= 6
    assert not any(module._forward_hooks for module in network.modules())


def test_nothing_goes_around_the_layer(built):
    """In a residual network of small images the last plane of six rows lies within a block."""
    network, _ = built("resnet50")
    assert spatial_layer(network, images_for("resnet50", count=1)) is network.layer3
    assert spatial_layer(network, images_for("resnet50", count=1, side=224)) is network.layer4


def test_a_network_without_a_plane_is_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    with pytest.raises(ConfigError, match="no layer whose output is a plane"):
        spatial_layer(network, torch.zeros(1, 3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224", "vit_b_16"])
def test_watching_attention_leaves_a_transformer_as_it_is(name):
    torch.manual_seed(0)
    network = find_backbone(name).build().eval()
    images = images_for(name, count=1, side=224)
    embeddings = []

    def score(embedding):
        embeddings.append(embedding.detach())
        return embedding.sum(1)

    maps = rollout(network, images, layers=attention_layers(network), score=score).maps
    with torch.no_grad():
        torch.testing.assert_close(embeddings[0], network(images), rtol=1e-4, atol=1e-5)
    assert maps.shape == (1, 14, 14)
    # What speaks for an outcome speaks against its opposite.
    opposite = rollout(
        network, images, layers=attention_layers(network), score=lambda e: -e.sum(1)
    ).maps
    torch.testing.assert_close(opposite, -maps, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_windows_of_attention_are_no_matrix_over_the_image():
    assert attention_layers(find_backbone("swin_t").build()) == ()
    assert attention_layers(find_backbone("timm:swin_tiny_patch4_window7_224").build()) == ()


def test_integrated_gradients_add_up_to_the_difference_from_the_blank_image(built):
    network, weight = built("plnet")
    images = images_for("plnet", side=112)
    found = integrated_gradients(network, images, score=lambda e: e @ weight, steps=64)
    blank = images.mean((2, 3), keepdim=True).expand_as(images)
    with torch.no_grad():
        drop = found.logits - (network(blank) + network(flip(blank))) @ weight / 2
    torch.testing.assert_close(found.maps.sum((1, 2)), drop, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("mirror", [True, False])
def test_integrated_gradients_are_captums(built, mirror):
    network, weight = built("plnet")
    images = images_for("plnet", side=112)

    def logits_of(inputs):
        embedding = network(inputs)
        return ((embedding + network(flip(inputs))) / 2 if mirror else embedding) @ weight

    expected = IntegratedGradients(logits_of).attribute(
        images,
        baselines=images.mean((2, 3), keepdim=True).expand_as(images),
        n_steps=8,
        method="gausslegendre",
    )
    found = integrated_gradients(
        network, images, score=lambda e: e @ weight, mirror=mirror, steps=8
    )
    blocks = functional.avg_pool2d(expected.sum(1, keepdim=True), 4).squeeze(1) * 16
    torch.testing.assert_close(found.maps, blocks.float(), rtol=1e-3, atol=1e-5)


def test_a_map_points_at_the_only_place_that_counts():
    """A network that sees nothing but a bright spot: the map's maximum lies on the spot."""

    class Spots(nn.Module):
        def __init__(self):
            super().__init__()
            self.detect = nn.Conv2d(3, 1, 8, stride=8, bias=False)
            nn.init.constant_(self.detect.weight, 1 / 192)

        def forward(self, images):
            return torch.relu(self.detect(images)).mean((2, 3))

    network, images = Spots().eval(), torch.zeros(1, 3, 64, 64)
    images[0, :, 40:48, 16:24] = 1
    layer = spatial_layer(network, images)
    found = class_activation(network, images, layer=layer, score=lambda e: e[:, 0])
    assert divmod(int(found.maps[0].argmax()), 8) == (5, 2)
    against = class_activation(network, images, layer=layer, score=lambda e: -e[:, 0])
    assert divmod(int(against.maps[0].argmin()), 8) == (5, 2)
