"""The bundle of a finished study: the chosen models, refitted on all patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from axilla import __version__
from axilla.config.study import StudyConfig
from axilla.inference.bundle import Bundle, State, write_bundle
from axilla.inference.manifest import Manifest, ModalityManifest, Performance, PreprocessingManifest
from axilla.inference.modality_networks import REFERENCE_TENSORS
from axilla.inference.ood import Reference, distances_between, fit_reference
from axilla.models.backbones import find_backbone
from axilla.preprocessing.augment import count_served_views
from axilla.records.arrays import FloatArray
from axilla.records.run_folder import RunFolder
from axilla.records.types import SELECTED, Modality
from axilla.training.candidate_cache import CachedCandidate
from axilla.training.candidates import ModelOutput
from axilla.training.data.embeddings import fixed_backbone
from axilla.training.fusion.fusion_heads import FusionCandidate, Selected
from axilla.training.prediction_tables import operating_point
from axilla.training.selected_models import FoldModels
from axilla.training.unimodal_training import is_trained

_NOTE = (
    "Measured out of fold on the development patients, for the model that each fold's inner splits "
    "chose; the bundled model was then refitted on all of them. This says nothing of another "
    "hospital."
)


def bundle_of(config: StudyConfig, final: FoldModels, metrics: pd.DataFrame) -> Bundle:
    """Make the bundle of the chosen fusion or, in a study of one modality, of its chosen model.

    `metrics` is metrics.csv: its rows of the chosen model become the bundle's performance.
    """
    parts = _parts(final)
    only = next(iter(parts.values()))
    fusion = final.fusion
    inner_logits = fusion.inner_logits if fusion else only.inner_logits
    point = operating_point(inner_logits, final.labels, validation=config.validation)
    settings = {"image_size_px", "roi_margin", "harmonise", "outside_mask", "stain", "mirror"}
    references = _references(config, final, parts)
    manifest = Manifest(
        axilla_version=__version__,
        study=config.study.name,
        outcome=config.study.outcome,
        positive=config.study.positive,
        model=fusion.name if fusion else only.model,
        strategy=fusion.name if fusion else None,
        modalities=tuple(
            _describe(config, final, m, c).model_copy(
                update=_describe_training_inputs(final, m, references.get(m))
            )
            for m, c in parts.items()
        ),
        preprocessing=PreprocessingManifest(
            **config.preprocessing.model_dump(include=settings), tiles=config.tiles
        ),
        recalibration=point.recalibration,
        threshold=point.threshold,
        threshold_rule=config.validation.threshold,
        cohort_digest=final.cohort_digest,
        patients=len(final.patients),
        positives=sum(patient.label or 0 for patient in final.patients),
        masks_in_training=any(f.mask for p in final.patients for f in p.ultrasound),
        performance=_performance(
            metrics, SELECTED if fusion else _find_metrics_name(only, metrics)
        ),
        performance_note=_NOTE,
    )
    return Bundle(manifest, _tensors(config, parts, fusion) | _reference_tensors(references))


@dataclass(frozen=True, slots=True)
class FoldOutputs:
    """What a fold's bundle makes of the patients it tested before it fuses them.

    `components` are (N, K) per modality, `logits` and `present` (N, M), in the bundle's order of
    modalities; absent is 0 and False.
    """

    components: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    present: torch.Tensor


def model_of_fold(fold: FoldModels) -> str:
    """Return the name of the model that a fold's bundle holds."""
    return fold.fusion.name if fold.fusion else next(iter(_parts(fold).values())).model


def outputs_of_fold(config: StudyConfig, fold: FoldModels) -> FoldOutputs | None:
    """Return what training kept of the tested patients; None of networks trained with a fusion.

    Their networks need not be run again to be asked which modality mattered.
    """
    if fold.fusion is not None and fold.fusion.parts:
        return None
    views = count_served_views(mirror=config.preprocessing.mirror)
    rows = torch.tensor(fold.tested_rows, dtype=torch.long)
    outputs = [candidate.outputs()[-1] for candidate in _parts(fold).values()]
    logits = torch.stack([output.logits[rows] for output in outputs], dim=1)
    return FoldOutputs(
        tuple(o.embedding[rows, :views].mean(1).nan_to_num() for o in outputs),
        logits.nan_to_num(),
        torch.isfinite(logits),
    )


def bundle_of_fold(config: StudyConfig, fold: FoldModels) -> Bundle:
    """Make the bundle of an outer fold, of which no performance is known."""
    return bundle_of(config, fold, pd.DataFrame(columns=["model", *Performance.model_fields]))


def _parts(final: FoldModels) -> Selected:
    """Return the unimodal models that the bundle holds."""
    if final.fusion is not None:
        return final.fusion.selected
    best = max(final.selected.values(), key=lambda candidate: candidate.inner_score)
    return {best.modality: best}


