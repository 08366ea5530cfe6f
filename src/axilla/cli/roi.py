"""`axilla roi`: rectangles and outlines drawn in other tools, in and out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from axilla.annotation.annotation_import import ShapeChoice
from axilla.annotation.stage import Imported, export_rois, import_rois
from axilla.cli.console import err, out, reporting, study_folder
from axilla.config.load import read_study
from axilla.report.number_format import pluralise

_SHOWN = 5

_app = typer.Typer(
    help="Import lesions drawn in COCO, LabelMe, Label Studio, CVAT or QuPath; export them.",
    no_args_is_help=True,
)


class Several(StrEnum):
    """What several shapes on one image become."""

    REFUSE = "refuse"
    UNION = "union"
    LARGEST = "largest"


class Format(StrEnum):
    """What an export is written as."""

    COCO = "coco"
    CSV = "csv"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(_app, name="roi")


@_app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="COCO, LabelMe or Label Studio JSON, CVAT for images XML, QuPath GeoJSON; told "
            "apart by content.",
        ),
    ],
    label: Annotated[
        list[str] | None, typer.Option(help="Class that counts as lesion; may be repeated.")
    ] = None,
    several: Annotated[
        Several, typer.Option(help="Several shapes on one image: refuse them, their union, or one.")
    ] = Several.REFUSE,
    image: Annotated[
        str | None, typer.Option(help="Image of a file that names none, as QuPath's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was taken as JSON.")] = False,
) -> None:
    """Write lesions drawn in another tool into rois.csv, which goes before the table's own ROIs.

    Example: `axilla roi import my-study cvat/annotations.xml --label lesion`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        imported = import_rois(
            config,
            place.root,
            files,
            choice=ShapeChoice(tuple(label or ()), several.value),
            image=image,
            dry_run=dry_run,
        )
        for note in imported.notes:
            err.print(f"[yellow]note[/] {escape(note)}")
        if as_json:
            out.print_json(data=_record(imported))
        else:
            _summarise(imported, config.cohort.rois, dry_run=dry_run)


@_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    out_file: Annotated[Path, typer.Option("--out", help="File to write.")],
    kind: Annotated[
        Format, typer.Option("--format", help="coco: with outlines, for other tools.")
    ] = Format.COCO,
) -> None:
    """Write every ROI of a study, of rois.csv or else of the table, for another tool.

    Example: `axilla roi export my-study --format coco --out lesions.json`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        count = export_rois(config, place.root, kind.value, out_file)
        out.print(f"{pluralise(count, 'ROI')}: {escape(str(out_file))}")


def _summarise(imported: Imported, table: str, *, dry_run: bool) -> None:
    outlined = sum(roi.outline is not None for roi in imported.rois)
    count = pluralise(len(imported.rois), "rectangle")
    if replaced := imported.replaced:
        more = ", ..." if len(replaced) > _SHOWN else ""
        names = f"{', '.join(replaced[:_SHOWN])}{more}"
        err.print(
            f"[yellow]note[/] replaces {pluralise(len(replaced), 'earlier row')}: {escape(names)}"
        )
    rows = pluralise(imported.rows, "row")
    end = "Nothing was written." if dry_run else "Run `axilla check` next."
    verb = "would have" if dry_run else "has"
    out.print(f"{count}, {outlined} of them with an outline; {table} {verb} {rows}. {end}")


def _record(imported: Imported) -> dict[str, object]:
    return {
        "rois": [
            {
                "image": new.image.text,
                "roi": list(new.roi.sides),
                "outline": new.outline is not None,
                "source": new.source,
                "label": new.label,
            }
            for new in imported.rois
        ],
        "replaced": list(imported.replaced),
        "rows": imported.rows,
        "notes": list(imported.notes),
    }
