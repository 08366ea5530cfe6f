"""Predict cases with a bundle: the same preparation, networks and arithmetic as in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from axilla.inference.bundle import Bundle
from axilla.inference.case_bags import CaseBags
from axilla.inference.modality_networks import (
    ModalityNetworks,
    fusion_of,
    misfit,
    part_of,
    pixel_settings,
)
from axilla.inference.ood import OodScore
from axilla.inference.prediction_warnings import (
    NO_MASK,
    NO_MODALITY,
    NO_ROI,
    PredictionWarning,
    unlike_training,
    unseen_values,
)
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.preprocessing.augment import served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import prepare, resize_planes
from axilla.records.errors import BundleError, ConfigError, Problem
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Progress, Silent
from axilla.records.types import ImageModality, Modality, Probability

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the bundle says of one patient, and from which modalities.

    The bundle's recalibration, if any, is in `probability`; below a fusion, `by_modality` is not
    recalibrated. `attention` holds, for a modality whose pooling was learnt, each image with its
    share of the bag; shares add up to 1. A modality whose images count alike is not in it.
    `familiarity` says how far each modality lies from the training patients, where the bundle
    knows them.
    """

    patient_id: str
    probability: Probability
    threshold: Probability
    used: tuple[Modality, ...]
    by_modality: dict[Modality, Probability]
    warnings: tuple[str, ...]
    attention: Mapping[Modality, tuple[tuple[ImageFile, float], ...]] = field(default_factory=dict)
    familiarity: Mapping[Modality, OodScore] = field(default_factory=dict)

    @property
    def positive(self) -> bool:
        """Tell whether the probability reaches the operating threshold."""
        return self.probability >= self.threshold


