"""`axilla plan`: how many patients, before a study; what more of them would bring, after one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from axilla.cli.console import out, reporting, study_folder
from axilla.cli.plan_from_study import DEFAULT_DIFFERENCE, DEFAULT_WIDTH, StudyWish, answer_of_study
from axilla.cli.plan_prospective import DEFAULT_POWER, PlanAnswer, PlanOptions, answer_of
from axilla.records.errors import ConfigError, Problem

Number = float | None
_INTERVAL, _COMPARISON, _STUDY = "An interval", "A comparison", "A finished study"
_FIRST, _OPTIONAL = "What is expected", "Refinements"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("plan")(plan)


def plan(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A finished study, to plan the next.")
    ] = None,
    auc: Annotated[Number, typer.Option(help="Expected AUC.", rich_help_panel=_FIRST)] = None,
    versus: Annotated[
        Number,
        typer.Option(help="AUC of another model on the same patients.", rich_help_panel=_FIRST),
    ] = None,
    sensitivity: Annotated[
        Number, typer.Option(help="Expected sensitivity.", rich_help_panel=_FIRST)
    ] = None,
    specificity: Annotated[
        Number, typer.Option(help="Expected specificity.", rich_help_panel=_FIRST)
    ] = None,
    prevalence: Annotated[
        Number,
        typer.Option(help="Share of positive patients; default 0.5.", rich_help_panel=_FIRST),
    ] = None,
    width: Annotated[
        Number,
        typer.Option(help="Wanted 95 % interval, from end to end.", rich_help_panel=_INTERVAL),
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="exponential (Hanley & McNeil; default) or normal.", rich_help_panel=_INTERVAL
        ),
    ] = None,
    assurance: Annotated[
        Number,
        typer.Option(
            help="Chance that a sensitivity's interval is narrow enough; default: on average.",
            rich_help_panel=_INTERVAL,
        ),
    ] = None,
    power: Annotated[
        Number, typer.Option(help="Wanted power; default 0.8.", rich_help_panel=_COMPARISON)
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Two-sided level of the test.", rich_help_panel=_COMPARISON)
    ] = 0.05,
    correlation: Annotated[
        Number,
        typer.Option(
            help="Of the two models' scores within a class; default 0.5.",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            help="The other way round: what this many can show.", rich_help_panel=_OPTIONAL
        ),
    ] = None,
    group_size: Annotated[
        Number,
        typer.Option(help="Mean patients of a donor or family.", rich_help_panel=_OPTIONAL),
    ] = None,
    group_correlation: Annotated[
        Number,
        typer.Option(help="Correlation of results within a group.", rich_help_panel=_OPTIONAL),
    ] = None,
    difference: Annotated[
        Number,
        typer.Option(
            help="Smallest AUC difference that would matter; default 0.05.",
            rich_help_panel=_STUDY,
        ),
    ] = None,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Train again on fewer patients: AUC against training patients.",
            rich_help_panel=_STUDY,
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Say how many patients an interval or a comparison needs, or what more of them would bring.

    For example:

    `axilla plan --auc 0.80 --width 0.10 --prevalence 0.4`

    `axilla plan --sensitivity 0.85 --width 0.10 --assurance 0.9`

    `axilla plan --auc 0.75 --versus 0.80 --power 0.8 --correlation 0.5`

    `axilla plan --auc 0.75 --versus 0.80 --patients 211`

    `axilla plan my-study --width 0.10 --difference 0.05`

    `axilla plan my-study --learning-curve`
    """
    wish = PlanOptions(
        auc, versus, sensitivity, specificity, width, power, patients, alpha, prevalence,
        correlation, scores, group_size, group_correlation, assurance,
    )  # fmt: skip
    with reporting():
        if folder is None:
            _require_study(difference, learning_curve)
            answer = answer_of(wish)
        else:
            answer = _of_study(folder, wish, difference=difference, learning_curve=learning_curve)
        if as_json:
            out.print_json(data=answer.data)
        else:
            out.print(escape("\n".join(answer.lines)))


def _require_study(difference: Number, learning_curve: bool) -> None:
    given = ["--difference"] * (difference is not None) + ["--learning-curve"] * learning_curve
    if given:
        remedy = "Name its folder: `axilla plan my-study ...`."
        raise ConfigError(Problem("plan", " and ".join(given), "a finished study", remedy))


def _of_study(
    folder: Path, wish: PlanOptions, *, difference: Number, learning_curve: bool
) -> PlanAnswer:
    """Return a finished study's answer; raise `ConfigError` for options that it answers itself."""
    if given := wish.expectations():
        raise ConfigError(
            Problem(
                "plan",
                f"{' and '.join(given)} with a finished study",
                "one or the other: the study tells these itself",
                f"Leave them out, or leave {folder.name} out.",
            )
        )
    study_wish = StudyWish(
        width=DEFAULT_WIDTH if wish.width is None else wish.width,
        difference=DEFAULT_DIFFERENCE if difference is None else difference,
        power=DEFAULT_POWER if wish.power is None else wish.power,
        alpha=wish.alpha,
        patients=wish.patients,
    )
    return answer_of_study(study_folder(folder), study_wish, learning_curve=learning_curve)
