"""`axilla review`: packets for blinded readers of heatmaps, and what their answers come to."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out, progress, reporting, show, study_folder
from axilla.config.load import read_study
from axilla.explanation.reader_study.blinding_key import KEY, PACKETS, WARNING
from axilla.explanation.reader_study.stage import PacketExport, export_review
from axilla.records.errors import StudyError
from axilla.report.number_format import pluralise
from axilla.report.reader_study_scores import (
    ScoredReading,
    agreement_rows,
    as_record,
    comparison_rows,
    score_review,
    write_scores,
)

_app = typer.Typer(
    help="Have heatmaps read blindly: write packets for readers, and score their answers.",
    no_args_is_help=True,
)


def summarise(scored: ScoredReading) -> None:
    """Print agreement and comparisons; summary.md has the shares by reader, too."""
    table = Table(box=None, pad_edge=False)
    table.add_column("agreement", overflow="fold")
    for title in ("n", "same", "kappa", "AC1"):
        table.add_column(title, justify="right", no_wrap=True)
    for modality, criterion, question, n, _, same, *coefficients in agreement_rows(
        scored.agreement, decimals=2
    ):
        table.add_row(f"{modality}: {criterion}, {question}", n, same.split(" ")[0], *coefficients)
    out.print(table)
    compared = Table(box=None, pad_edge=False)
    compared.add_column("attention matches", overflow="fold")
    for title in ("estimate", "p", "cases"):
        compared.add_column(title, justify="right", no_wrap=True)
    for modality, name, *cells in comparison_rows(scored.comparison):
        compared.add_row(f"{modality}: {name}", *cells)
    out.print(compared)
    err.print(RESEARCH_USE_ONLY)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(_app, name="review")


@_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    cases: Annotated[int, typer.Option(min=1, max=9999, help="Cases, drawn at random.")] = 50,
    readers: Annotated[int, typer.Option(min=1, max=99, help="Readers.")] = 2,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the draw; default: the study's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Folder of the packets; default: DIR/review.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Give up an earlier export whose packets hold no answers here."
        ),
    ] = False,
) -> None:
    """Write one packet per reader: images and maps without names, outcome or prediction.

    Example: `axilla review export my-study --cases 50 --readers 2`
    """
    with reporting():
        place = study_folder(folder)
        exported = export_review(
            read_study(place.root / "study.toml"),
            place,
            cases=cases,
            readers=readers,
            seed=seed,
            out=(output or place.root / PACKETS).resolve(),
            replace=replace,
            progress=progress,
        )
        _tell(exported)


@_app.command("score")
def score(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    answers: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[ANSWERS...]",
            help="CSV, Excel or JSON files of all readers; default: those in DIR/review.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Score nothing unless every answer is there and valid.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Score readers' answers: agreement, real against decoy maps, and readers against the model.

    Example: `axilla review score my-study answers-R1.json answers-R2.csv`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        scored = score_review(config, place, answers, strict=strict)
        write_scores(place, scored)
        for note in (*scored.answers.missing, *scored.notes):
            err.print(f"[yellow]note[/] {escape(str(note))}")
        if as_json:
            out.print_json(data=as_record(scored))
        else:
            summarise(scored)
            out.print("Written: results/review/ agreement.csv, comparison.csv, summary.md")
        if scored.answers.faults:
            show(StudyError(scored.answers.faults))
            err.print("The valid answers are scored.")
            raise typer.Exit(1)


def _tell(exported: PacketExport) -> None:
    key = exported.key
    patients = len({item.patient_id for item in key.items})
    decoys = len(key.items) - patients
    if patients < exported.asked:
        err.print(
            f"[yellow]note[/] {pluralise(patients, 'patient')} with heatmaps; "
            f"{exported.asked} were asked for."
        )
    if not decoys:
        err.print(
            "[yellow]note[/] no decoys: the heatmaps hold no maps of a shuffled model, or "
            "review.decoy_share is too small for this many cases."
        )
    for reader in key.orders:
        state = " (kept: it holds answers)" if reader in exported.kept else ""
        out.print(f"{reader}: {escape(str(exported.packets / reader / 'index.html'))}{state}")
    out.print(
        f"{pluralise(patients, 'case')}, {decoys} of them shown once more with a decoy map. "
        f"Packet {key.packet}, seed {key.seed}."
    )
    err.print(f"[bold yellow]results/{KEY}[/] {WARNING}")
    err.print("Look through the packets before you send them: names may be burned into pixels.")