class Predictor:
    """Runs a bundle on cases, on CPU or GPU; made once, used for many cases."""

    def __init__(self, bundle: Bundle, *, device: torch.device | None = None) -> None:
        """Build the bundle's networks; raise `BundleError` if its tensors do not fit them."""
        self.manifest = bundle.manifest
        self._device = device or torch.device("cpu")
        keep_freed_memory()
        self._pixels = pixel_settings(bundle.manifest)
        try:
            self._parts = [
                part_of(bundle, m, device=self._device) for m in bundle.manifest.modalities
            ]
            self._fusion = fusion_of(bundle)
        except (RuntimeError, LookupError, TypeError, ValueError, ConfigError) as error:
            raise misfit() from error

    def predict(
        self, cases: Sequence[Patient], *, progress: Progress | None = None
    ) -> list[Prediction]:
        """Predict each case from what it brings; raise `BundleError` if that is nothing usable."""
        known = {part.manifest.modality for part in self._parts}
        if empty := [case for case in cases if not any(case.has(m) for m in known)]:
            raise BundleError(
                [
                    Problem(
                        case.patient_id,
                        "none of them",
                        f"at least one of {', '.join(sorted(known))}",
                    )
                    for case in empty
                ]
            )
        steps = (progress or Silent()).task("Predicting", total=len(cases) * len(self._parts))
        embeddings, logits, shares = [], [], []
        with steps as advance, torch.inference_mode():
            for part in self._parts:
                raw, of_images = self._raw(part, cases)
                embedding, logit = self._describe(part, raw)
                shares.append(of_images)
                embeddings.append(embedding)
                logits.append(logit)
                advance(len(cases))
            unimodal = torch.stack(logits, dim=1)
            present = torch.isfinite(unimodal)
            votes = unimodal.nan_to_num()
            fused = (
                self._fusion([e.nan_to_num() for e in embeddings], votes, present)
                if self._fusion
                else votes[:, 0]
            )
        familiar = self._familiarity(embeddings, present)
        return [
            self._prediction(
                case,
                fused[row],
                unimodal[row],
                present[row],
                shares=[bags[row] for bags in shares],
                familiar=familiar[row],
            )
            for row, case in enumerate(cases)
        ]

    def _familiarity(
        self, components: Sequence[torch.Tensor], present: torch.Tensor
    ) -> list[dict[Modality, OodScore]]:
        """Rank each case among the training patients, by modality, where it brings it."""
        found: list[dict[Modality, OodScore]] = [{} for _ in present]
        for place, part in enumerate(self._parts):
            rows = torch.nonzero(present[:, place]).squeeze(1).tolist()
            if part.reference is None or not rows:
                continue
            ranked = part.reference.familiarity(components[place][rows].numpy())
            for row, one in zip(rows, ranked, strict=True):
                found[row][part.manifest.modality] = one
        return found

    def _raw(
        self, part: ModalityNetworks, cases: Sequence[Patient]
    ) -> tuple[torch.Tensor, list[list[float]]]:
        """Return embeddings (N, D), NaN where the modality is absent, and each image's share."""
        if part.encoder:
            return self._clinical(part, cases), [[] for _ in cases]
        bags = self._images(part, cases)
        return bags.vectors(), bags.shares()

    def _describe(
        self, part: ModalityNetworks, raw: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return components (N, K) and unimodal logits (N,) of embeddings (N, D)."""
        return part.components(raw), (raw @ part.weight.T + part.bias).squeeze(1)

    def _clinical(self, part: ModalityNetworks, cases: Sequence[Patient]) -> torch.Tensor:
        encoder = part.encoder
        if encoder is None:
            raise BundleError("a clinical part without its encoder; copy the bundle again.")
        features = torch.from_numpy(encoder([case.clinical for case in cases]))
        absent = torch.tensor([not case.has("clinical") for case in cases], dtype=torch.bool)
        return features.masked_fill(absent.unsqueeze(1), torch.nan)

    def _images(self, part: ModalityNetworks, cases: Sequence[Patient]) -> CaseBags:
        """Pool each case's images, each embedded as the mean of its served views."""
        modality: ImageModality = (
            "ultrasound" if part.manifest.modality == "ultrasound" else "pathology"
        )
        files = [(row, file) for row, case in enumerate(cases) for file in case.images(modality)]
        bags = CaseBags(len(cases), width=part.weight.shape[1])
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            planes = torch.stack([prepare(f, modality, settings=self._pixels) for _, f in batch])
            rows = torch.tensor([row for row, _ in batch])
            embedded = self._embed(part, planes, modality)
            bags.add(rows, embedded, part.pool.scores(part.components(embedded)))
        return bags

    def _embed(
        self, part: ModalityNetworks, planes: torch.Tensor, modality: ImageModality
    ) -> torch.Tensor:
        name, network = part.manifest.backbone, part.backbone
        if name is None or network is None:
            raise BundleError("an image part without its backbone; copy the bundle again.")
        planes = resize_planes(planes, part.manifest.side_px or planes.shape[-1])
        views = [
            network(
                network_input(
                    view.to(self._device),
                    modality,
                    expects=find_backbone(name).expects,
                    outside_mask=self.manifest.preprocessing.outside_mask,
                )
            )
            for view in served_views(planes, mirror=self.manifest.preprocessing.mirror)
        ]
        return torch.stack(views).mean(0).float().cpu()

    def _prediction(
        self,
        case: Patient,
        fused: torch.Tensor,
        unimodal: torch.Tensor,
        present: torch.Tensor,
        *,
        shares: Sequence[Sequence[float]],
        familiar: Mapping[Modality, OodScore],
    ) -> Prediction:
        modalities = [part.manifest.modality for part in self._parts]
        used = tuple(m for m, has in zip(modalities, present.tolist(), strict=True) if has)
        probability = self._recalibrate(float(fused.double().sigmoid()))
        return Prediction(
            case.patient_id,
            Probability(probability),
            Probability(self.manifest.threshold),
            used,
            {
                modality: Probability(
                    float(logit.double().sigmoid()) if self._fusion else probability
                )
                for modality, logit in zip(modalities, unimodal, strict=True)
                if modality in used
            },
            (*self._warnings(case, used), *self._unfamiliar(case, used, familiar)),
            {
                modality: tuple(zip(case.images(modality), shares[place], strict=True))
                for place, modality in enumerate(modalities)
                if modality in used and modality != "clinical" and self._learnt(place)
            },
            familiar,
        )

    def _learnt(self, place: int) -> bool:
        return self._parts[place].manifest.pooling != "mean"

    def _recalibrate(self, probability: float) -> float:
        recalibration = self.manifest.recalibration
        return float(recalibration.apply(probability)) if recalibration else probability

    def _warnings(self, case: Patient, used: Sequence[Modality]) -> list[PredictionWarning]:
        said = [
            PredictionWarning(NO_MODALITY, modality=part.manifest.modality)
            for part in self._parts
            if part.manifest.modality not in used
        ]
        unmasked = any(file.mask is None for file in case.ultrasound)
        if self.manifest.masks_in_training and "ultrasound" in used and unmasked:
            said.append(PredictionWarning(NO_MASK))
        if "ultrasound" in used and any(f.mask is None and f.roi is None for f in case.ultrasound):
            said.append(PredictionWarning(NO_ROI))
        return said

    def _unfamiliar(
        self, case: Patient, used: Sequence[Modality], familiar: Mapping[Modality, OodScore]
    ) -> list[PredictionWarning]:
        """Say what of the case is unlike the training patients."""
        said = [unlike_training(m, one) for m, one in familiar.items() if one.unfamiliar]
        if "clinical" in used:
            for part in self._parts:
                said += unseen_values(case.clinical, part.manifest)
        return said
