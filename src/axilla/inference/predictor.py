"""Predict cases with a bundle: the same preparation, networks and arithmetic as in training."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from axilla.inference.bundle import Bundle
from axilla.inference.manifest import ModalityManifest
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.models.fusion import Fusion, fusions
from axilla.models.projection import Projection
from axilla.preprocessing.augment import served_views
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import PixelSettings, prepare, resized
from axilla.records.errors import BundleError, ConfigError, Problem
from axilla.records.patients import Patient
from axilla.records.progress import Progress, Silent
from axilla.records.units import ImageModality, Modality, Probability

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the bundle says of one patient, and from which modalities.

    The bundle's recalibration, if any, is in `probability`; below a fusion, `by_modality` is not
    recalibrated.
    """

    patient_id: str
    probability: Probability
    threshold: Probability
    used: tuple[Modality, ...]
    by_modality: dict[Modality, Probability]
    warnings: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Tell whether the probability reaches the operating threshold."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class _Part:
    """One modality's networks, ready to run."""

    manifest: ModalityManifest
    backbone: nn.Module | None
    encoder: ClinicalEncoder | None
    projection: Projection | None
    weight: torch.Tensor
    bias: torch.Tensor


class Predictor:
    """Runs a bundle on cases, on CPU or GPU; made once, used for many cases."""

    def __init__(self, bundle: Bundle, *, device: torch.device | None = None) -> None:
        """Build the bundle's networks; raise `BundleError` if its tensors do not fit them."""
        self.manifest = bundle.manifest
        self._device = device or torch.device("cpu")
        keep_freed_memory()
        settings = bundle.manifest.preprocessing
        self._pixels = PixelSettings(
            image_size_px=settings.image_size_px,
            roi_margin=settings.roi_margin,
            harmonise=settings.harmonise,
            stain=settings.stain,
        )
        try:
            self._parts = [_part(bundle, m, self._device) for m in bundle.manifest.modalities]
            self._fusion = _fusion(bundle)
        except (RuntimeError, LookupError, TypeError, ConfigError) as error:
            raise _misfit() from error

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
        embeddings, logits = [], []
        with steps as advance, torch.inference_mode():
            for part in self._parts:
                embedding, logit = self._describe(part, cases)
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
        return [
            self._prediction(case, fused[row], unimodal[row], present[row])
            for row, case in enumerate(cases)
        ]

    def _describe(self, part: _Part, cases: Sequence[Patient]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return components (N, K) and unimodal logits (N,), NaN where the modality is absent."""
        raw = self._clinical(part, cases) if part.encoder else self._images(part, cases)
        components = part.projection(raw) if part.projection else raw
        return components, (raw @ part.weight.T + part.bias).squeeze(1)

    def _clinical(self, part: _Part, cases: Sequence[Patient]) -> torch.Tensor:
        encoder = part.encoder
        if encoder is None:
            raise BundleError("a clinical part without its encoder; copy the bundle again.")
        features = torch.from_numpy(encoder([case.clinical for case in cases]))
        absent = torch.tensor([not case.has("clinical") for case in cases], dtype=torch.bool)
        return features.masked_fill(absent.unsqueeze(1), torch.nan)

    def _images(self, part: _Part, cases: Sequence[Patient]) -> torch.Tensor:
        """Return each case's embedding (N, D), averaged over its images, original and flip."""
        modality: ImageModality = (
            "ultrasound" if part.manifest.modality == "ultrasound" else "pathology"
        )
        files = [(row, file) for row, case in enumerate(cases) for file in case.images(modality)]
        total = torch.zeros(len(cases), part.weight.shape[1])
        count = torch.zeros(len(cases))
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            planes = torch.stack([prepare(f, modality, settings=self._pixels) for _, f in batch])
            rows = torch.tensor([row for row, _ in batch])
            total.index_add_(0, rows, self._embed(part, planes, modality))
            count.index_add_(0, rows, torch.ones(len(rows)))
        return (total / count.unsqueeze(1)).masked_fill((count == 0).unsqueeze(1), torch.nan)

    def _embed(self, part: _Part, planes: torch.Tensor, modality: ImageModality) -> torch.Tensor:
        name, network = part.manifest.backbone, part.backbone
        if name is None or network is None:
            raise BundleError("an image part without its backbone; copy the bundle again.")
        planes = resized(planes, part.manifest.side_px or planes.shape[-1])
        views = [
            network(
                network_input(
                    view.to(self._device),
                    modality,
                    expects=find_backbone(name).expects,
                    outside_mask=self.manifest.preprocessing.outside_mask,
                )
            )
            for view in served_views(planes)
        ]
        return torch.stack(views).mean(0).float().cpu()

    def _prediction(
        self, case: Patient, fused: torch.Tensor, unimodal: torch.Tensor, present: torch.Tensor
    ) -> Prediction:
        modalities = [part.manifest.modality for part in self._parts]
        used = tuple(m for m, has in zip(modalities, present.tolist(), strict=True) if has)
        probability = self._recalibrated(float(fused.double().sigmoid()))
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
            tuple(self._warnings(case, used)),
        )

    def _recalibrated(self, probability: float) -> float:
        recalibration = self.manifest.recalibration
        return float(recalibration.apply(probability)) if recalibration else probability

    def _warnings(self, case: Patient, used: Sequence[Modality]) -> list[str]:
        said = [
            f"no {part.manifest.modality}: predicted from the rest, which was not validated"
            for part in self._parts
            if part.manifest.modality not in used
        ]
        unmasked = any(file.mask is None for file in case.ultrasound)
        if self.manifest.masks_in_training and "ultrasound" in used and unmasked:
            said.append("no lesion mask: the ROI rectangle stands in, unlike in training")
        if "ultrasound" in used and any(f.mask is None and f.roi is None for f in case.ultrasound):
            said.append("no ROI and no mask: the whole ultrasound image stands in for the lesion")
        return said


