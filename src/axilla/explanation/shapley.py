"""Exact Shapley values of modalities and clinical variables, per patient and per cohort.

The game of one patient: players are what the patient brings, and a coalition is worth the mean
logit when its members are known and all else is taken, together, from reference patients. Nothing
known is the mean logit of references. This is the interventional value (Lundberg & Lee, NeurIPS
2017; Janzing, Minorics & Bloebaum, AISTATS 2020): it credits what an image shows, and only to what
the model looks at. The model's own way around a missing modality would answer another question,
what the model says of a patient without the image; it also asks networks that were trained without
modality dropout for what they never saw, and has no value for a patient who brings nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.records.arrays import BoolArray, FloatArray
from axilla.records.estimate import Estimate
from axilla.records.patients import Patient
from axilla.records.table_columns import CLINICAL_IMPORTANCE, SHAPLEY_SUMMARY
from axilla.records.types import Modality

MOST_COLUMNS: Final = 10
"""More clinical columns than these have too many coalitions; they are permuted one by one."""

_REFERENCES: Final = 100
_CLINICAL_REFERENCES: Final = 24
_ROWS: Final = 8192
_Told = tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_], Sequence[Patient]]


@dataclass(frozen=True, slots=True)
class Shapley:
    """Values `phi` (N, M) in units of the logit: `logits` (N,) less `bases` (N,), divided up.

    `brought` (N, M) tells what a patient brings; what is not brought has the value 0. `bases` are
    the logits of nothing known. Values and base are NaN where there is no reference to a patient.
    """

    modalities: tuple[Modality, ...]
    phi: FloatArray
    logits: FloatArray
    bases: FloatArray
    brought: BoolArray
    method: str


@dataclass(frozen=True, slots=True)
class ClinicalImportance:
    """How far clinical columns move the logit, `moves` (N, C); `brought` (N, C) as in `Shapley`.

    Signed Shapley values; or, of too many columns, how far the logit moves when a column alone
    takes the values of references, on average, without sign.
    """

    columns: tuple[str, ...]
    moves: FloatArray
    brought: BoolArray
    method: str


def shapley_values(worth: FloatArray) -> FloatArray:
    """Return the Shapley values (N, M) of games `worth` (N, 2**M).

    Bit m of a coalition's number says whether player m is in it. Rows add up to the worth of all
    less that of none, up to rounding (Shapley 1953, eq. 12).
    """
    coalitions = np.arange(worth.shape[1])
    players = int(worth.shape[1]).bit_length() - 1
    sizes = np.array([int(number).bit_count() for number in coalitions])
    values = np.zeros((len(worth), players))
    for player in range(players):
        without = coalitions[(coalitions >> player) & 1 == 0]
        weights = np.array(
            [
                factorial(size) * factorial(players - size - 1) / factorial(players)
                for size in sizes[without]
            ]
        )
        values[:, player] = (worth[:, without | 1 << player] - worth[:, without]) @ weights
    return values


def modality_shapley(
    model: CaseModel,
    described: Described,
    *,
    references: Described | None = None,
    most: int = _REFERENCES,
    seed: int = 0,
) -> Shapley:
    """Divide every patient's logit, less that of nothing known, among the modalities.

    `references` stand in for what is not known: the fold's training patients, or without them the
    patients described, each of whom then shares one base with all who bring the same. Up to `most`
    of those who bring all that a patient brings are drawn by `seed`. Logits are the fusion's own,
    before any recalibration.
    """
    pool = described if references is None else references
    present, offered = described.present.numpy(), pool.present.numpy()
    players = present.shape[1]
    logits = _logits_of(model, described.components, described.logits, described.present)
    worth = np.tile(logits[:, None], (1, 2**players))
    for pattern in np.unique(present, axis=0):
        mine = np.flatnonzero((present == pattern).all(1))
        able = _draw_rows(np.flatnonzero((offered >= pattern).all(1)), most=most, seed=seed)
        whole = int(pattern @ (1 << np.arange(players)))
        for coalition in range(2**players):
            inside = coalition & whole
            if inside != coalition:
                # A player who is not there changes nothing.
                worth[mine, coalition] = worth[mine, inside]
            elif inside != whole:
                known = (coalition >> np.arange(players) & 1).astype(bool)
                worth[mine, coalition] = _mean_logit(model, (described, mine), (pool, able), known)
    whom = "the training patients" if references is not None else "the patients explained"
    method = f"exact Shapley values, interventional; up to {most} references among {whom}"
    return Shapley(
        model.modalities, shapley_values(worth), logits, worth[:, 0].copy(), present, method
    )


def clinical_importance(
    model: CaseModel,
    cases: Sequence[Patient],
    *,
    described: Described,
    reference_cases: Sequence[Patient] | None = None,
    most: int = _CLINICAL_REFERENCES,
    seed: int = 0,
) -> ClinicalImportance | None:
    """Tell how much each clinical column moves the logit of the cases that are `described`.

    Images stay as they are, and so does what the encoder puts where a value is unknown. Values of
    references (drawn from `reference_cases`, or from the cases) replace those of the patient. Exact
    Shapley values of up to 10 columns, permutation importance of more; None where the model does
    not read clinical values, or nobody has any.
    """
    part = model.parts.get("clinical")
    if part is None or part.encoder is None:
        return None
    encoder = part.encoder
    columns = tuple(column.name for column in encoder.columns)
    pool = [case for case in (reference_cases or cases) if case.has("clinical")]
    if not pool:
        return None
    chosen = [pool[row] for row in _draw_rows(np.arange(len(pool)), most=most, seed=seed)]
    game = _ClinicalGame(
        model,
        described,
        own=torch.from_numpy(encoder([case.clinical for case in cases])),
        others=torch.from_numpy(encoder([case.clinical for case in chosen])),
        brought=np.array([[c.clinical.get(name) is not None for name in columns] for c in cases]),
        owner=np.repeat(np.arange(len(columns)), [column.width for column in encoder.columns]),
    )
    if len(columns) > MOST_COLUMNS:
        method = f"permutation: mean |change of the logit|, {len(chosen)} references"
        return ClinicalImportance(columns, game.measure_moves(), game.brought, method)
    worth = np.stack([game.worth(coalition) for coalition in range(2 ** len(columns))], axis=1)
    method = f"exact Shapley values, interventional; {len(chosen)} references"
    return ClinicalImportance(columns, shapley_values(worth), game.brought, method)


@dataclass(frozen=True, slots=True)
class _ClinicalGame:
    """Logits of cases whose clinical features (N, F) mix with those of references (R, F)."""

    model: CaseModel
    described: Described
    own: torch.Tensor
    others: torch.Tensor
    brought: BoolArray
    owner: NDArray[np.intp]

    def worth(self, coalition: int) -> FloatArray:
        """Return the mean logit (N,) when the columns of a coalition are known."""
        inside = (coalition >> np.arange(self.brought.shape[1]) & 1).astype(bool)
        found: FloatArray = self._logits(~inside & self.brought).mean(1)
        return found

    def measure_moves(self) -> FloatArray:
        """Return how far the logit moves (N, C) when one column alone is not known."""
        columns = self.brought.shape[1]
        whole = self._logits(np.zeros_like(self.brought))
        return np.stack(
            [
                np.abs(self._logits(self.brought & (np.arange(columns) == column)) - whole).mean(1)
                for column in range(columns)
            ],
            axis=1,
        )

    def _logits(self, replaced: BoolArray) -> FloatArray:
        """Return logits (N, R) with columns `replaced` (N, C) taken from the references."""
        features = torch.from_numpy(replaced[:, self.owner])
        part = self.model.parts["clinical"]
        place = self.model.modalities.index("clinical")
        found = []
        for rows in _batches(len(self.own), each=len(self.others)):
            index = rows.repeat_interleave(len(self.others))
            again = self.others.repeat(len(rows), 1)
            mixed = torch.where(features[index], again, self.own[index])
            components = [block[index] for block in self.described.components]
            components[place] = part.components(mixed)
            logits = self.described.logits[index].clone()
            logits[:, place] = (mixed @ part.weight.T + part.bias).squeeze(1)
            fused = _logits_of(self.model, components, logits, self.described.present[index])
            found.append(fused.reshape(len(rows), -1))
        return np.concatenate(found)


def _mean_logit(
    model: CaseModel,
    asked: tuple[Described, NDArray[np.intp]],
    references: tuple[Described, NDArray[np.intp]],
    known: BoolArray,
) -> FloatArray:
    """Return the mean logit of patients of whom `known` (M,) is theirs, the rest references'."""
    (described, mine), (pool, able) = asked, references
    if not len(able):
        return np.full(len(mine), np.nan)
    found = []
    for rows in _batches(len(mine), each=len(able)):
        own = torch.from_numpy(mine)[rows].repeat_interleave(len(able))
        other = torch.from_numpy(able).repeat(len(rows))
        components = [
            block[own] if is_known else pool.components[player][other]
            for player, (block, is_known) in enumerate(
                zip(described.components, known, strict=True)
            )
        ]
        logits = torch.where(torch.from_numpy(known), described.logits[own], pool.logits[other])
        # What the patient does not bring is in no coalition, whatever references bring.
        fused = _logits_of(model, components, logits, described.present[own])
        found.append(fused.reshape(len(rows), -1).mean(1))
    return np.concatenate(found)


