"""`axilla table1`: the Table 1 of any table of patients."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from axilla.cli.console import err, out, reporting
from axilla.cohort.splits.group_sampling import group_patients
from axilla.cohort.tables.spreadsheet import Sheet, read_sheet
from axilla.evaluation.table1.patient_table import table_one
from axilla.evaluation.table1.table1_columns import (
    check_named,
    choose_columns,
    group_values,
    patient_frame,
)
from axilla.records.errors import ConfigError, Problem
from axilla.records.run_folder import write_bytes
from axilla.report.manuscript.word_document import write_docx
from axilla.report.number_format import join_items, pluralise
from axilla.report.page import render_page
from axilla.report.tables.table1_text import plain_text, printed_table, section_of

_SUFFIXES = (".csv", ".html", ".docx", ".txt")


class Tests(StrEnum):
    """Which test categories get."""

    AUTO = "auto"
    PEARSON = "pearson"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("table1")(table1)


def table1(
    cohort: Annotated[Path, typer.Argument(help="CSV or Excel file, one row per patient.")],
    by: Annotated[str, typer.Option(help="Column that makes the groups, as the outcome.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="File to write: .csv, .html, .docx or .txt.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="Columns to compare, separated by commas.")
    ] = None,
    number: Annotated[list[str] | None, typer.Option(help="Columns that hold numbers.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Columns that hold codes.")] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="Columns that tie patients, as a donor does.")
    ] = None,
    tests: Annotated[
        Tests, typer.Option(help="auto: an exact test where expected counts are small.")
    ] = Tests.AUTO,
) -> None:
    """Describe patients group by group, and test whether the groups differ.

    Example: `axilla table1 cohort.csv --by alnm --columns age,er,her2 --out table1.docx`
    """
    with reporting():
        _check_suffix(out_file)
        sheet = read_sheet(cohort)
        frame = patient_frame(sheet)
        groups = group_values(frame, by, source=sheet.name)
        tied = _names(cluster, frame)
        check_named({"--cluster": tied}, frame.columns, source=sheet.name)
        chosen = choose_columns(
            frame,
            {by: "it makes the groups"} | dict.fromkeys(tied, "it ties patients"),
            source=sheet.name,
            columns=_names(columns, frame),
            numbers=_names(number, frame),
            categories=_names(category, frame),
        )
        table = table_one(
            frame,
            groups,
            kinds=chosen.kinds,
            small=tests.value,
            clusters=_clusters(sheet, tied) if tied else None,
        )
        _say_what_is_left_out(chosen.left_out)
        if absent := int(groups.isna().sum()):
            err.print(f"[yellow]left out[/] {pluralise(absent, 'patient')} without {escape(by)}")
        _deliver(table, out_file, name=cohort.stem, by=by, tied=tied)


def _check_suffix(path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in _SUFFIXES:
        expected = f"a file that ends in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        raise ConfigError(Problem("--out", repr(path.name), expected, "Correct the name."))


def _names(options: Sequence[str] | None, frame: pd.DataFrame) -> tuple[str, ...]:
    """Split at commas what is not itself the name of a column."""
    names: list[str] = []
    for option in options or ():
        names += [option] if option in frame.columns else map(str.strip, option.split(","))
    return tuple(dict.fromkeys(filter(None, names)))


def _clusters(sheet: Sheet, columns: Sequence[str]) -> pd.Series:
    numbers = [row.number for row in sheet.rows]
    tied = group_patients(sheet, columns, patient_ids=[f"row {number}" for number in numbers])
    return pd.Series(list(tied), index=numbers)


def _say_what_is_left_out(reasons: Mapping[str, str]) -> None:
    columns: dict[str, list[str]] = {}
    for column, reason in reasons.items():
        columns.setdefault(reason, []).append(column)
    for reason, names in columns.items():
        err.print(f"[yellow]left out[/] {escape(', '.join(names))}: {escape(reason)}")


def _deliver(
    table: pd.DataFrame, path: Path | None, *, name: str, by: str, tied: Sequence[str]
) -> None:
    title = f"Table 1. Patients by {by}"
    printed = printed_table(table, title=title, tied_by=join_items(list(tied)))
    suffix = path.suffix.lower() if path else ""
    if path is None:
        out.print(plain_text(printed), end="", markup=False)
        return
    if suffix == ".docx":
        write_docx(path, [printed], heading=name)
    elif suffix == ".html":
        write_bytes(path, render_page([section_of(printed)], title=name, facts=[]).encode())
    else:
        csv = table.to_csv(index=False, lineterminator="\n")
        write_bytes(path, (csv if suffix == ".csv" else plain_text(printed)).encode())
    out.print(f"Table 1: {escape(str(path))}")
