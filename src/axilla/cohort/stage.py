"""The check stage: read everything, report every problem at once, before any training."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from axilla.cohort.findings import Finding, error, errors_in
from axilla.cohort.flow import inclusion_flow
from axilla.cohort.image_cells import Listed, unreadable
from axilla.cohort.images import decode, decode_mask
from axilla.cohort.reading import Reading, cohort_of, read_table
from axilla.cohort.remarks import remarks_on
from axilla.cohort.splits import plan_folds
from axilla.cohort.wanted import Wanted, wanted_by
from axilla.records.errors import CohortError, UnreadableImage
from axilla.records.folder import RunFolder
from axilla.records.patients import Cohort, Patient
from axilla.records.progress import Progress
from axilla.records.study import StudyConfig

_THREADS = 2


def check(config: StudyConfig, folder: RunFolder, progress: Progress) -> Cohort:
    """Read the table, decode every image, plan every split; return the cohort if all is well.

    Writes results/check.json and results/flow.json in either case. Raises `CohortError` with
    every problem of table, images and splits.
    """
    wanted = wanted_by(config)
    table = folder.root / config.cohort.table
    try:
        reading = read_table(table, wanted, progress=progress)
    except CohortError as fault:
        nothing = Reading((), tuple(error("table", p) for p in fault.problems), ())
        _write(folder, nothing, wanted=wanted)
        raise
    findings = [*reading.findings, *_check_pixels(reading.listed, progress)]
    if not errors_in(findings):
        findings += _check_splits(reading.patients, config)
    findings += remarks_on(reading.patients, wanted, table=table.name)
    checked = Reading(reading.patients, tuple(findings), reading.listed)
    _write(folder, checked, wanted=wanted)
    return cohort_of(checked, table)


def _check_pixels(listed: Sequence[Listed], progress: Progress) -> list[Finding]:
    """Decode each file once; return what cannot be decoded, and masks that mark nothing."""
    once = {file.path: file for file in listed}.values()
    findings = []
    with (
        ThreadPoolExecutor(_THREADS) as pool,
        progress.task("Decoding images", total=len(once)) as advance,
    ):
        for finding in pool.map(_decoding_fault, once):
            findings += [finding] if finding else []
            advance(1)
    return findings


def _decoding_fault(file: Listed) -> Finding | None:
    try:
        if file.kind == "image":
            decode(file.path)
        elif not decode_mask(file.path).any():
            return file.cell.refuse(
                "mask_empty",
                "a mask that marks the lesion",
                found=f"{file.cell.text!r}, no marked pixel",
                remedy="Draw the lesion again, or clear the cell.",
            )
    except UnreadableImage as fault:
        return unreadable(file.cell, fault)
    return None


def _check_splits(patients: Sequence[Patient], config: StudyConfig) -> Iterator[Finding]:
    members = [p for p in patients if p.label is not None and p.split == "development"]
    try:
        plan_folds(
            labels=[p.label for p in members if p.label is not None],
            groups=[p.group for p in members],
            sites=[p.site for p in members],
            validation=config.validation,
            seed=config.study.seed,
        )
    except CohortError as fault:
        yield from (error("splits", problem) for problem in fault.problems)


def _write(folder: RunFolder, reading: Reading, *, wanted: Wanted) -> None:
    flow = inclusion_flow(reading.patients, wanted.modalities)
    folder.write_json("flow.json", flow)
    folder.write_json("check.json", _report(reading, flow))


def _report(reading: Reading, flow: dict[str, Any]) -> dict[str, Any]:
    errors = [f.as_json() for f in reading.findings if f.severity == "error"]
    warnings = [f.as_json() for f in reading.findings if f.severity == "warning"]
    counts = ("in_table", "without_outcome", "labelled", "positive", "negative", "groups")
    return {
        "errors": errors,
        "warnings": warnings,
        "summary": {
            **{name: flow[name] for name in counts},
            "sites": len(flow["sites"]),
            "images": sum(file.kind == "image" for file in reading.listed),
            "masks": sum(file.kind == "mask" for file in reading.listed),
            "errors": len(errors),
            "warnings": len(warnings),
        },
    }
