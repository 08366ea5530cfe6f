"""Every fusion strategy: patients apart, missing modalities silent, numbers by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import HIDDEN, Multilayer, fusions, shares_of

WIDTHS = [(5, 3), (7, 4, 6)]
PATIENTS = 9
EVERY = pytest.mark.parametrize(
    ("name", "widths"), [(name, widths) for name in fusions.names() for widths in WIDTHS]
)
WITH_WEIGHTS = [name for name in fusions.names() if name != "voting"]


def presence(modalities):
    """Return (9, M): all, none and each but one, over and over, first patient complete."""
    rows = [[True] * modalities]
    rows += [[m != missing for m in range(modalities)] for missing in range(modalities)]
    rows += [[m == only for m in range(modalities)] for only in range(modalities)]
    return torch.tensor([rows[i % len(rows)] for i in range(PATIENTS)])


def inputs(widths, seed=0):
    rng = torch.Generator().manual_seed(seed)
    embeddings = [torch.randn(PATIENTS, width, generator=rng) * 2 + 1 for width in widths]
    return embeddings, torch.randn(PATIENTS, len(widths), generator=rng), presence(len(widths))


def trained(name, widths):
    """Return a strategy whose weights and batch-norm statistics are not those of the start."""
    torch.manual_seed(1)
    head = fusions[name](widths)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    head.train()
    head(*inputs(widths, seed=7))
    return head.eval()


def of(patients, embeddings, logits, present):
    return [z[patients] for z in embeddings], logits[patients], present[patients]


@torch.no_grad()
@EVERY
def test_a_patient_alone_is_the_patient_among_others(name, widths):
    head, given_ = trained(name, widths), inputs(widths)
    modules = list(head.modules())
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    together = head(*given_)
    assert together.shape == (PATIENTS,)
    assert torch.isfinite(together).all()
    assert torch.equal(head(*given_), together)
    for patient in range(PATIENTS):
        alone = head(*of([patient], *given_))
        assert torch.allclose(alone, together[patient], rtol=1e-5, atol=1e-5)
    order = torch.randperm(PATIENTS)
    assert torch.allclose(head(*of(order, *given_)), together[order], rtol=1e-5, atol=1e-5)
    after = head.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    assert all(a is b for a, b in zip(head.modules(), modules, strict=True))


@torch.no_grad()
@EVERY
@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -1e30, 3.0])
def test_what_a_missing_modality_holds_never_counts(name, widths, poison):
    head, (embeddings, logits, present) = trained(name, widths), inputs(widths)
    expected = head(embeddings, logits, present)
    assert not present.all()
    poisoned = [
        torch.where(present[:, m].unsqueeze(1), z, poison) for m, z in enumerate(embeddings)
    ]
    out = head(poisoned, torch.where(present, logits, poison), present)
    assert torch.equal(out, expected)


@EVERY
def test_a_missing_modality_never_reaches_training(name, widths):
    def after_a_step(poison):
        torch.manual_seed(2)
        head = fusions[name](widths).train()
        embeddings, logits, present = inputs(widths)
        poisoned = [
            torch.where(present[:, m].unsqueeze(1), z, poison) for m, z in enumerate(embeddings)
        ]
        out = head(poisoned, torch.where(present, logits, poison), present)
        if list(head.parameters()):
            loss = binary_cross_entropy_with_logits(out, (torch.arange(PATIENTS) % 2).float())
            loss.backward()
        gradients = {key: p.grad for key, p in head.named_parameters()}
        return {**gradients, **dict(head.named_buffers())}

    plain, poisoned = after_a_step(0.0), after_a_step(torch.nan)
    assert all(torch.isfinite(tensor).all() for tensor in plain.values())
    assert all(torch.equal(tensor, poisoned[key]) for key, tensor in plain.items())


@torch.no_grad()
@EVERY
def test_a_patient_with_nothing_gets_a_finite_logit(name, widths):
    head, (embeddings, logits, present) = trained(name, widths), inputs(widths)
    out = head(embeddings, logits, torch.zeros_like(present))
    assert torch.isfinite(out).all()
    assert torch.allclose(out, out[:1])


@torch.no_grad()
@EVERY
def test_each_present_modality_counts(name, widths):
    head, (embeddings, logits, present) = trained(name, widths), inputs(widths)
    everything = torch.ones_like(present)
    before = head(embeddings, logits, everything)
    for m in range(len(widths)):
        other = [z + (2.0 if n == m else 0.0) for n, z in enumerate(embeddings)]
        votes = logits + torch.eye(len(widths))[m]
        assert not torch.isclose(head(other, votes, everything), before).any()


@EVERY
def test_a_step_of_training_moves_every_weight(name, widths):
    torch.manual_seed(4)
    head = fusions[name](widths).train()
    before = {key: p.detach().clone() for key, p in head.named_parameters()}
    assert bool(before) == (name in WITH_WEIGHTS)
    if not before:
        return
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        targets = (torch.arange(PATIENTS) % 2).float()
        binary_cross_entropy_with_logits(head(*inputs(widths)), targets).backward()
        optimiser.step()
    for key, parameter in head.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key
        assert not torch.equal(parameter, before[key]), key


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-1e4, 1e4, width=32), st.booleans()), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_shares_are_a_softmax_over_what_is_present(rows):
    scores = torch.tensor([[score for score, _ in row] for row in rows], dtype=torch.float64)
    present = torch.tensor([[has for _, has in row] for row in rows])
    shares = shares_of(scores, present)
    for share, score, has in zip(shares, scores, present, strict=True):
        assert not share[~has].any()
        assert float(share.sum()) == pytest.approx(float(has.any()))
        weights = np.exp(score[has].numpy() - score[has].numpy().max(initial=-np.inf))
        assert share[has].numpy() == pytest.approx(weights / weights.sum())


@torch.no_grad()
@pytest.mark.parametrize("widths", WIDTHS)
def test_voting_is_the_mean_of_the_votes_cast(widths):
    embeddings, logits, present = inputs(widths)
    out = fusions["voting"](widths)(embeddings, logits, present)
    votes = np.where(present.numpy(), logits.numpy(), np.nan)
    assert out.numpy() == pytest.approx(np.nanmean(votes, axis=1), abs=1e-6)


def affine(layer, x):
    return layer.weight.double().numpy() @ x + layer.bias.double().numpy()


@torch.no_grad()
@pytest.mark.parametrize("widths", WIDTHS)
def test_concatenation_is_one_neuron_on_everything(widths):
    head, (embeddings, logits, present) = trained("concatenation", widths), inputs(widths)
    assert head.input_dropout == 0.5
    for patient, out in enumerate(head(embeddings, logits, present)):
        pieces = [z[patient].numpy() * bool(present[patient, m]) for m, z in enumerate(embeddings)]
        assert float(out) == pytest.approx(affine(head.output, np.concatenate(pieces))[0], abs=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", ["weighting", "attention"])
def test_weighting_and_attention_by_hand(name, widths):
    head, (embeddings, logits, present) = trained(name, widths), inputs(widths)
    for patient, out in enumerate(head(embeddings, logits, present)):
        tokens, scores = [], []
        for m, z in enumerate(embeddings):
            if not present[patient, m]:
                continue
            token = affine(head.into_shared[m], z[patient].double().numpy())
            tokens.append(token)
            if name == "weighting":
                scores.append(float(head.importance[m]))
            else:  # Ilse et al. 2018, equation 9
                gate = 1 / (1 + np.exp(-affine(head.gate, token)))
                content = np.tanh(affine(head.content, token))
                scores.append((head.score.weight.double().numpy() @ (content * gate))[0])
        shares = np.exp(scores) / np.exp(scores).sum()
        expected = affine(head.output, sum(a * t for a, t in zip(shares, tokens, strict=True)))
        assert float(out) == pytest.approx(expected[0], abs=1e-3)


def test_weighting_begins_with_equal_shares():
    head = fusions["weighting"]((4, 3))
    assert head.importance.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("widths", WIDTHS)
def test_multilayer_has_the_papers_layers(widths):
    head = Multilayer(widths)
    leaves = [m for m in head.modules() if not list(m.children())]
    assert [type(m).__name__ for m in leaves] == [
        *["BatchNorm1d"] * len(widths),
        *["Linear", "BatchNorm1d"],
        *["Linear", "ReLU", "Linear", "Sigmoid"],
        "Linear",
    ]
    shapes = {key: tuple(p.shape) for key, p in head.named_parameters() if key.endswith("weight")}
    assert shapes == {
        **{f"norms.{m}.weight": (width,) for m, width in enumerate(widths)},
        "dense.weight": (256, sum(widths)),
        "dense_norm.weight": (256,),
        "excitation.0.weight": (16, 256),
        "excitation.2.weight": (256, 16),
        "output.weight": (1, 256),
    }
    assert HIDDEN == 256
    assert head.input_dropout == 0
    assert not any(isinstance(m, nn.Dropout) for m in head.modules())


class StraightMultilayer(nn.Module):
    """Paper 2.4.4 once more, for complete patients only, layer after layer."""

    def __init__(self, widths):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for width in widths])
        self.dense = nn.Linear(sum(widths), 256)
        self.norm = nn.BatchNorm1d(256)
        self.squeeze = nn.Linear(256, 256 // 16)
        self.excite = nn.Linear(256 // 16, 256)
        self.neuron = nn.Linear(256, 1)

    def forward(self, *embeddings):
        x = torch.cat([norm(z) for norm, z in zip(self.norms, embeddings, strict=True)], dim=1)
        x = self.norm(self.dense(x).clamp(min=0))
        gate = 1 / (1 + torch.exp(-self.excite(self.squeeze(x).clamp(min=0))))
        return self.neuron(gate * x)[:, 0]


@pytest.mark.parametrize("widths", WIDTHS)
def test_multilayer_agrees_with_a_straight_implementation(widths):
    ours, theirs = trained("multilayer", widths), StraightMultilayer(widths)
    copied = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict({key: tensor.clone() for key, tensor in copied})
    embeddings, logits, present = inputs(widths)
    everything = torch.ones_like(present)
    for training in (False, True, False):
        ours.train(training)
        theirs.train(training)
        expected = theirs(*embeddings)
        assert torch.allclose(ours(embeddings, logits, everything), expected, atol=1e-4)
    statistics = zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True)
    assert all(torch.allclose(a, b) for a, b in statistics)


@torch.no_grad()
@pytest.mark.parametrize("widths", WIDTHS)
def test_multilayer_takes_a_missing_modality_as_if_it_had_no_weights(widths):
    head, (embeddings, logits, present) = trained("multilayer", widths), inputs(widths)
    everything, start = torch.ones_like(present), 0
    for missing, width in enumerate(widths):
        lacking = everything.clone()
        lacking[:, missing] = False
        out = head(embeddings, logits, lacking)
        silenced = trained("multilayer", widths)
        silenced.dense.weight[:, start : start + width] = 0
        assert torch.allclose(out, silenced(embeddings, logits, everything), atol=1e-4)
        start += width
