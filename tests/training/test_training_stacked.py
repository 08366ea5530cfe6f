"""Stacked heads with dropout, several views and missing modalities, against plain PyTorch loops."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.config.study import SearchSection, TrainingSection
from axilla.models.fusion import fusions
from axilla.training.candidates import GridPoint
from axilla.training.heads.batched_training import HeadTrial, Schedule, train_stacked, withhold
from axilla.training.heads.hyperparameter_grid import HeadSearch, search_heads
from axilla.training.networks.optimisation import Optimisation

PATIENTS, WIDTHS, VIEWS = 30, (5, 3), 4
LABELS = (torch.arange(PATIENTS) % 3 == 0).double()
SCHEDULE = Schedule(Optimisation("adamw", rate=1e-2, halve_every=2), batch_size=8, epochs=5)
EVERY = pytest.mark.parametrize("name", fusions.names())
SOME_FAST = pytest.mark.parametrize(
    "name",
    [
        name if name in {"weighting", "multilayer"} else pytest.param(name, marks=pytest.mark.slow)
        for name in fusions.names()
    ],
)


@pytest.fixture(autouse=True)
def double_precision():
    """Adam turns a gradient of pure rounding into a whole step; in double precision it is none."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trial(seed, train, *, missing=True):
    rng = torch.Generator().manual_seed(seed)
    present = torch.ones(PATIENTS, 2, dtype=torch.bool)
    if missing:
        present[::5, 0] = present[1::5, 1] = False
    embeddings = [torch.randn(PATIENTS, VIEWS, width, generator=rng) for width in WIDTHS]
    for m, embedding in enumerate(embeddings):
        embedding[~present[:, m]] = torch.nan
    logits = torch.randn(PATIENTS, 2, generator=rng).where(present, torch.nan)
    return HeadTrial(tuple(embeddings), logits, present, torch.tensor(train), seed)


