"""Measure every image of a cohort once, and report all findings."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from axilla.checks.images.image_checks import (
    judge_beside_others,
    judge_picture,
    judge_region,
    judge_repeats,
)
from axilla.checks.images.inspected_image import (
    InspectedImage,
    MaskStats,
    Measures,
    measure,
    measure_mask,
)
from axilla.checks.images.measurement_cache import MeasurementCache
from axilla.cohort.image_columns import Listed, unreadable
from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.raster import decode_mask
from axilla.records.digests import digest_of
from axilla.records.errors import UnreadableImage
from axilla.records.findings import Finding
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Progress
from axilla.records.types import IMAGE_MODALITIES, ImageModality

OpenPicture = Callable[[ImageFile], DecodedImage]
_THREADS = 2
_CHUNK_BYTES = 1 << 20
# Of a larger file (a whole slide) the beginning, the end and the size name its content.
_WHOLE_BYTES = 256 << 20
_Key = tuple[Path, int | None]


def judge(looks: Sequence[InspectedImage]) -> Iterator[Finding]:
    """Yield what there is to say: of each image in the table's order, then of all together."""
    for look in looks:
        yield from judge_picture(look)
        yield from judge_region(look)
    yield from judge_beside_others(looks)
    yield from judge_repeats(looks)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Every image that could be decoded, and what there is to say about all of them."""

    looks: tuple[InspectedImage, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _DecodeJob:
    """One file to decode, for all the patients who list it."""

    listed: Listed
    file: ImageFile
    modality: ImageModality


@dataclass(frozen=True, slots=True)
class _Seen:
    """What became of one job."""

    digest: str = ""
    measures: Measures | None = None
    marked: MaskStats | None = None
    fault: Finding | None = None


def inspect_images(
    patients: Sequence[Patient],
    listed: Sequence[Listed],
    *,
    open_picture: OpenPicture,
    progress: Progress,
    cache: Path | None,
) -> Inspection:
    """Decode each listed file once; return what the patients' images look like, and findings.

    Of a slide that was cut into tiles, the first tile stands for the slide. What was seen is
    kept in `cache`/looks by the bytes of each file, so that the next call decodes only what is
    new; `cache` None keeps nothing. Unreadable files and empty masks are findings, not errors.
    """
    jobs = _jobs(patients, listed)
    kept = MeasurementCache.open(cache)
    seen: dict[_Key, _Seen] = {}
    with (
        ThreadPoolExecutor(_THREADS) as pool,
        progress.task("Decoding images", total=len(jobs)) as advance,
    ):
        sights = pool.map(lambda job: _see(job, open_picture, kept), jobs)
        for job, sight in zip(jobs, sights, strict=True):
            seen[_key(job.file)] = sight
            advance(1)
    kept.write()
    looks = tuple(_looks(patients, listed, seen))
    faults = [sight.fault for sight in seen.values() if sight.fault]
    return Inspection(looks, (*faults, *judge(looks)))


def _key(file: ImageFile) -> _Key:
    return file.path, file.frame


def _jobs(patients: Sequence[Patient], listed: Sequence[Listed]) -> list[_DecodeJob]:
    """Return one job per listed file and frame; the first tile of a slide stands for it."""
    files: dict[Path, dict[_Key, ImageFile]] = defaultdict(dict)
    for patient in patients:
        for modality in IMAGE_MODALITIES:
            for file in patient.images(modality):
                files[file.path].setdefault(_key(file), file)
    first: dict[Path, Listed] = {}
    for entry in listed:
        first.setdefault(entry.path, entry)
    return [
        _DecodeJob(entry, file, _modality(entry))
        for path, entry in first.items()
        for file in (files[path].values() if path in files else (ImageFile(path),))
    ]


def _modality(entry: Listed) -> ImageModality:
    return "pathology" if entry.cell.column == "pathology" else "ultrasound"


def _see(job: _DecodeJob, open_picture: OpenPicture, kept: MeasurementCache) -> _Seen:
    try:
        digest = _digest(job.file.path)
        if job.listed.kind == "mask":
            return _see_mask(job, digest, kept)
        key = digest_of("look", digest, job.modality, job.file.frame, str(job.file.tile))
        measures = kept.measures(key)
        if measures is None:
            measures = measure(open_picture(job.file), job.modality)
            kept.keep(key, measures)
        return _Seen(digest, measures)
    except UnreadableImage as fault:
        return _Seen(fault=unreadable(job.listed.cell, fault))


def _see_mask(job: _DecodeJob, digest: str, kept: MeasurementCache) -> _Seen:
    # A JPEG mask is read by another level than one without loss.
    key = digest_of("mask", digest, job.file.path.suffix.lower())
    marked = kept.get_mask_stats(key)
    if marked is None:
        marked = measure_mask(decode_mask(job.file.path))
    if marked is None:
        cell = job.listed.cell
        fault = cell.refuse(
            "mask_empty",
            "a mask that marks the lesion",
            found=f"{cell.text!r}, no marked pixel",
            remedy="Draw the lesion again, or clear the cell.",
        )
        return _Seen(digest, fault=fault)
    kept.keep(key, marked)
    return _Seen(digest, marked=marked)


def _digest(path: Path) -> str:
    """Return a digest of the file's bytes; '' if it cannot be read, as the decoder then tells."""
    try:
        size = path.stat().st_size
        state = hashlib.blake2b(str(size).encode(), digest_size=16)
        with path.open("rb") as stream:
            if size > _WHOLE_BYTES:
                state.update(stream.read(_CHUNK_BYTES))
                stream.seek(size - _CHUNK_BYTES)
            while chunk := stream.read(_CHUNK_BYTES):
                state.update(chunk)
    except OSError:
        return ""
    return state.hexdigest()


def _looks(
    patients: Sequence[Patient], listed: Sequence[Listed], seen: Mapping[_Key, _Seen]
) -> Iterator[InspectedImage]:
    cells = {(entry.cell.patient_id, entry.path): entry.cell for entry in reversed(listed)}
    for patient in patients:
        for modality in IMAGE_MODALITIES:
            for file in _without_further_tiles(patient.images(modality)):
                sight = seen.get(_key(file), _Seen())
                if sight.measures is None:
                    continue
                mask = seen.get((file.mask, None)) if file.mask else None
                about = file.path.stat()
                yield InspectedImage(
                    patient_id=patient.patient_id,
                    group=patient.group,
                    label=patient.label,
                    split=patient.split,
                    modality=modality,
                    file=file,
                    cell=cells[patient.patient_id, file.path],
                    digest=sight.digest,
                    file_bytes=about.st_size,
                    modified=datetime.fromtimestamp(about.st_mtime, UTC).date(),
                    measures=sight.measures,
                    marked=mask.marked if mask else None,
                )


def _without_further_tiles(files: Sequence[ImageFile]) -> Iterator[ImageFile]:
    slides = set()
    for file in files:
        if file.tile is None or file.path not in slides:
            yield file
        if file.tile is not None:
            slides.add(file.path)
