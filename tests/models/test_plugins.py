"""Models from outside the package: the code of docs/extending.md, installed and trained."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from axilla.models.backbones import Backbone, backbones
from axilla.models.fusion import Concatenation, Fusion, fusions
from axilla.models.registry import Registry
from axilla.records.errors import ConfigError

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"
OUTSIDE = """
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from axilla.models.backbones import backbones, find_backbone
from axilla.models.fusion import fusions
from axilla.models.networks import Network
from axilla.models.pretrained import identity_of, load_pretrained
from axilla.training.networks.optimisation import Optimisation
from axilla.training.heads.batched_training import HeadTrial, Schedule, train_stacked

assert "thumbnail" in backbones.names() and "strongest" in fusions.names()
assert not {"lookout_thumbnail", "lookout_strongest"} & set(sys.modules)
assert Network("thumbnail")(torch.rand(2, 3, 64, 64)).logit.shape == (2,)

published = find_backbone("thumbnail").build().state_dict()
save_file(published, Path(sys.argv[1]) / "thumbnail.safetensors")
network = find_backbone("thumbnail").build()
load_pretrained("thumbnail", network)
assert all(torch.equal(tensor, published[key]) for key, tensor in network.state_dict().items())
assert identity_of("thumbnail").startswith("thumbnail.safetensors ")
assert identity_of("thumbnail").endswith(" of axilla-lookout 0.1.0")

import test_strongest
test_strongest.test_a_missing_modality_and_the_neighbours_are_silent()

def trial(seed):
    embeddings = (torch.randn(12, 4, 5), torch.randn(12, 4, 3))
    present = torch.ones(12, 2, dtype=torch.bool)
    present[0, 1] = False
    return HeadTrial(embeddings, torch.randn(12, 2), present, torch.arange(8), seed)

schedule = Schedule(
    Optimisation("adamw", 1e-2, halve_every=5), batch_size=4, epochs=1
)
strategy, labels = fusions["strongest"], (torch.arange(12) % 2).float()
heads = train_stacked(strategy, [trial(0), trial(1)], labels, schedule=schedule)
for seed, trained in enumerate(heads):
    torch.manual_seed(seed)
    start = strategy((5, 3)).state_dict()
    assert trained.logits.shape == (12,) and torch.isfinite(trained.logits).all()
    assert all(not torch.equal(tensor, start[key]) for key, tensor in trained.state.items())
