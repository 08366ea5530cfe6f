"""`axilla audit`: which confusion matrices can a published table come from?"""

from pathlib import Path
from typing import Annotated

import typer

from axilla.cli import audit_summary
from axilla.cli.console import out, reporting
from axilla.evaluation.audit.reported_table import read_reported
from axilla.evaluation.audit.table_audit import SMALLEST, audit, audit_document


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
            audit_summary.show(result)
        if not result.explained:
            raise typer.Exit(1)
