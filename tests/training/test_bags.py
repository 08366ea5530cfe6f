"""Heads on bags, trained side by side, against a plain PyTorch loop and against single images."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import Concatenation
from axilla.models.pooling import pools
from axilla.training.heads import bag_heads as bags_module
from axilla.training.heads.bag_heads import BagIndex, BagTrial, serve_bags, train_bags
from axilla.training.heads.batched_training import HeadTrial, Schedule, train_stacked
from axilla.training.networks.optimisation import Optimisation

PATIENTS, WIDTH, VIEWS = 24, 5, 3
LABELS = (torch.arange(PATIENTS) % 3 == 0).double()
SIZES = torch.tensor([(7 * n) % 5 + 1 for n in range(PATIENTS)])  # 1 to 5 images each
OWNER = torch.arange(PATIENTS).repeat_interleave(SIZES)
OWNER = OWNER[torch.randperm(len(OWNER), generator=torch.Generator().manual_seed(0))]
BAGS = BagIndex.of(OWNER, patients=PATIENTS)
SCHEDULE = Schedule(Optimisation("adamw", rate=1e-2, halve_every=2), batch_size=8, epochs=5)
EVERY = pytest.mark.parametrize("pooling", pools.names())


@pytest.fixture(autouse=True)
def double_precision():
    """Adam turns a gradient of pure rounding into a whole step; in double precision it is none."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trial(seed, train, *, images=None):
    rng = torch.Generator().manual_seed(seed)
    count = images or len(OWNER)
    return BagTrial(torch.randn(count, VIEWS, WIDTH, generator=rng), torch.tensor(train), seed)


def by_hand(pooling, layers, bag):
    """Return one bag's (n, K) vector and shares."""
    if pooling == "mean":
        return bag.mean(0), torch.full((len(bag),), 1 / len(bag))
    gated = torch.tanh(layers["content"](bag)) * torch.sigmoid(layers["gate"](bag))
    shares = torch.softmax(layers["score"](gated).squeeze(1), 0)
    return shares @ bag, shares


def plain(pooling, one, schedule):
    """Train one head bag by bag, as anybody would."""
    torch.manual_seed(one.seed)
    output = torch.nn.Linear(WIDTH, 1)
    layers = {}
    if pooling == "attention":
        layers = {"content": torch.nn.Linear(WIDTH, 2), "gate": torch.nn.Linear(WIDTH, 2)}
        layers["score"] = torch.nn.Linear(2, 1, bias=False)
    modules = torch.nn.ModuleDict({"output": output, **layers})
    optimiser, rng = None, torch.Generator().manual_seed(one.seed)
    longest = int(SIZES.max())
    for epoch in range(schedule.epochs):
        optimiser = optimiser or torch.optim.AdamW(modules.parameters(), lr=1e-2)
        optimiser.param_groups[0]["lr"] = 1e-2 * 0.5 ** (epoch // 2)
        order = one.train[torch.randperm(len(one.train), generator=rng)].tolist()
        size = min(schedule.batch_size, len(order))
        starts = range(0, len(order), size)
        views = torch.randint(VIEWS, (len(starts), size, longest), generator=rng)
        kept = torch.rand(len(starts), size, WIDTH, generator=rng) >= 0.5
        for step, start in enumerate(starts):
            batch = (order + order)[start : start + size]
            logits = []
            for place, patient in enumerate(batch):
                mine = (patient == OWNER).nonzero().flatten()
                bag = one.images[mine, views[step, place, : len(mine)]]
                vector, _ = by_hand(pooling, layers, bag)
                logits.append(output(vector * kept[step, place] * 2).squeeze())
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(torch.stack(logits), LABELS[batch]).backward()
            optimiser.step()
    return modules, layers


@EVERY
@pytest.mark.parametrize("patients", [22, 16, 5])
def test_a_head_is_trained_and_served_as_bag_by_bag(pooling, patients):
    one = trial(4, range(patients))
    (trained,) = train_bags(pooling, [one], LABELS, bags=BAGS, schedule=SCHEDULE)
    modules, layers = plain(pooling, one, SCHEDULE)
    state = {name.removeprefix("pool."): tensor for name, tensor in trained.state.items()}
    assert state.keys() == modules.state_dict().keys()
    for name, tensor in modules.state_dict().items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-6, atol=1e-8)
    served = serve_bags(pooling, trained.state, one.images, bags=BAGS)
    with torch.no_grad():
        for patient in range(PATIENTS):
            mine = one.images[patient == OWNER]
            vector, shares = by_hand(pooling, layers, mine[:, :2].mean(1))
            torch.testing.assert_close(
                served.vectors[patient], (shares.view(-1, 1, 1) * mine).sum(0), rtol=1e-6, atol=1e-8
            )
            torch.testing.assert_close(
                trained.logits[patient], modules["output"](vector).squeeze(), rtol=1e-6, atol=1e-8
            )


