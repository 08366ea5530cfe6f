"""`axilla review export`: heatmaps and images in, one packet per reader and the key out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from axilla.cohort.cohort_reader import ImagesOf, look_up_images, study_wanted
from axilla.config.study import StudyConfig
from axilla.explanation.heatmap_file import (
    FOLDER,
    Heatmap,
    HeatmapFile,
    Legend,
    patients_in,
    read_heatmaps,
    read_legend,
)
from axilla.explanation.reader_study.blinding_key import KEY, Key, as_json, packet_name, read_key
from axilla.explanation.reader_study.case_sampling import (
    CaseShowing,
    EligiblePatient,
    SampledCases,
    draw_cases,
)
from axilla.explanation.reader_study.packets import (
    PAGE,
    Packet,
    PacketPicture,
    disguise_decoy,
    has_answers,
    render_picture,
    template,
    usable_decoy,
    write_packet,
)
from axilla.explanation.reader_study.reading_questions import Criteria, criteria_of
from axilla.imaging.open_image import open_picture
from axilla.records.errors import Problem, StudyError
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.records.types import ImageModality

_SEED_OF_REVIEW: Final = 6
Pictures = dict[tuple[str, ImageModality], PacketPicture]


@dataclass(frozen=True, slots=True)
class PacketExport:
    """What an export came to; packets of `kept` readers hold answers and stay as they are."""

    key: Key
    packets: Path
    kept: tuple[str, ...]
    asked: int


def export_review(
    config: StudyConfig,
    folder: RunFolder,
    *,
    cases: int,
    readers: int,
    seed: int | None,
    out: Path,
    replace: bool,
    progress: Progress,
    held: Collection[str] = (),
) -> PacketExport:
    """Draw cases, write one packet per reader into `out`, and the key into results/review.

    The same study and seed give the same packets. `held` are readers whose answers to the present
    export are kept elsewhere than in their packets: they are protected like the others. Raises
    `StudyError` without heatmaps or images, if a rule chose who was mapped, if packets of another
    export hold answers, or if there is another key and not `replace`.
    """
    criteria = criteria_of(config.review)
    legend = read_legend(folder.results / FOLDER)
    if legend.chosen == "report":
        raise _chosen_by_a_rule()
    files = {
        patient: read_heatmaps(path)
        for patient, path in patients_in(folder.results / FOLDER).items()
    }
    candidates = {
        patient: found for patient, file in files.items() if (found := _candidate(file, criteria))
    }
    if not candidates:
        expected = f"maps of {' or '.join(criteria)}, which study.toml has criteria for"
        problem = Problem(
            f"results/{FOLDER}", "no such heatmaps", expected, "Run `axilla explain`."
        )
        raise StudyError(problem)
    seed = config.study.seed if seed is None else seed
    drawn = draw_cases(
        candidates,
        cases=cases,
        readers=readers,
        decoy_share=config.review.decoy_share,
        rng=np.random.default_rng([seed, _SEED_OF_REVIEW]),
    )
    key = _key(drawn, criteria, legend, seed=seed)
    packets = {reader: _packet(key, reader) for reader in key.orders}
    kept = _protect(folder, out, packets, replace=replace, held=held)
    new = {reader: packet for reader, packet in packets.items() if reader not in kept}
    shown_items = drawn.items if new else ()
    pictures = _pictures(config, folder, shown_items, files, scale=legend.scale, progress=progress)
    folder.write_json(KEY, as_json(key))
    for reader, packet in new.items():
        write_packet(out / reader, packet, pictures)
    return PacketExport(key, out, kept, asked=cases)


def _chosen_by_a_rule() -> StudyError:
    """Return the error that readers would be shown the report's cases, which no chance drew."""
    return StudyError(
        Problem(
            f"results/{FOLDER}",
            "maps of the patients whom the report shows, whom a rule chose",
            "maps of everybody, or of patients drawn at random",
            "Run `axilla explain` on the study first: it maps everybody, and makes decoys.",
        )
    )


