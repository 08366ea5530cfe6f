"""The check stage: read everything, report every problem at once, before any training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from axilla.checks.cohort_warnings import remarks_on
from axilla.checks.images.inspected_image import InspectedImage
from axilla.checks.images.inspection import inspect_images
from axilla.checks.leakage.metadata_leakage import metadata_findings, metadata_of
from axilla.checks.leakage.missingness_leakage import missingness_findings
from axilla.checks.waivers import accept, refuse_unacceptable
from axilla.cohort.cohort_reader import TableReading, cohort_of, read_table, study_wanted
from axilla.cohort.cohort_schema import CohortSchema, wanted_by
from axilla.cohort.eligibility.criteria import inclusion_flow
from axilla.cohort.roi_table import unmatched_rois
from axilla.cohort.splits.folds import plan_folds
from axilla.config.study import StudyConfig
from axilla.imaging.open_image import open_picture
from axilla.records.errors import CohortError
from axilla.records.findings import Finding, by_severity, error, errors_in
from axilla.records.patients import Cohort, ImageFile, Patient
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder


def check(
    config: StudyConfig,
    folder: RunFolder,
    progress: Progress,
    *,
    on_read: Callable[[Sequence[Patient]], None] | None = None,
) -> Cohort:
    """Read the table, look at every image, plan every split; return the cohort if all is well.

    `on_read` is called with the patients once the table is read, before any image is opened.
    Writes results/check.json and results/flow.json in either case. Raises `CohortError` with
    every problem of table, images and splits that nobody has accepted.
    """
    refuse_unacceptable(config.accept)
    table = folder.root / config.cohort.table
    try:
        wanted = study_wanted(config, folder.root)
        reading = read_table(table, wanted, progress=progress)
    except CohortError as fault:
        nothing = TableReading((), tuple(error("table", p) for p in fault.problems), ())
        _write(folder, nothing, wanted=wanted_by(config))
        raise
    if on_read is not None:
        on_read(reading.patients)
    checked = _check_images(reading, wanted, config=config, folder=folder, progress=progress)
    _write(folder, checked, wanted=wanted)
    return cohort_of(checked, table)


def _check_images(
    reading: TableReading,
    wanted: CohortSchema,
    *,
    config: StudyConfig,
    folder: RunFolder,
    progress: Progress,
) -> TableReading:
    """Return the reading with every finding, and with what the images say of themselves."""
    inspected = inspect_images(
        reading.patients,
        reading.listed,
        open_picture=open_picture,
        progress=progress,
        cache=folder.cache,
    )
    table = config.cohort.table
    seed = config.study.seed
    images = (file.cell.text for file in reading.listed if file.kind == "image")
    metadata = metadata_of(reading.patients, inspected.looks)
    findings = accept(
        [
            *reading.findings,
            *inspected.findings,
            *unmatched_rois(wanted.drawn, [*images, *reading.passed_over]),
            *remarks_on(reading.patients, wanted, table=table),
            *metadata_findings(metadata, table=table, seed=seed),
            *missingness_findings(reading.patients, wanted, table=table, seed=seed),
        ],
        config.accept,
    )
    if not errors_in(findings):
        findings += tuple(_check_splits(reading.patients, config))
    patients = _apply_pixel_spacing(reading.patients, inspected.looks)
    return replace(reading, patients=patients, findings=findings)


def _apply_pixel_spacing(
    patients: Sequence[Patient], looks: Sequence[InspectedImage]
) -> tuple[Patient, ...]:
    """Give ultrasound images the pixel size that their files declare, where the table has none."""
    declared = {look.file: look.measures.pixel_mm for look in looks}

    def with_spacing(file: ImageFile) -> ImageFile:
        return file if file.pixel_mm else replace(file, pixel_mm=declared.get(file))

    return tuple(
        replace(patient, ultrasound=tuple(map(with_spacing, patient.ultrasound)))
        for patient in patients
    )


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


def _write(folder: RunFolder, reading: TableReading, *, wanted: CohortSchema) -> None:
    flow = inclusion_flow(reading.patients, wanted.modalities, screening=reading.screening)
    folder.write_json("flow.json", flow)
    folder.write_json("check.json", _report(reading, flow))


def _report(reading: TableReading, flow: dict[str, Any]) -> dict[str, Any]:
    findings = by_severity(reading.findings)
    counts = ("in_table", "without_outcome", "labelled", "positive", "negative", "groups")
    return {
        **findings,
        "summary": {
            **{name: flow[name] for name in counts},
            "excluded": sum(one["count"] for one in flow["excluded"]),
            "sites": len(flow["sites"]),
            "images": sum(file.kind == "image" for file in reading.listed),
            "masks": sum(file.kind == "mask" for file in reading.listed),
            **{severity: len(found) for severity, found in findings.items()},
        },
    }