def _batches(count: int, *, each: int) -> Iterator[torch.Tensor]:
    """Split `count` patients into batches, when each needs `each` rows."""
    yield from torch.arange(count).split(max(1, _ROWS // max(1, each)))


def _draw_rows(rows: NDArray[np.intp], *, most: int, seed: int) -> NDArray[np.intp]:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


@torch.no_grad()
def _logits_of(
    model: CaseModel,
    components: Sequence[torch.Tensor],
    logits: torch.Tensor,
    present: torch.Tensor,
) -> FloatArray:
    return model.fuse(components, logits, present).double().numpy()


def shapley_table(parts: Sequence[tuple[Shapley, Sequence[Patient]]]) -> pd.DataFrame:
    """Return results/shapley.csv: patient_id, label, logit, base, and phi_MODALITY for each.

    `parts` are folds with their patients. Who was tested in several repeats has one row, of means:
    phi still add up to logit less base.
    """
    frames = [
        pd.DataFrame(
            {
                "patient_id": [patient.patient_id for patient in patients],
                "label": pd.array([patient.label for patient in patients], dtype="Int64"),
                "logit": shapley.logits,
                "base": shapley.bases,
            }
            | {
                f"phi_{modality}": shapley.phi[:, place]
                for place, modality in enumerate(shapley.modalities)
            }
        )
        for shapley, patients in parts
    ]
    table = pd.concat(frames, ignore_index=True)
    # Repeats have one label each, and means of a nullable label would be no label.
    labels = table.groupby("patient_id", sort=True)["label"].first()
    means = table.drop(columns="label").groupby("patient_id", sort=True).mean().reset_index()
    means.insert(1, "label", labels.to_numpy())
    return means


def shapley_summary(parts: Sequence[tuple[Shapley, Sequence[Patient]]]) -> pd.DataFrame:
    """Return results/shapley_summary.csv: mean |phi| with its interval, and mean phi, by modality.

    Over the patients who bring a modality; the interval is Student's, clustered by group.
    """
    told: list[_Told] = [(s.modalities, s.phi, s.brought, patients) for s, patients in parts]
    method = parts[0][0].method if parts else ""
    rows = []
    for name in _names(told):
        size, signed = _estimate(told, name, absolute=True), _estimate(told, name, absolute=False)
        means = (size.value, size.low, size.high, signed.value)
        rows.append((name, *means, size.n, f"{method}; {size.method}"))
    return pd.DataFrame(rows, columns=list(SHAPLEY_SUMMARY))


def clinical_table(
    parts: Sequence[tuple[ClinicalImportance, Sequence[Patient]]],
) -> pd.DataFrame:
    """Return results/clinical_importance.csv: how far each column moves the logit, largest first.

    Over the patients whose value is known.
    """
    told: list[_Told] = [(c.columns, c.moves, c.brought, patients) for c, patients in parts]
    method = parts[0][0].method if parts else ""
    rows = []
    for name in _names(told):
        size = _estimate(told, name, absolute=True)
        rows.append((name, size.value, size.low, size.high, size.n, f"{method}; {size.method}"))
    table = pd.DataFrame(rows, columns=list(CLINICAL_IMPORTANCE))
    return table.sort_values("mean_abs", ascending=False, kind="stable", ignore_index=True)


def _names(told: Sequence[_Told]) -> list[str]:
    return list(dict.fromkeys(name for names, *_ in told for name in names))


def _estimate(told: Sequence[_Told], name: str, *, absolute: bool) -> Estimate:
    """Return the mean over patients who bring `name`; of repeats, a patient's mean counts."""
    found: dict[str, list[float]] = {}
    who: dict[str, Patient] = {}
    for names, values, brought, patients in told:
        if name not in names:
            continue
        place = names.index(name)
        for row, patient in enumerate(patients):
            value = float(values[row, place])
            if brought[row, place] and np.isfinite(value):
                who[patient.patient_id] = patient
                mine = found.setdefault(patient.patient_id, [])
                mine.append(abs(value) if absolute else value)
    return clustered_mean(
        [float(np.mean(values)) for values in found.values()],
        [patient.group for patient in who.values()],
        positive=[patient.label == 1 for patient in who.values()],
    )