print("as promised")
"""


def install(folder, *, name, version="1.0", entry_points, modules):
    """Lay a distribution into a folder as an installer would."""
    for file, source in modules.items():
        (folder / file).write_text(source)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{point} = {value}" for point, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_guides_plugin_is_found_and_trained_from_outside(tmp_path):
    site, weights = tmp_path / "site", tmp_path / "weights"
    site.mkdir()
    weights.mkdir()
    (declared,) = blocks("toml")
    project = tomllib.loads(declared)["project"]
    modules = {re.match(r"# (\w+\.py)\n", code)[1]: code for code in blocks("python")}
    assert len(modules) == 3
    install(
        site,
        name=project["name"],
        version=project["version"],
        entry_points=project["entry-points"],
        modules=modules,
    )
    run = subprocess.run(  # noqa: S603 - the code is this file's
        [sys.executable, "-W", "error", "-c", OUTSIDE, str(weights)],
        env={**os.environ, "PYTHONPATH": str(site), "AXILLA_WEIGHTS": str(weights)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "as promised\n"


def registry():
    known = Registry(
        "gadget",
        group="axilla.gadgets",
        accepts=lambda entry: isinstance(entry, int),
        wanted="a number",
    )
    known.register("own")(1)
    return known


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def add(points, *, name="gadget-makers", source="NUMBER = 7\nTEXT = 'seven'\n"):
        module = f"{name.replace('-', '_')}_{len(list(tmp_path.iterdir()))}"
        points = {point: value.replace("HERE", module) for point, value in points.items()}
        modules = {f"{module}.py": source}
        install(tmp_path, name=name, entry_points={"axilla.gadgets": points}, modules=modules)

    yield add
    for module in set(sys.modules) - known:
        if module.startswith(("gadget_makers", "other_makers", "late_makers")):
            del sys.modules[module]


def test_plugins_stand_behind_what_is_built_in(installed):
    installed({"theirs": "HERE:NUMBER"})
    gadgets = registry()
    assert gadgets.names() == ("own", "theirs")
    assert (gadgets["own"], gadgets["theirs"]) == (1, 7)
    assert gadgets.distribution_of("own") is None
    assert gadgets.distribution_of("theirs") == "gadget-makers 1.0"


def test_entry_points_are_read_once_and_only_when_asked_for(installed):
    gadgets = registry()
    assert gadgets["own"] == 1
    installed({"theirs": "HERE:NUMBER"})
    assert gadgets["theirs"] == 7
    installed({"late": "HERE:NUMBER"}, name="late-makers")
    assert gadgets.names() == ("own", "theirs")


def test_a_registry_without_a_group_has_no_plugins(installed):
    installed({"theirs": "HERE:NUMBER"})
    assert Registry("gadget").names() == ()


def test_a_miss_names_plugins_too(installed):
    installed({"theirs": "HERE:NUMBER"})
    with pytest.raises(ConfigError, match=r"one of own, theirs\. Did you mean theirs\?"):
        registry()["theirz"]


@pytest.mark.parametrize(
    ("value", "source", "cause"),
    [
        ("HERE:NUMBER", "import no_such_thing", "ModuleNotFoundError: .*no_such_thing"),
        ("HERE:NUMBER", "1 / 0", "ZeroDivisionError"),
        ("HERE:NUMBER", "def broken(:", "SyntaxError"),
        ("HERE:ABSENT", "NUMBER = 7", "AttributeError: .*ABSENT"),
        ("nowhere_at_all:NUMBER", "NUMBER = 7", "ModuleNotFoundError: .*nowhere_at_all"),
    ],
)
def test_a_plugin_whose_import_fails_is_named_with_its_cause(installed, value, source, cause):
    installed({"theirs": value}, source=source)
    gadgets = registry()
    assert gadgets.names() == ("own", "theirs")
    with pytest.raises(ConfigError, match=cause) as caught:
        gadgets["theirs"]
    (problem,) = caught.value.problems
    assert problem.place == "entry point theirs (axilla.gadgets) of gadget-makers 1.0"
    assert problem.remedy == "Mend or update gadget-makers, or uninstall it."
    assert caught.value.__cause__ is not None


def test_a_plugin_of_the_wrong_type_is_refused(installed):
    installed({"text": "HERE:TEXT", "module": "HERE"})
    for name, found in (("text", ":TEXT, a str"), ("module", ", a module")):
        with pytest.raises(ConfigError, match=f"{found}; expected a number") as caught:
            registry()[name]
        assert "gadget-makers" in caught.value.problems[0].remedy


def test_plugins_that_take_a_name_in_use_are_refused_all_at_once(installed):
    installed({"own": "HERE:NUMBER", "theirs": "HERE:NUMBER"})
    installed({"theirs": "HERE:NUMBER"}, name="other-makers")
    gadgets = registry()
    assert gadgets["own"] == 1
    for ask in (gadgets.names, lambda: gadgets["theirs"]):
        with pytest.raises(ConfigError) as caught:
            ask()
        own, theirs = caught.value.problems
        assert own.found == "the name 'own', which axilla itself uses"
        assert own.remedy == "Rename the entry point, or uninstall gadget-makers."
        assert theirs.found == "the name 'theirs', which gadget-makers uses"
        assert theirs.remedy == "Rename the entry point, or uninstall other-makers."


@pytest.mark.parametrize("known", ["backbones", "fusions"])
def test_both_registries_know_their_types(known):
    accepts = {"backbones": backbones, "fusions": fusions}[known]._accepts
    good = backbones["plnet"] if known == "backbones" else Concatenation
    assert accepts(good)
    assert not any(map(accepts, (Backbone, Fusion, Concatenation((2, 3)), len, None, EntryPoint)))