def plain(name, one, schedule):
    """Train one head as anybody would: a loop, torch's optimiser, the published schedule."""
    torch.manual_seed(one.seed)
    head, rng = fusions[name](WIDTHS), torch.Generator().manual_seed(one.seed)
    clean = [embedding.nan_to_num() for embedding in one.embeddings]
    batch_size = min(schedule.batch_size, len(one.train))
    optimiser = None
    for epoch in range(schedule.epochs if list(head.parameters()) else 0):
        optimiser = optimiser or torch.optim.AdamW(head.parameters(), lr=1e-2)
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * 0.5 ** (epoch // 2)
        order = one.train[torch.randperm(len(one.train), generator=rng)].tolist()
        starts = range(0, len(order), batch_size)
        shape, rate = (len(starts), batch_size), head.input_dropout
        drawn = [torch.randint(VIEWS, shape, generator=rng) for _ in clean]
        kept = [torch.rand(*shape, z.shape[2], generator=rng) >= rate for z in clean if rate]
        for step, start in enumerate(starts):
            batch = order[start : start + batch_size]
            batch += order[: batch_size - len(batch)]
            views = [z[batch, view[step]] for z, view in zip(clean, drawn, strict=True)]
            if rate:
                views = [z * mask[step] / (1 - rate) for z, mask in zip(views, kept, strict=True)]
            out = head.train()(views, one.logits[batch].nan_to_num(), one.present[batch])
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(out, LABELS[batch]).backward()
            optimiser.step()
    served = [(z[:, 0] + z[:, 1]) / 2 for z in clean]
    with torch.no_grad():
        return head, head.eval()(served, one.logits.nan_to_num(), one.present)


@EVERY
@pytest.mark.parametrize(
    "patients", [22, *(pytest.param(n, marks=pytest.mark.slow) for n in (16, 5))]
)
def test_every_strategy_trains_as_a_plain_loop_does(name, patients):
    one = trial(4, range(patients))
    (stacked,) = train_stacked(fusions[name], [one], LABELS, schedule=SCHEDULE)
    head, logits = plain(name, one, SCHEDULE)
    torch.testing.assert_close(stacked.logits, logits, rtol=1e-6, atol=1e-7)
    assert stacked.state.keys() == head.state_dict().keys()
    for key, tensor in head.state_dict().items():
        torch.testing.assert_close(stacked.state[key], tensor, rtol=1e-6, atol=1e-7)


@SOME_FAST
def test_ragged_trials_side_by_side_are_each_alone(name):
    ranges = [range(22), range(8, 30), range(20), range(9), range(5, 12), range(1, 18)]
    trials = [trial(seed, train) for seed, train in enumerate(ranges)]
    together = train_stacked(fusions[name], trials, LABELS, schedule=SCHEDULE)
    assert len(together) == len(trials)
    for one, stacked in zip(trials, together, strict=True):
        (alone,) = train_stacked(fusions[name], [one], LABELS, schedule=SCHEDULE)
        torch.testing.assert_close(stacked.logits, alone.logits, rtol=1e-6, atol=1e-7)
        for key, tensor in alone.state.items():
            torch.testing.assert_close(stacked.state[key], tensor, rtol=1e-6, atol=1e-7)


@EVERY
@pytest.mark.parametrize("garbage", [1e30, pytest.param(torch.nan, marks=pytest.mark.slow)])
def test_patients_outside_training_never_reach_the_state(name, garbage):
    clean, spoiled = trial(6, range(20)), trial(6, range(20))
    for embedding in spoiled.embeddings:
        embedding[20:] = garbage
    spoiled.logits[20:] = garbage
    labels = LABELS.clone()
    labels[20:] = torch.nan
    (a,) = train_stacked(fusions[name], [clean], LABELS, schedule=SCHEDULE)
    (b,) = train_stacked(fusions[name], [spoiled], labels, schedule=SCHEDULE)
    assert all(torch.equal(tensor, b.state[key]) for key, tensor in a.state.items())
    assert torch.equal(a.logits[:20], b.logits[:20])


@EVERY
def test_one_seed_is_one_result_and_nobodys_global_state(name):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    runs = [
        train_stacked(fusions[name], [trial(7, range(20))], LABELS, schedule=SCHEDULE)[0]
        for _ in range(2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(runs[0].logits, runs[1].logits)
    assert not runs[0].logits.requires_grad


def test_training_learns_what_can_be_learned():
    one = trial(8, range(PATIENTS), missing=False)
    one.embeddings[0][:, :, 0] = (LABELS * 4 - 2).unsqueeze(1)
    schedule = Schedule(Optimisation("adamw", 3e-2, halve_every=10), batch_size=8, epochs=30)
    for name in (name for name in fusions.names() if name != "voting"):
        (trained,) = train_stacked(fusions[name], [one], LABELS, schedule=schedule)
        assert torch.equal(trained.logits > 0, LABELS > 0), name


SEARCH = HeadSearch.of(
    SearchSection(rate_factors=(1.0, 3.0), batch_sizes=(4, 8)),
    TrainingSection(head_epochs=2, reduce_to=9),
)


def test_the_grid_is_every_rate_with_every_batch_size():
    assert SEARCH.grid == (
        GridPoint(1.0, 4),
        GridPoint(3.0, 4),
        GridPoint(1.0, 8),
        GridPoint(3.0, 8),
    )
    assert (SEARCH.epochs, SEARCH.components) == (2, 9)
    assert [str(point) for point in SEARCH.grid][1] == "rate x3, batch 4"


def test_each_grid_point_is_its_own_schedule_and_voting_needs_one():
    trials = [trial(1, range(20)), trial(2, range(10, 30))]
    optimisation = Optimisation("adam", 1e-3, halve_every=2)

    def search_trials(name):
        return search_heads(fusions[name], trials, LABELS, search=SEARCH, optimisation=optimisation)

    tried = search_trials("weighting")
    assert list(tried.grid) == list(SEARCH.grid)
    assert len(tried.seconds) == 4
    for point, models in zip(tried.grid, tried.models, strict=True):
        schedule = Schedule(optimisation, point.batch_size, epochs=2)
        expected = train_stacked(
            fusions["weighting"], trials, LABELS, schedule=schedule, rate_factor=point.rate_factor
        )
        for ours, theirs in zip(models, expected, strict=True):
            assert torch.equal(ours.logits, theirs.logits)
    assert len(search_trials("voting").grid) == 1


def test_modality_dropout_takes_one_modality_from_its_share_of_complete_cases():
    present = torch.tensor([[True, True, True]] * 3000 + [[True, False, False]] * 50)
    rng = torch.Generator().manual_seed(1)
    shown = withhold(present, 0.3, rng=rng)
    lost = present.sum(1) - shown.sum(1)
    assert not (shown & ~present).any()
    assert set(lost.tolist()) == {0, 1}
    assert not lost[3000:].any()
    assert lost[:3000].float().mean() == pytest.approx(0.3, abs=0.03)
    each = (present & ~shown)[:3000].sum(0) / lost.sum()
    assert each.tolist() == pytest.approx([1 / 3] * 3, abs=0.06)


def test_a_head_trained_with_modality_dropout_does_better_on_half_the_input():
    one = trial(8, range(PATIENTS), missing=False)
    for embedding in one.embeddings:  # both say the same: either alone would do
        embedding[:, :, 0] = (LABELS * 2 - 1).unsqueeze(1)
    optimisation = Optimisation("adamw", 3e-2, halve_every=10)
    schedules = [Schedule(optimisation, 8, epochs=20, modality_dropout=p) for p in (0.0, 0.5)]
    only_first = torch.tensor([True, False]).expand(PATIENTS, 2)
    losses = []
    for schedule in schedules:
        (trained,) = train_stacked(fusions["multilayer"], [one], LABELS, schedule=schedule)
        head = fusions["multilayer"](WIDTHS)
        head.load_state_dict(trained.state)
        served = [z[:, :2].mean(1) for z in one.embeddings]
        with torch.no_grad():
            logits = head.eval()(served, one.logits, only_first)
        losses.append(float(binary_cross_entropy_with_logits(logits, LABELS)))
    assert losses[1] < losses[0]
