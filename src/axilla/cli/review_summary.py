"""What a scored reading says, as tables on the screen."""

from rich.table import Table

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out
from axilla.report.reader_study_scores import agreement_rows, comparison_rows
from axilla.report.review_scoring import Scored


def summarise(scored: Scored) -> None:
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