@EVERY
def test_with_bags_of_one_every_pooling_is_the_head_without_bags(pooling):
    owner = torch.arange(PATIENTS)
    one = trial(9, range(20), images=PATIENTS)
    bags = BagIndex.of(owner, patients=PATIENTS)
    (pooled,) = train_bags(pooling, [one], LABELS, bags=bags, schedule=SCHEDULE)
    single = HeadTrial(
        (one.images,), torch.zeros(PATIENTS, 1), torch.ones(PATIENTS, 1).bool(), one.train, one.seed
    )
    (alone,) = train_stacked(Concatenation, [single], LABELS, schedule=SCHEDULE)
    for name, tensor in alone.state.items():
        torch.testing.assert_close(pooled.state[name], tensor, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(pooled.logits, alone.logits, rtol=1e-9, atol=1e-12)
    assert torch.equal(serve_bags(pooling, pooled.state, one.images, bags=bags).vectors, one.images)


def test_trials_side_by_side_are_each_alone():
    ranges = [range(22), range(2, 24), range(9), range(5, 12)]
    trials = [trial(seed, train) for seed, train in enumerate(ranges)]
    together = train_bags("attention", trials, LABELS, bags=BAGS, schedule=SCHEDULE)
    for one, stacked in zip(trials, together, strict=True):
        (alone,) = train_bags("attention", [one], LABELS, bags=BAGS, schedule=SCHEDULE)
        torch.testing.assert_close(stacked.logits, alone.logits, rtol=1e-6, atol=1e-8)


@EVERY
@pytest.mark.parametrize("garbage", [torch.nan, 1e30])
def test_patients_outside_training_never_reach_the_state(pooling, garbage):
    clean, spoiled = trial(6, range(15)), trial(6, range(15))
    spoiled.images[OWNER >= 15] = garbage
    labels = LABELS.clone()
    labels[15:] = torch.nan
    (a,) = train_bags(pooling, [clean], LABELS, bags=BAGS, schedule=SCHEDULE)
    (b,) = train_bags(pooling, [spoiled], labels, bags=BAGS, schedule=SCHEDULE)
    assert all(torch.equal(tensor, b.state[name]) for name, tensor in a.state.items())
    assert torch.equal(a.logits[:15], b.logits[:15])


def test_patients_without_an_image_have_no_vector_and_no_logit():
    kept = OWNER != 23
    one = trial(2, range(15), images=int(kept.sum()))
    bags = BagIndex.of(OWNER[kept], patients=PATIENTS)
    (trained,) = train_bags("attention", [one], LABELS, bags=bags, schedule=SCHEDULE)
    assert bags.present.tolist() == [True] * 23 + [False]
    assert torch.isfinite(trained.logits).tolist() == bags.present.tolist()


def test_a_large_bag_is_seen_in_part_while_training_and_whole_when_served(monkeypatch):
    seen = []

    def watched(images, labels, epochs):
        for epoch in epochs:
            owners = OWNER[epoch.places]
            assert (owners == epoch.chosen.unsqueeze(2)).all()
            assert (epoch.held.sum(2) == SIZES[epoch.chosen].clamp(max=2)).all()
            seen.extend(epoch.places[epoch.held].tolist())
            both = epoch.held.all(2)
            assert (epoch.places[both][:, 0] != epoch.places[both][:, 1]).all()
        yield from batches(images, labels, epochs)

    batches = bags_module._batches
    monkeypatch.setattr(bags_module, "TRAINED_IMAGES", 2)
    monkeypatch.setattr(bags_module, "_batches", watched)
    one = trial(3, range(PATIENTS))
    (trained,) = train_bags("attention", [one], LABELS, bags=BAGS, schedule=SCHEDULE)
    assert set(seen) == set(range(len(OWNER)))
    last = OWNER.flip(0).tolist().index(int(SIZES.argmax()))
    changed = one.images.clone()
    changed[len(OWNER) - 1 - last] += 1.0
    served = serve_bags("attention", trained.state, changed, bags=BAGS)
    assert served.logits[int(SIZES.argmax())] != trained.logits[int(SIZES.argmax())]


def test_one_seed_is_one_result_and_nobodys_global_state():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    runs = [
        train_bags("attention", [trial(7, range(20))], LABELS, bags=BAGS, schedule=SCHEDULE)[0]
        for _ in range(2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(runs[0].logits, runs[1].logits)
    assert not runs[0].logits.requires_grad


def test_the_index_of_bags_lists_each_patients_images_in_order():
    bags = BagIndex.of(torch.tensor([2, 0, 2, 2, 0]), patients=4)
    assert bags.held.tolist() == [
        [True, True, False], [False] * 3, [True, True, True], [False] * 3
    ]  # fmt: skip
    assert bags.places[0].tolist() == [1, 4, 1]
    assert bags.places[2].tolist() == [0, 2, 3]
