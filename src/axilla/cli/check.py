"""`axilla check`: everything that is wrong with a study's data, at once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from axilla.checks import stage
from axilla.cli.console import out, progress, reporting, study_folder
from axilla.config.load import read_study
from axilla.records.errors import CohortError
from axilla.report.images.contact_sheet import write_contact_sheet
from axilla.report.number_format import pluralise
from axilla.report.tables.flow_and_checks import (
    FindingGroup,
    FindingText,
    finding_groups,
    list_names,
)

_MOST_PLACES: Final = 3
_MOST_PATIENTS: Final = 6
_MOST_REMEDIES: Final = 3
_STYLES: Final = {"error": "bold red", "warning": "yellow", "accepted": "green"}
_SYMBOLS: Final = {"error": "✗", "warning": "!", "accepted": "✓"}
_PLAIN_SYMBOLS: Final = {"error": "x", "warning": "!", "accepted": "+"}


def summarise(check: Mapping[str, Any], console: Console, *, name: str, folder: str) -> None:
    """Print check.json: the cohort, the findings grouped by code, and what to do next.

    `name` is the study's, `folder` where it is, as it was typed.
    """
    console.print(f"[bold]{escape(name)}[/]  {escape(_cohort(check))}")
    groups = finding_groups(check)
    for group in groups:
        _show(group, console)
    counts = {
        severity: sum(len(group.findings) for group in groups if group.severity == severity)
        for severity in _STYLES
    }
    console.print(f"\n[bold]{_totals(counts)}[/]")
    console.print("Details: results/check.json")
    console.print("Images: results/check.html, for a browser; it holds images of patients")
    console.print(escape(_next(counts, folder)))


def _cohort(check: Mapping[str, Any]) -> str:
    summary = check.get("summary") or {}
    excluded, unknown = summary.get("excluded"), summary.get("without_outcome")
    parts = [
        f"{pluralise(summary.get('in_table', 0), 'patient')} in the table",
        *([f"{excluded} excluded"] if excluded else []),
        *([f"{unknown} without outcome"] if unknown else []),
        f"{summary.get('positive', 0)} positive, {summary.get('negative', 0)} negative",
        *(pluralise(summary[key], key[:-1]) for key in ("images", "masks") if summary.get(key)),
    ]
    return "; ".join(parts)


def _show(group: FindingGroup, console: Console) -> None:
    symbols = _PLAIN_SYMBOLS if console.options.ascii_only else _SYMBOLS
    style, word = _STYLES[group.severity], f"{symbols[group.severity]} {group.severity}"
    title = f"[{style}]{word:<10}[/] [bold]{escape(group.title)}[/]"
    console.print(f"\n{title}  [dim]{group.code}: {group.counts}[/]")
    for line in _lines(group):
        console.print(Padding(line, (0, 0, 0, 4), expand=False), soft_wrap=False)


def _lines(group: FindingGroup) -> Iterator[str]:
    for finding in group.findings[:_MOST_PLACES]:
        yield escape(_sentence(finding))
    if (more := len(group.findings) - _MOST_PLACES) > 0:
        rest = dict.fromkeys(p for f in group.findings[_MOST_PLACES:] for p in f.patients)
        whom = f": {list_names(rest, most=_MOST_PATIENTS)}" if rest else ""
        yield f"[dim]{escape(f'and {more} more{whom}')}[/]"
    if group.severity == "accepted":
        yield from _few("accepted because", group.reasons)
    else:
        yield from _few("expected", group.expected_values)
        yield from _few("to do:", group.remedies)


def _sentence(finding: FindingText) -> str:
    """Place, what was found, and the patients as far as the words do not name them."""
    unnamed = [patient for patient in finding.patients if patient not in finding.found]
    whom = f" ({list_names(unnamed, most=_MOST_PATIENTS)})" if unnamed else ""
    return f"{finding.place}: {finding.found}{whom}"


def _few(word: str, texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:_MOST_REMEDIES]:
        yield f"[italic]{word}[/] {escape(text)}"
    if (more := len(texts) - _MOST_REMEDIES) > 0:
        yield f"[dim]and {more} more in results/check.json[/]"


def _totals(counts: Mapping[str, int]) -> str:
    accepted = f", {counts['accepted']} accepted" if counts["accepted"] else ""
    errors, warnings = (pluralise(counts[kind], kind) for kind in ("error", "warning"))
    return f"{errors}, {warnings}{accepted}."


def _next(counts: Mapping[str, int], folder: str) -> str:
    if counts["error"]:
        return (
            "Next: mend the errors and check again. docs/findings.md explains each code, and "
            "which of them study.toml can accept with a reason under [[accept]]."
        )
    look = "look at the warnings, then " if counts["warning"] else ""
    return f"Next: {look}axilla run {folder}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("check")(check)


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print check.json instead.")] = False,
) -> None:
    """Read the whole study and report every problem at once; exit 1 if there are errors.

    Writes results/check.json, and results/check.html with the images. Example: `axilla check
    my-study`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        failed = False
        try:
            with progress.activity("Checking"):
                stage.check(config, place, progress)
        except CohortError:
            failed = True
        found = json.loads(place.table("check.json").read_text(encoding="utf-8"))
        with progress.activity("Writing check.html"):
            write_contact_sheet(config, place)
        if as_json:
            out.print_json(data=found)
        else:
            summarise(found, out, name=config.study.name, folder=str(folder))
        if failed:
            raise typer.Exit(1)