def _references(
    config: StudyConfig, final: FoldModels, parts: Selected
) -> dict[Modality, Reference]:
    """Describe what fusion saw of the training patients, by modality.

    Not of networks trained jointly with the fusion: what they made of the patients is not kept.
    """
    views = count_served_views(mirror=config.preprocessing.mirror)
    found: dict[Modality, Reference] = {}
    for modality, candidate in parts.items():
        if final.fusion is not None and modality in final.fusion.parts:
            continue
        *inner, outer = [_average_views(output, views) for output in candidate.outputs()]
        held_out = [
            distances_between(_get_known_rows(seen, split.train), _get_known_rows(seen, split.test))
            for seen, split in zip(inner, candidate.fold.inner, strict=True)
        ]
        reference = fit_reference(_get_known_rows(outer, final.rows), np.concatenate(held_out))
        if reference is not None:
            found[modality] = reference
    return found


def _average_views(output: ModelOutput, views: int) -> FloatArray:
    """Return what a model makes of all patients (N, K) as in serving; NaN where it has nothing."""
    return np.asarray(output.embedding[:, :views].mean(1).double().numpy())


def _get_known_rows(embedding: FloatArray, rows: Sequence[int]) -> FloatArray:
    chosen = embedding[list(rows)]
    return chosen[np.isfinite(chosen).all(axis=1)]


def _reference_tensors(references: Mapping[Modality, Reference]) -> dict[str, torch.Tensor]:
    return {
        f"{modality}.reference.{name}": torch.from_numpy(getattr(reference, name)).float()
        for modality, reference in references.items()
        for name in REFERENCE_TENSORS
    }


def _describe_training_inputs(
    final: FoldModels, modality: Modality, reference: Reference | None
) -> dict[str, object]:
    """Return what the manifest says of the training patients' inputs."""
    seen: dict[str, object] = {}
    if reference is not None:
        seen["reference_patients"] = len(reference.distances)
    if modality == "clinical" and final.encoder is not None:
        known = {
            column.name: [
                float(value)
                for patient in final.patients
                if isinstance(value := patient.clinical.get(column.name), int | float)
            ]
            for column in final.encoder.columns
            if column.kind == "number"
        }
        seen["ranges"] = {name: (min(v), max(v)) for name, v in known.items() if v}
    return seen


def _tensors(
    config: StudyConfig, parts: Selected, fusion: FusionCandidate | None
) -> dict[str, torch.Tensor]:
    joint = fusion.parts if fusion else {}
    tensors = {
        f"{modality}.{part}.{name}": tensor
        for modality, candidate in parts.items()
        for part, state in (joint.get(modality) or _states(config, candidate)).items()
        for name, tensor in state.items()
    }
    if fusion is not None:
        tensors |= {f"fusion.{name}": tensor for name, tensor in fusion.state.items()}
    return tensors


def write_final(
    config: StudyConfig, folder: RunFolder, final: FoldModels, metrics: pd.DataFrame
) -> None:
    """Write bundle.axilla, and what it is into provenance.json."""
    bundle = bundle_of(config, final, metrics)
    write_bundle(bundle, folder.bundle)
    folder.update_json(
        "provenance.json",
        {
            "bundle": {
                "model": bundle.manifest.model,
                "modalities": {part.modality: part.model for part in bundle.manifest.modalities},
                "threshold": bundle.manifest.threshold,
                "threshold_rule": bundle.manifest.threshold_rule,
                "bytes": folder.bundle.stat().st_size,
            }
        },
    )


def _states(config: StudyConfig, candidate: CachedCandidate) -> dict[str, State]:
    """Return a modality's states, with the fixed backbone's own where it was not trained."""
    name = candidate.model.split("/", 1)[1]
    states: dict[str, State] = dict(candidate.parts())
    if candidate.modality != "clinical" and "backbone" not in states:
        pretrained = config.models.weights == "pretrained"
        backbone = fixed_backbone(name, pretrained=pretrained, seed=config.study.seed)
        states["backbone"] = backbone.state_dict()
    return states


def _describe(
    config: StudyConfig, final: FoldModels, modality: Modality, candidate: CachedCandidate
) -> ModalityManifest:
    if modality == "clinical":
        encoder = final.encoder.to_json() if final.encoder else None
        return ModalityManifest(modality=modality, model=candidate.model, encoder=encoder)
    name = candidate.model.split("/", 1)[1]
    side_px = config.preprocessing.image_size_px
    joint = final.fusion is not None and modality in final.fusion.parts
    if joint or is_trained(name, config):
        side_px = config.training.network_size_px or side_px
    side_px = find_backbone(name).fixed_size_px or side_px
    return ModalityManifest(
        modality=modality,
        model=candidate.model,
        backbone=name,
        side_px=side_px,
        pooling=config.models.pooling,
    )


def _find_metrics_name(candidate: CachedCandidate, metrics: pd.DataFrame) -> str:
    """Return the name whose metrics speak for a unimodal choice: the chosen one, if listed."""
    chosen = f"{candidate.modality}/{SELECTED}"
    return chosen if chosen in set(metrics["model"]) else candidate.model


def _performance(metrics: pd.DataFrame, model: str) -> tuple[Performance, ...]:
    rows = metrics[(metrics["model"] == model) & metrics["value"].notna()]
    columns = ["metric", "value", "low", "high", "n", "n_positive", "method"]
    known = rows[columns].astype(object).where(rows[columns].notna(), None)
    return tuple(Performance.model_validate(row) for row in known.to_dict("records"))
