"""What a bundle says of itself: everything but its tensors, readable without torch."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from axilla import RESEARCH_USE_ONLY
from axilla.config.sections import TilesSection
from axilla.inference.recalibration import Recalibration
from axilla.records.errors import BundleError, Problem
from axilla.records.types import Modality

FORMAT: Final = 1
MANIFEST_MEMBER: Final = "manifest.json"
_LARGEST_BYTES = 16 << 20
_LARGEST_SIDE_PX = 4096


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModalityManifest(_Record):
    """One modality's way from file to embedding and unimodal logit.

    `reference_patients` are those among whom a case is ranked by its distance; `ranges` are the
    lowest and highest values of clinical numbers in training. None: the bundle does not say.
    """

    modality: Modality
    model: str
    backbone: str | None = None
    side_px: int | None = Field(None, ge=1, le=_LARGEST_SIDE_PX)
    encoder: list[dict[str, Any]] | None = None
    pooling: str = "mean"
    reference_patients: int | None = Field(None, ge=1)
    ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] | None = None


class PreprocessingManifest(_Record):
    """How images were prepared in training, and therefore are in serving."""

    image_size_px: int = Field(ge=1, le=_LARGEST_SIDE_PX)
    roi_margin: float = Field(ge=0, le=2)
    harmonise: bool
    outside_mask: float = Field(ge=0, le=1)
    stain: Literal["none", "macenko", "reinhard"] = "none"
    mirror: bool = True
    tiles: TilesSection = TilesSection()


class Performance(_Record):
    """One measured number with its interval, from patients the models had not seen."""

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    n_positive: int
    method: str


class Manifest(_Record):
    """Everything of a bundle but its tensors."""

    format: Literal[1] = 1
    notice: str = RESEARCH_USE_ONLY
    axilla_version: str
    study: str
    outcome: str
    positive: str
    model: str
    strategy: str | None
    modalities: tuple[ModalityManifest, ...]
    preprocessing: PreprocessingManifest
    recalibration: Recalibration | None = None
    threshold: FiniteFloat
    threshold_rule: str
    cohort_digest: str
    patients: int
    positives: int
    masks_in_training: bool
    performance: tuple[Performance, ...] = ()
    performance_note: str = ""

    @property
    def recalibrated_by(self) -> str:
        """Return how probabilities are recalibrated: none, platt or isotonic."""
        return self.recalibration.kind if self.recalibration else "none"


def read_manifest(path: Path) -> Manifest:
    """Read a bundle's manifest, leaving its tensors; raise `BundleError` as `read_bundle` does."""
    with opened_bundle(path) as archive:
        return manifest_in(archive, path)


@contextmanager
def opened_bundle(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a bundle; damage that is met while it is open becomes `BundleError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise unreadable(path, "no such file", "Give the path of a bundle.axilla.") from error
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        # RuntimeError: flags of encryption or of a newer zip, which damage can set.
        raise unreadable(path, "a damaged file or no bundle at all") from error
    except KeyError as error:  # of a zip archive
        raise unreadable(path, "an archive without a part of a bundle") from error
    except ValueError as error:  # not UTF-8, not JSON, not a manifest
        raise unreadable(path, "contents that do not belong together") from error


def manifest_in(archive: zipfile.ZipFile, path: Path) -> Manifest:
    """Return the manifest of an opened bundle; `path` is for messages."""
    manifest = json.loads(member(archive, MANIFEST_MEMBER, limit=_LARGEST_BYTES))
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise unreadable(
            path, f"bundle format {found!r}", "Predict with the version that wrote it."
        )
    return Manifest.model_validate(manifest)


def member(archive: zipfile.ZipFile, name: str, *, limit: int) -> bytes:
    """Read one member, refusing one that is compressed or larger than `limit` bytes."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > limit:
        raise zipfile.BadZipFile(name)
    return archive.read(entry)


def unreadable(path: Path, found: str, remedy: str = "Copy the bundle again.") -> BundleError:
    """Return the error that this file is no bundle that can be read."""
    return BundleError(Problem(path.name, found, f"a bundle of format {FORMAT}", remedy))
