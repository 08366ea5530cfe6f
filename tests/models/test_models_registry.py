"""Names for models: unique, and a miss that helps."""

import pytest

from axilla.models.backbones import backbones, find_backbone
from axilla.models.fusion import fusions
from axilla.models.registry import Registry
from axilla.records.errors import ConfigError


def test_what_is_registered_is_found_in_order():
    registry = Registry("thing")
    one, two = object(), object()
    assert registry.register("one")(one) is one
    registry.register("two")(two)
    assert registry.names() == ("one", "two")
    assert registry["one"] is one


def test_a_second_use_of_a_name_is_refused_and_changes_nothing():
    registry = Registry("thing")
    first = object()
    registry.register("one")(first)
    with pytest.raises(ConfigError, match="'one' is registered twice"):
        registry.register("one")(object())
    assert registry["one"] is first


def test_a_miss_names_the_nearest_and_all_there_are():
    with pytest.raises(ConfigError) as caught:
        find_backbone("resnet5")
    (problem,) = caught.value.problems
    assert problem.found == "'resnet5'"
    assert problem.remedy == "Did you mean resnet50?"
    assert problem.expected.removeprefix("one of ").split(", ") == list(backbones.names())
    with pytest.raises(ConfigError, match="Did you mean multilayer"):
        fusions["multi_layer"]


def test_a_far_miss_guesses_nothing():
    with pytest.raises(ConfigError) as caught:
        fusions["qqq"]
    assert caught.value.problems[0].remedy == ""


def test_the_papers_models_are_all_there():
    paper = {"resnet50", "densenet121", "googlenet", "squeezenet", "vit_b_16", "ulnet", "plnet"}
    assert paper <= set(backbones.names())
    strategies = {"concatenation", "weighting", "attention", "voting", "multilayer"}
    assert strategies <= set(fusions.names())


def test_later_models_are_there_beside_the_papers():
    assert {"efficientnet_v2_s", "swin_t", "efficientnet_lite0"} <= set(backbones.names())
    assert {"cross_attention", "gated"} <= set(fusions.names())
