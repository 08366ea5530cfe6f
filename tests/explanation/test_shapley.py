"""Shapley values against brute force over permutations, closed forms, and their own axioms."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from axilla.explanation.methods.case_model import Described
from axilla.explanation.shapley import (
    clinical_importance,
    clinical_table,
    modality_shapley,
    shapley_summary,
    shapley_table,
    shapley_values,
)
from axilla.models.fusion import fusions
from axilla.preprocessing.clinical import fit_encoder
from axilla.records.patients import Patient

WIDTHS = {"ultrasound": 5, "pathology": 4, "clinical": 3}


class Model:
    """What a CaseModel is to Shapley values: parts by modality, and a fusion."""

    def __init__(self, strategy, *, modalities=tuple(WIDTHS), clinical=None):
        torch.manual_seed(4)
        widths = [WIDTHS[m] for m in modalities]
        if clinical is not None:
            widths[modalities.index("clinical")] = clinical.width
        self.modalities = modalities
        self.fusion = fusions[strategy](widths).eval()
        for norm in self.fusion.modules():
            if isinstance(norm, torch.nn.BatchNorm1d):
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2)
        self.parts = {
            m: SimpleNamespace(
                encoder=clinical if m == "clinical" else None,
                weight=torch.randn(1, width),
                bias=torch.randn(1),
                components=lambda raw: raw,
            )
            for m, width in zip(modalities, widths, strict=True)
        }

    def fuse(self, components, logits, present):
        return self.fusion(components, logits, present)

    def described(self, raw, present):
        logits = [
            (x @ self.parts[m].weight.T + self.parts[m].bias).squeeze(1)
            for m, x in zip(self.modalities, raw, strict=True)
        ]
        votes = torch.stack(logits, 1).where(present, 0.0)
        blanked = tuple(x * present[:, [place]] for place, x in enumerate(raw))
        return Described({}, blanked, votes, present)


def cohort(model, *, patients=9, seed=0, complete=True):
    generator = torch.Generator().manual_seed(seed)
    raw = [torch.randn(patients, WIDTHS[m], generator=generator) for m in model.modalities]
    present = torch.ones(patients, len(raw), dtype=torch.bool)
    if not complete:
        present[1, 0] = present[2, 1] = present[3, 1] = present[3, 2] = False
    return model.described(raw, present)


def by_permutations(model, own, pool):
    """Values of one patient (a Described of one) by the definition: mean over arrival orders."""
    brought = own.present[0]
    able = [r for r in range(len(pool.present)) if bool((pool.present[r] >= brought).all())]

    def worth(known):
        total = []
        for reference in able:
            components, logits = [], own.logits.clone()
            for place in range(len(brought)):
                mine = place in known
                source, row = (own, 0) if mine else (pool, reference)
                components.append(source.components[place][[row]])
                logits[0, place] = source.logits[row, place]
            with torch.no_grad():
                total.append(float(model.fuse(components, logits, own.present)[0]))
        return np.mean(total)

    players = [place for place in range(len(brought)) if brought[place]]
    values = np.zeros(len(brought))
    orders = list(permutations(players))
    for order in orders:
        for position, player in enumerate(order):
            before = set(order[:position])
            values[player] += (worth(before | {player}) - worth(before)) / len(orders)
    return values, worth(set())


def one(described, row):
    return Described(
        {},
        tuple(block[[row]] for block in described.components),
        described.logits[[row]],
        described.present[[row]],
    )


@pytest.mark.parametrize("strategy", fusions.names())
def test_values_are_those_of_all_orders_of_arrival_and_add_up(strategy):
    model = Model(strategy)
    described, pool = cohort(model, complete=False), cohort(model, patients=6, seed=5)
    pool.present[4, 1] = False
    found = modality_shapley(model, described, references=pool)
    for row in range(len(described.present)):
        values, base = by_permutations(model, one(described, row), pool)
        np.testing.assert_allclose(found.phi[row], values, rtol=0, atol=1e-6)
        assert found.bases[row] == pytest.approx(base, abs=1e-6)
    with torch.no_grad():
        logits = model.fuse(described.components, described.logits, described.present)
    assert np.array_equal(found.logits, logits.double().numpy())
    total = found.logits - found.bases
    scale = np.abs(found.logits) + np.abs(found.bases)
    assert np.all(np.abs(found.phi.sum(1) - total) <= 1e-12 * scale)
    assert np.all(found.phi[~described.present.numpy()] == 0)


def test_a_linear_model_gets_weight_times_distance_from_the_mean():
    model = Model("concatenation")
    described = cohort(model, patients=40, seed=2)
    found = modality_shapley(model, described)
    weight = model.fusion.output.weight.detach().numpy()[0]
    parts = np.split(weight, np.cumsum(list(WIDTHS.values()))[:-1])
    for place, (block, own) in enumerate(zip(described.components, parts, strict=True)):
        expected = (block.numpy() - block.numpy().mean(0)) @ own
        np.testing.assert_allclose(found.phi[:, place], expected, atol=2e-6)
    assert np.ptp(found.bases) < 1e-6


def test_equal_players_get_equal_values_and_idle_ones_nothing():
    worth = np.array([[0.0, 3, 3, 10, 0, 3, 3, 10]])  # the third player never matters
    np.testing.assert_allclose(shapley_values(worth), [[5, 5, 0]])
    # The glove game: one left glove, two right ones.
    gloves = np.array([[0.0, 0, 0, 1, 0, 1, 0, 1]])
    np.testing.assert_allclose(shapley_values(gloves), [[2 / 3, 1 / 6, 1 / 6]])


def test_references_are_drawn_by_the_seed_and_never_more_than_asked():
    model = Model("multilayer")
    described = cohort(model, patients=30)
    some = modality_shapley(model, described, most=5, seed=1)
    assert np.array_equal(some.phi, modality_shapley(model, described, most=5, seed=1).phi)
    assert not np.allclose(some.phi, modality_shapley(model, described, most=5, seed=2).phi)
    assert "5 references" in some.method


def test_a_patient_without_any_reference_has_no_value():
    model = Model("voting")
    pool = cohort(model, patients=3)
    pool.present[:, 1] = False
    found = modality_shapley(model, cohort(model, patients=4), references=pool)
    assert np.isnan(found.bases).all()
    assert np.isfinite(found.logits).all()


def people(count, *, columns, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Patient(
            f"P{row}",
            row % 2,
            group=f"G{row // 2}",
            clinical={
                name: None
                if rng.random() < 0.2
                else (float(rng.normal(50, 9)) if kind == "number" else str(rng.choice(["a", "b"])))
                for name, kind in columns.items()
            },
        )
        for row in range(count)
    ]


COLUMNS = {"age": "number", "er": "category", "ki67": "number"}


def clinical_study(columns, strategy="multilayer"):
    patients = people(8, columns=columns)
    encoder = fit_encoder([p.clinical for p in patients], columns)
    model = Model(strategy, modalities=("ultrasound", "clinical"), clinical=encoder)
    raw = [torch.randn(8, 5), torch.from_numpy(encoder([p.clinical for p in patients]))]
    return model, patients, model.described(raw, torch.ones(8, 2, dtype=torch.bool))


def logit_of(model, clinical, described, row):
    """The logit of a patient whose clinical values are these, through the encoder."""
    encoded = torch.from_numpy(model.parts["clinical"].encoder([clinical]))
    unimodal = encoded @ model.parts["clinical"].weight.T + model.parts["clinical"].bias
    logits = torch.cat([described.logits[[row], :1], unimodal], 1)
    with torch.no_grad():
        components = [described.components[0][[row]], encoded]
        return float(model.fuse(components, logits, described.present[[row]])[0])


@pytest.mark.parametrize("strategy", ["multilayer", "voting"])
def test_clinical_values_are_those_of_all_orders_of_arrival(strategy):
    model, patients, described = clinical_study(COLUMNS, strategy)
    found = clinical_importance(model, patients, described=described)
    assert found.columns == tuple(COLUMNS)
    assert "exact Shapley" in found.method
    pool = [p for p in patients if p.has("clinical")]
    for row, patient in enumerate(patients):
        players = [name for name in COLUMNS if patient.clinical[name] is not None]

        def worth(known, patient=patient, row=row, players=players):
            mixed = [
                {n: (r.clinical if n in players and n not in known else patient.clinical)[n]
                 for n in COLUMNS}
                for r in pool
            ]  # fmt: skip
            return np.mean([logit_of(model, m, described, row) for m in mixed])

        expected = dict.fromkeys(COLUMNS, 0.0)
        orders = list(permutations(players))
        for order in orders:
            for position, player in enumerate(order):
                before = set(order[:position])
                gain = worth(before | {player}) - worth(before)
                expected[player] += gain / len(orders)
        np.testing.assert_allclose(found.moves[row], list(expected.values()), atol=2e-6)
        assert found.brought[row].tolist() == [name in players for name in COLUMNS]


def test_many_columns_are_permuted_one_by_one():
    columns = {f"c{place}": "number" for place in range(11)}
    model, patients, described = clinical_study(columns, "concatenation")
    found = clinical_importance(model, patients, described=described)
    assert "permutation" in found.method
    weight = model.fusion.output.weight.detach().numpy()[0][5:]
    encoder = model.parts["clinical"].encoder
    features = encoder([p.clinical for p in patients])
    expected = np.abs((features[:, None] - features[None]) * weight).mean(1)
    np.testing.assert_allclose(found.moves, np.where(found.brought, expected, 0), atol=1e-5)


def test_models_without_clinical_values_have_no_clinical_importance():
    model = Model("voting", modalities=("ultrasound", "pathology"))
    described = cohort(model, patients=4)
    patients = people(4, columns=COLUMNS)
    assert clinical_importance(model, patients, described=described) is None


def test_nobody_with_a_clinical_value_is_no_importance():
    model, patients, described = clinical_study(COLUMNS)
    blank = [Patient(p.patient_id, p.label, p.group) for p in patients]
    assert clinical_importance(model, blank, described=described) is None


def test_tables_hold_one_row_per_patient_and_means_over_those_who_bring_a_modality():
    model = Model("multilayer")
    described = cohort(model, complete=False)
    patients = [Patient(f"{row:03d}", row % 2, group=f"G{row // 2}") for row in range(9)]
    parts = [
        (modality_shapley(model, described, most=5, seed=repeat), patients) for repeat in (1, 2)
    ]
    table = shapley_table(parts)
    assert table.columns.tolist() == [
        "patient_id", "label", "logit", "base", "phi_ultrasound", "phi_pathology", "phi_clinical",
    ]  # fmt: skip
    assert table["patient_id"].tolist() == [p.patient_id for p in patients]
    assert table["label"].tolist() == [p.label for p in patients]
    phi = table.filter(like="phi_").sum(axis=1)
    np.testing.assert_allclose(phi, table["logit"] - table["base"], rtol=1e-12)
    summary = shapley_summary(parts).set_index("modality")
    assert summary["n"].to_dict() == {"ultrasound": 8, "pathology": 7, "clinical": 8}
    values = np.mean([[abs(part.phi[row, 1]) for row in (0, 1, 4, 5, 6, 7, 8)]
                      for part, _ in parts])  # fmt: skip
    assert summary.loc["pathology", "mean_abs"] == pytest.approx(values)
    assert (summary["low"] < summary["mean_abs"]).all()
    assert "exact Shapley" in summary["method"].iloc[0]
    assert "groups" in summary["method"].iloc[0]


def test_clinical_table_puts_the_largest_first():
    model, patients, described = clinical_study(COLUMNS)
    found = clinical_importance(model, patients, described=described)
    table = clinical_table([(found, patients)])
    assert isinstance(table, pd.DataFrame)
    assert table["mean_abs"].is_monotonic_decreasing
    known = {name: sum(p.clinical[name] is not None for p in patients) for name in COLUMNS}
    assert table.set_index("column")["n"].to_dict() == known