def _part(bundle: Bundle, manifest: ModalityManifest, device: torch.device) -> _Part:
    prefix = manifest.modality
    backbone = None
    if manifest.backbone is not None:
        backbone = find_backbone(manifest.backbone).build()
        backbone.load_state_dict(bundle.part(f"{prefix}.backbone"))
        backbone = backbone.eval().to(memory_format=torch.channels_last).to(device)
    projection = bundle.part(f"{prefix}.projection")
    classifier = bundle.part(f"{prefix}.classifier")
    encoder = ClinicalEncoder.from_json(manifest.encoder) if manifest.encoder is not None else None
    width = encoder.width if encoder else find_backbone(manifest.backbone or "").embedding_dim
    inputs = [classifier["weight"].shape[1], *(projection[k].shape[0] for k in projection)]
    if any(size != width for size in inputs):
        raise _misfit()
    return _Part(
        manifest,
        backbone,
        encoder,
        Projection(mean=projection["mean"], axes=projection["axes"]) if projection else None,
        classifier["weight"],
        classifier["bias"],
    )


def _misfit() -> BundleError:
    return BundleError(
        Problem(
            "bundle",
            "tensors that do not fit its networks",
            "those it was written with",
            "Copy the bundle again.",
        )
    )


def _fusion(bundle: Bundle) -> Fusion | None:
    if bundle.manifest.strategy is None:
        return None
    fusion = fusions[bundle.manifest.strategy](
        [_width(bundle, part.modality) for part in bundle.manifest.modalities]
    )
    fusion.load_state_dict(bundle.part("fusion"))
    return fusion.eval()


def _width(bundle: Bundle, modality: Modality) -> int:
    """Return the number of components a modality brings into fusion."""
    projection = bundle.part(f"{modality}.projection")
    shape = (
        projection["axes"].shape
        if projection
        else bundle.part(f"{modality}.classifier")["weight"].shape
    )
    return int(shape[1])
