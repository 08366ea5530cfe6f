"""Pretrained weights of a backbone that is not axilla's: by a name, or by a loader of its own."""

from dataclasses import replace

import pytest
from torch import nn

from axilla.models.backbones import backbones
from axilla.models.pretrained import identity_of, load_pretrained
from axilla.records.errors import ConfigError, WeightsError


def test_a_name_that_no_hub_publishes_names_the_fix(monkeypatch):
    monkeypatch.delenv("AXILLA_WEIGHTS", raising=False)
    stranger = replace(backbones["plnet"], weights="stranger")
    monkeypatch.setitem(backbones._entries, "stranger", stranger)
    with pytest.raises(WeightsError, match=r"no hub publishes any .*stranger\.safetensors"):
        load_pretrained("stranger", nn.Identity())
    assert identity_of("stranger") == "hub stranger"


def with_loader(monkeypatch, load):
    own = replace(backbones["plnet"], weights="halves", load=load)
    monkeypatch.setitem(backbones._entries, "own", own)


def test_a_backbones_own_loader_comes_before_all_places(tmp_path, monkeypatch):
    def halve(network):
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.5)

    with_loader(monkeypatch, halve)
    monkeypatch.setenv("AXILLA_WEIGHTS", str(tmp_path))
    (tmp_path / "halves.safetensors").write_bytes(b"never read")
    network = backbones["own"].build()
    load_pretrained("own", network)
    assert all((p == 0.5).all() for p in network.parameters())
    assert identity_of("own") == "own by itself halves"


def test_a_loader_that_fails_is_a_weights_error(monkeypatch):
    def fail(_network):
        raise FileNotFoundError("halves.bin")

    with_loader(monkeypatch, fail)
    with pytest.raises(WeightsError, match=r"weights of own: found FileNotFoundError: halves\.bin"):
        load_pretrained("own", nn.Identity())


def test_a_loader_without_a_name_for_its_weights_is_refused():
    with pytest.raises(ConfigError, match="weights=None"):
        replace(backbones["plnet"], load=nn.init.zeros_)
