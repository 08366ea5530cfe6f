"""`axilla audit`: which confusion matrices can a published table come from?"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from axilla.cli.console import out, reporting
from axilla.evaluation.audit.auc_bounds import PairCount
from axilla.evaluation.audit.recovery import Recovered
from axilla.evaluation.audit.reported_table import read_reported
from axilla.evaluation.audit.table_audit import SMALLEST, Audit, TestSet, audit, audit_document

_MOST_OTHERS: Final = 6
_MOST_COMPLETE: Final = 12
_POWERS: Final = 3  # log10 from which odds are printed as a power of ten
_NEAR: Final = 0.01  # probability of an explanation worth showing beside the best

_FAILED: Final = {
    "not explained": "No test set in this range, in any order of columns, explains the figures "
    "clearly better than chance.",
    "contradicted": "Other test sets explain the figures far better than what was stated.",
    "partly explained": "No test set in this range, in any order of columns, reproduces half of "
    "the figures.",
}
_HALVES: Final = {
    "to even": "Exact halves were rounded to even, as C and Python print them ({}).",
    "up": "Exact halves were rounded up, as spreadsheets do ({}).",
    "both ways": "Exact halves were rounded now up, now to even ({}).",
    "not told": "No figure is an exact half that tells how halves were rounded.",
    "cut off": "Digits were cut off, not rounded.",
}


def show(result: Audit) -> None:
    """Print an audit: the answer of each test set, then matrices, misprints and AUCs."""
    out.print(
        f"{escape(result.source)}: {', '.join(result.columns)}. "
        f"Searched: {_range(result.smallest, result.largest)}."
    )
    if result.ignored:
        out.print(f"Columns not used: {escape(', '.join(result.ignored))}.")
    if result.evidence_shared is not None and result.evidence_apart is not None:
        gain = result.evidence_shared - result.evidence_apart
        out.print(
            f"One test set for all tables is {_odds(gain)} likelier than one each."
            if gain >= 0
            else f"One test set for each table is {_odds(-gain)} likelier than one for all."
        )
    found = result.unstated
    if found and result.evidence_unstated is not None and not result.is_explained:
        out.print(
            f"[bold red]Without what was stated:[/] {found.n} patients, {found.positives} "
            f"positive, {found.reading.name}, {found.explained} of {found.figures} figures; "
            f"log10 evidence {result.evidence_unstated:.1f}."
        )
    for one in result.test_sets:
        _show_test_set(one, named=len(result.test_sets) > 1)
    out.print(
        "\nFigures that were averaged over folds, repeats or classes come from no single matrix. "
        "A figure that does not fit is a question to the authors, not an accusation."
    )


def _show_test_set(one: TestSet, *, named: bool) -> None:
    out.print()
    if named:
        out.print(f"[bold]{escape(', '.join(one.tables))}[/]")
    _answer(one)
    _others(one)
    if one.verdict in {"not explained", "contradicted"}:
        return
    _matrices(one)
    _misprints(one)
    _aucs(one)
    _set_aside(one)


def _set_aside(one: TestSet) -> None:
    for model in one.set_aside:
        said = f"accuracy {model.printed_accuracy}" if model.printed_accuracy else "no accuracy"
        exchanged = (
            ": that of calling everybody positive"
            if model.printed_accuracy == model.everybody_positive != model.nobody_positive
            else ""
        )
        out.print(
            f"Set aside: {escape(_label(model.table, model.model))} called nobody positive, which "
            f"gives accuracy {model.nobody_positive}; printed: {said}{exchanged}."
        )


def _answer(one: TestSet) -> None:
    best, chance = one.best, one.chance
    colour = {"consistent": "green", "explained with faults": "yellow"}.get(one.verdict, "red")
    if one.verdict in _FAILED:
        out.print(f"[bold red]{one.verdict.capitalize()}.[/] {_FAILED[one.verdict]} The best:")
    elif one.verdict == "consistent" and best.explained < best.figures:
        out.print(
            "The figures are possible together, but do not tell the test set. The best guess:"
        )
    count = f"{best.n} patients, {best.positives} positive, {best.reading.name}"
    out.print(
        f"[bold {colour}]{count}: {best.explained} of {best.figures} figures reproduced.[/] "
        f"By chance: {chance.mean:.1f}, at most {chance.greatest} "
        f"({chance.draws} copies of the table, shifted at random)."
    )
    likelier = "likelier" if one.evidence >= 0 else "less likely"
    out.print(
        f"The table is {_odds(abs(one.evidence))} {likelier} to come from one test set in this "
        "range than to be arbitrary."
    )
    if one.unique:
        out.print("No other test set or order of columns comes near.")
    else:
        out.print(
            f"[yellow]Not unique.[/] If one searched is right, this size is "
            f"{one.size_probability:.0%} probable, this reading {one.reading_probability:.0%}."
        )
    if one.complete:
        sizes = sorted({found.n for found in one.complete_sets})
        more = len(sizes) > _MOST_COMPLETE or one.complete > len(one.complete_sets)
        listed = ", ".join([*map(str, sizes[:_MOST_COMPLETE]), *(["..."] if more else [])])
        sets = _count(one.complete, "test set reproduces", "test sets reproduce")
        out.print(f"Read so, {sets} every figure, of n = {listed}")
    out.print(
        _HALVES[one.halves].format(_count(one.halves_told_by, "figure tells", "figures tell"))
    )


def _others(one: TestSet) -> None:
    """Show what comes near, at least the next one, the best of other orders, and as printed."""
    others = one.explanations[1:]
    shown = [found for k, found in enumerate(others) if found.probability >= _NEAR or k == 0]
    seen = {one.best.reading.columns, *(found.reading.columns for found in shown)}
    for found in others:
        as_printed = not found.reading.displaced_columns
        if found.reading.columns not in seen and (len(shown) < _MOST_OTHERS or as_printed):
            seen.add(found.reading.columns)
            shown.append(found)
    _print_table(
        "Other explanations",
        ("n", "positive", "reproduced", "log10 evidence", "probability", "reading"),
        [
            (
                str(found.n),
                str(found.positives),
                f"{found.explained} of {found.figures}",
                f"{found.evidence:.1f}",
                f"{found.probability:.2g}",
                found.reading.name,
            )
            for found in shown
        ],
    )


def _matrices(one: TestSet) -> None:
    _print_table(
        "Matrices, with 95 % Wilson intervals",
        ("model", "TP", "FP", "FN", "TN", "reproduced", "accuracy", "sensitivity", "specificity"),
        [
            (_label(m.table, m.model), *map(str, m.matrix), f"{m.explained} of {m.figures}",
             *(_rate(rate.value, rate.low, rate.high) for rate in m.rates))
            for m in one.models if m.matrix
        ],
    )  # fmt: skip
    for model in one.models:
        if not model.matrix:
            ties = _count(model.ties, "matrix", "matrices")
            out.print(
                f"{escape(_label(model.table, model.model))}: {model.explained} of "
                f"{model.figures} figures reproduced, by {ties}; its matrix is not told."
            )


def _misprints(one: TestSet) -> None:
    rows = [
        (_label(m.table, m.model), x.column, x.printed, x.figure,
         x.expected or "undefined", x.slip or "more than one slip")
        for m in one.models for x in m.misprints
    ]  # fmt: skip
    header = ("model", "column", "printed", "figure", "expected", "difference")
    _print_table("Figures that the rest of their row contradicts", header, rows)


def _aucs(one: TestSet) -> None:
    if one.auc_pairs:
        out.print(f"\nAUC. {_pairs(one.auc_pairs, one.best.positives, one.best.n)}")
    judged = [m for m in one.models if m.auc]
    odd = [m for m in judged if m.auc and m.auc.verdict != "plausible"]
    if judged:
        out.print(
            f"{len(judged) - len(odd)} of {len(judged)} AUCs are plausible beside the matrix."
        )
    for model in odd:
        out.print(_odd_auc(model))


def _pairs(found: PairCount, positives: int, n: int) -> str:
    words = (
        f"{found.whole} of {found.printed} are whole numbers of the {positives} x "
        f"{n - positives} = {found.pairs} pairs of a positive and a negative patient; by chance "
        f"{found.expected:.1f} (p = {found.p:.1g})."
    )
    return f"{words} The search did not use them."


def _odd_auc(model: Recovered) -> str:
    bounds = model.auc
    if bounds is None:
        return ""
    return (
        f"{escape(_label(model.table, model.model))}: AUC {bounds.printed} is {bounds.verdict}. "
        f"The matrix allows {bounds.low:.3f} to {bounds.high:.3f}; its calls alone have "
        f"{bounds.of_calls:.3f}; a binormal curve through it {bounds.expected:.3f} "
        f"(standard error {bounds.standard_error:.3f})."
    )


def _print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns in full: a pipe has no width, and a terminal wraps."""
    lines = [header, *rows]
    if len(lines) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out.print(f"\n[bold]{title}[/]")
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.print(escape("  ".join(cells).rstrip()))


