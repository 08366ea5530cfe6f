"""The `axilla` command."""

import typer

from axilla.cli import (
    audit,
    check,
    demo,
    doctor,
    evaluate,
    explain,
    init,
    plan,
    predict,
    report,
    review,
    roi,
    run,
    serve,
    table1,
)

app = typer.Typer(
    name="axilla",
    help="Does fusing breast ultrasound with biopsy pathology predict axillary node metastasis?\n\n"
    "Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    demo,
    init,
    roi,
    check,
    run,
    report,
    explain,
    review,
    evaluate,
    plan,
    predict,
    serve,
    table1,
    audit,
    doctor,
):
    command.add_to(app)
