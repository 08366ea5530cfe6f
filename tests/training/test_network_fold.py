"""Networks in a fold: choices on inner splits only, trials named by all that decides them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from axilla.cohort.splits.folds import Fold, Split
from axilla.training.candidate_cache import Fit, choose, load, read_fit
from axilla.training.candidates import GridPoint
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import is_finished
from axilla.training.networks.network_trials import NetworkPlan, NetworkSearch
from axilla.training.networks.optimisation import Optimisation

CPU = torch.device("cpu")
SIDE_PX, PATIENTS = 32, 12
OWNER = np.array([0, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9, 11])  # patient 10 has no image
LABELS = tuple(n % 2 for n in range(PATIENTS))
SEARCH = NetworkSearch(
    grid=(GridPoint(1.0, 4), GridPoint(30.0, 4)),
    epochs=3,
    side_px=SIDE_PX,
    pretrained=False,
    crop_min_area=0.6,
    outside_mask=0.4,
    seed=1,
)
ADAM = Optimisation("adam", 1e-4, halve_every=10)
FOLD = Fold(
    1,
    1,
    name="fold 1",
    outer=Split(train=tuple(range(8)), test=(8, 9, 10, 11)),
    inner=(
        Split(train=(0, 1, 2, 3), test=(4, 5, 6, 7)),
        Split(train=(4, 5, 6, 7), test=(0, 1, 2, 3)),
    ),
)


def plan(folder, *, spoil=()):
    rng = np.random.default_rng(3)
    planes = rng.integers(0, 256, (len(OWNER), 2, SIDE_PX, SIDE_PX), dtype=np.uint8)
    planes[np.isin(OWNER, spoil)] = 255
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", planes)
    pixels = Pixels("ultrasound", folder / "pixels.npy", OWNER, PATIENTS, digest=f"d{len(spoil)}")
    labels = tuple(1 - y if n in spoil else y for n, y in enumerate(LABELS))
    return NetworkPlan("plnet", pixels, labels, FOLD, SEARCH, ADAM, components=4, cache=folder)


def carried_out(one):
    for row in one.search_trials():
        for trial in row:
            trial.run(CPU)
    one.final().run(CPU)
    one.assemble()
    (kept,), rows = load(one.path, [FOLD])
    return kept, rows


def test_a_fold_keeps_its_test_patients_out_of_every_choice(tmp_path):
    clean, rows = carried_out(plan(tmp_path / "clean"))
    other, other_rows = carried_out(plan(tmp_path / "spoiled", spoil=FOLD.outer.test))
    for part, state in clean.parts().items():
        for name, tensor in state.items():
            assert torch.equal(tensor, other.parts()[part][name]), (part, name)
    assert torch.equal(clean.inner_logits.nan_to_num(), other.inner_logits.nan_to_num())
    assert [(r.hyperparameters, r.inner_score) for r in rows] == [
        (r.hyperparameters, r.inner_score) for r in other_rows
    ]
    assert torch.isfinite(clean.inner_logits).nonzero().flatten().tolist() == list(range(8))
    assert not torch.equal(clean.logits[8:10], other.logits[8:10])
    for split, output in zip(FOLD.inner, clean.outputs(), strict=False):
        test = list(split.test)
        torch.testing.assert_close(output.logits[test], clean.inner_logits[test])


def test_the_candidate_is_what_its_trials_said(tmp_path):
    one = plan(tmp_path)
    kept, rows = carried_out(one)
    assert len(rows) == len(SEARCH.grid)
    chosen = one.choice()
    assert kept.inner_score == max(row.inner_score for row in rows)
    assert f"rate x{SEARCH.grid[chosen.point].rate_factor:g}" in rows[chosen.point].hyperparameters
    assert set(kept.parts()) == {"projection", "classifier", "backbone"}
    assert kept.outputs()[-1].embedding.shape == (PATIENTS, 2, 4)
    assert not one.final().path.exists()
    assert all(is_finished(trial.path) for row in one.search_trials() for trial in row)


def test_an_inner_trial_keeps_no_network_and_the_final_one_does(tmp_path):
    one = plan(tmp_path)
    (first, *_), _ = one.search_trials()
    first.run(CPU)
    with safe_open(first.path, framework="pt") as content:
        assert not [name for name in content.keys() if name.startswith("state.")]  # noqa: SIM118
    assert read_fit(first.path).epochs == SEARCH.checkpoints(ADAM)


def test_whatever_changes_a_number_changes_the_name(tmp_path):
    one = plan(tmp_path)
    trial = one.search_trials()[0][0]
    names = {
        changed.path.name
        for changed in (
            trial,
            replace(trial, name="squeezenet"),
            replace(trial, labels=LABELS[::-1]),
            replace(trial, point=GridPoint(2.0, 4)),
            replace(trial, optimisation=replace(ADAM, optimiser="adamw")),
            replace(trial, optimisation=replace(ADAM, halve_every=5)),
            replace(trial, optimisation=replace(ADAM, schedule="one_cycle")),
            replace(trial, optimisation=replace(ADAM, weight_decay=0.1)),
            replace(trial, search=replace(SEARCH, precision="bfloat16")),
            replace(trial, search=replace(SEARCH, seed=2)),
            replace(trial, search=replace(SEARCH, mirror=False)),
            replace(trial, search=replace(SEARCH, side_px=64)),
            replace(trial, epochs=(1,)),
            replace(trial, components=3),
            replace(trial, keep_state=True),
            replace(trial, split=FOLD.outer),
        )
    }
    assert len(names) == 16
    wider = replace(one, search=replace(SEARCH, grid=(*SEARCH.grid, GridPoint(3.0, 4))))
    assert wider.search_trials()[0][0].path == trial.path
    assert wider.path != one.path


def test_the_choice_pools_all_left_out_patients_at_one_checkpoint():
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0])
    splits = (Split(train=(2, 3), test=(0, 1)), Split(train=(0, 1), test=(2, 3)))
    right, wrong = torch.tensor([-1.0, 1.0, -1.0, 1.0]), torch.tensor([1.0, -1.0, 1.0, -1.0])
    bad = [Fit((1, 2), (wrong, wrong), 1.0), Fit((1, 2), (wrong, wrong), 2.0)]
    good = [Fit((1, 2), (wrong, right), 3.0), Fit((1, 2), (wrong, right), 4.0)]
    chosen = choose([bad, good], splits, labels)
    assert (chosen.point, chosen.checkpoint, chosen.epochs) == (1, 1, 2)
    assert chosen.scores == (0.0, 1.0)
    assert chosen.seconds == (3.0, 7.0)
    assert torch.equal(chosen.inner_logits, right)


def test_a_diverged_grid_point_is_never_chosen():
    labels = torch.tensor([0.0, 1.0])
    splits = (Split(train=(1,), test=(0,)), Split(train=(0,), test=(1,)))
    nothing, wrong = torch.full((2,), torch.nan), torch.tensor([1.0, -1.0])
    fits = [[Fit((1,), (logits,), 1.0)] * 2 for logits in (nothing, wrong)]
    assert choose(fits, splits, labels).point == 1


def test_checkpoints_are_shares_of_the_longest_training():
    assert SEARCH.checkpoints(ADAM) == (1, 2, 3)
    assert replace(SEARCH, epochs=20).checkpoints(ADAM) == (8, 12, 16, 20)
    assert replace(SEARCH, epochs=1).checkpoints(ADAM) == (1,)


def test_a_rate_that_ends_at_nothing_is_not_stopped_early():
    assert replace(SEARCH, epochs=20).checkpoints(replace(ADAM, schedule="one_cycle")) == (20,)


def test_the_rate_of_a_step_is_the_optimisations_times_the_grids():
    recipe = SEARCH.recipe("plnet", GridPoint(10.0, 4), ADAM)
    optimiser = recipe.optimisation.optimiser_of([torch.nn.Parameter(torch.zeros(1))])
    recipe.set_rate(optimiser, 0, steps=5, epochs=20)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(1e-3)
    recipe.set_rate(optimiser, 50, steps=5, epochs=20)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(5e-4)