def _candidate(file: HeatmapFile, criteria: Criteria) -> EligiblePatient | None:
    maps = {modality: file.maps[modality] for modality in criteria if modality in file.maps}
    decoys = tuple(modality for modality, one in maps.items() if usable_decoy(one.decoy))
    return EligiblePatient(tuple(maps), decoys) if maps else None


def _key(drawn: SampledCases, criteria: Criteria, legend: Legend, *, seed: int) -> Key:
    unnamed = Key("", seed, legend.model, criteria, drawn.items, drawn.orders)
    content = as_json(unnamed)
    # A reader more does not change what the others were shown.
    content.pop("orders")
    name = packet_name(content | {"scale": dict(legend.scale), "method": dict(legend.method)})
    return Key(name, seed, legend.model, criteria, drawn.items, drawn.orders)


def _packet(key: Key, reader: str) -> Packet:
    return Packet(
        key.packet, reader, key.criteria, tuple(key.item(case) for case in key.orders[reader])
    )


def _protect(
    folder: RunFolder,
    out: Path,
    packets: Mapping[str, Packet],
    *,
    replace: bool,
    held: Collection[str],
) -> tuple[str, ...]:
    """Return the readers whose packets hold answers; refuse to part answers from their key."""
    templates = [template(packet) for packet in packets.values()]
    there = [path for path in (out.iterdir() if out.is_dir() else ()) if path.is_dir()]
    kept = tuple(sorted(path.name for path in there if has_answers(path, templates)))
    before = read_key(folder.table(KEY)) if folder.table(KEY).is_file() else None
    new = next(iter(packets.values())).name
    if before and before.packet == new and set(before.orders) <= set(packets):
        whole = [reader for reader in held if (out / reader / PAGE).is_file()]
        return tuple(sorted({*kept, *whole} & set(packets)))
    if kept := tuple(sorted({*kept, *held})):
        found = f"answers of another export in {', '.join(kept)}"
        remedy = "Export with the same settings; or score these answers and move them away first."
        raise StudyError(Problem(out.name, found, "no answers that would lose their key", remedy))
    if before and not replace:
        remedy = (
            "Its packets may be with readers, whose answers could then not be scored. Export with "
            "the same settings, or add --replace."
        )
        raise StudyError(Problem(f"results/{KEY}", "the key of another export", "none", remedy))
    return ()


def _pictures(
    config: StudyConfig,
    folder: RunFolder,
    items: tuple[CaseShowing, ...],
    files: Mapping[str, HeatmapFile],
    *,
    scale: Mapping[ImageModality, float],
    progress: Progress,
) -> Pictures:
    """Draw every showing; raise `StudyError` naming each image that is gone."""
    table = folder.root / config.cohort.table
    patients = {item.patient_id for item in items}
    listed = look_up_images(table, study_wanted(config, folder.root), patients=patients)
    problems: list[Problem] = []
    pictures: Pictures = {}
    with progress.task("Drawing packets", total=len(items)) as advance:
        for item in items:
            for modality in item.modalities:
                heatmap = files[item.patient_id].maps[modality]
                one = _render_item(item, modality, heatmap, listed, scale=scale.get(modality, 0.0))
                if isinstance(one, Problem):
                    problems.append(one)
                else:
                    pictures[item.case, modality] = one
            advance(1)
    if problems:
        raise StudyError(problems)
    return pictures


def _render_item(
    item: CaseShowing,
    modality: ImageModality,
    heatmap: Heatmap,
    listed: Mapping[str, ImagesOf],
    *,
    scale: float,
) -> PacketPicture | Problem:
    found = listed.get(item.patient_id)
    images = found.files.get(modality, ()) if found else ()
    if heatmap.image >= len(images):
        place = f"patient {item.patient_id}, {modality}"
        remedy = "Restore the file, or run the study and `axilla explain` again."
        return Problem(place, "no image", f"image {heatmap.image + 1}, which was mapped", remedy)
    pixels = open_picture(images[heatmap.image]).pixels
    values = heatmap.values
    if item.map == "decoy" and heatmap.decoy is not None:
        values = disguise_decoy(heatmap.decoy, heatmap.values)
    return render_picture(pixels, values, window=heatmap.window, scale=scale)