def _rate(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "undefined"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _label(table: str, model: str) -> str:
    return f"{table}, {model}" if table else model


def _odds(log10: float) -> str:
    return f"{10**log10:.1f} times" if log10 < _POWERS else f"10^{log10:.0f} times"


def _range(smallest: int, largest: int) -> str:
    return f"{smallest} patients" if smallest == largest else f"{smallest} to {largest} patients"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("audit")(audit_table)


def audit_table(
    reported: Annotated[
        Path, typer.Argument(metavar="REPORTED.csv", help="One row per model, as printed.")
    ],
    smallest: Annotated[int, typer.Option(help="Fewest patients to try.")] = SMALLEST,
    largest: Annotated[
        int | None, typer.Option(help="Most patients to try; default 2000, fewer at few digits.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Patients, if the paper says.")] = None,
    positives: Annotated[
        int | None, typer.Option(help="Positive patients, if the paper says.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Find the test set and confusion matrices behind printed precision, recall, F1, accuracy.

    Also with columns that changed places and single figures misprinted. Exit 0 if some reading
    explains the table, 1 if none does, 2 if the table or an option cannot be used.

    Example: `axilla audit reported.csv --n 42`
    """
    with reporting():
        result = audit(
            read_reported(reported), smallest=smallest, largest=largest, n=n, positives=positives
        )
        if as_json:
            out.print_json(data=audit_document(result))
        else:
            show(result)
        if not result.is_explained:
            raise typer.Exit(1)
