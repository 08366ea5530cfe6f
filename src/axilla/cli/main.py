"""The `axilla` command."""

from copy import copy
from importlib import import_module
from typing import Any, Final, Self

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

# In the order of --help, each with the first sentence of its own help. The module of a command is
# imported when that command is called, and by nothing else: --help would take seconds.
_COMMANDS: Final = {
    "demo": "Run a whole study on the 211 sample cases: check, train, validate, report.",
    "init": "Make a study folder: study.toml, a cohort table to fill in, and a place for images.",
    "roi": "Import lesions drawn in COCO, LabelMe, Label Studio, CVAT or QuPath; export them.",
    "check": "Read the whole study and report every problem at once; exit 1 if there are errors.",
    "run": "Check, train, validate and report a study; finished trials are not trained again.",
    "report": "Write tables, figures and report.html from results/; nothing is trained again.",
    "explain": "Map what in each patient's images spoke for the outcome, by models that had not "
    "seen them.",
    "review": "Have heatmaps read blindly: write packets for readers, and score their answers.",
    "evaluate": "Measure predictions: every metric with its interval, every pair of models tested.",
    "plan": "Say how many patients an interval or a comparison needs, or what more of them would "
    "bring.",
    "predict": "Predict with a bundle: one case from its files, or a whole cohort from its table.",
    "serve": "Serve a study to browsers: annotate, review, predict, read, see results.",
    "table1": "Describe patients group by group, and test whether the groups differ.",
    "audit": "Find the test set and confusion matrices behind printed precision, recall, F1, "
    "accuracy.",
    "doctor": "Check the installation: PASS, WARN or FAIL for each part, with the fix; exit 1 on "
    "FAIL.",
}


class _Modules(dict[str, Any]):
    """Commands by name, each imported when it is called."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_COMMANDS))

    def __getitem__(self, name: str) -> Any:
        if super().__getitem__(name) is None:
            one = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="markdown")
            import_module(f"axilla.cli.{name}").add_to(one)
            self[name] = get_group(one).commands[name]
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]


class _Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Modules()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        TyperGroup.format_help(self._list_commands(), ctx, formatter)

    def _list_commands(self) -> Self:
        """Return this group with commands that have a name and a help, and do nothing."""
        listed = copy(self)
        listed.commands = {
            name: TyperCommand(name, help=summary) for name, summary in _COMMANDS.items()
        }
        return listed


app = typer.Typer(
    cls=_Commands,
    name="axilla",
    help="Does fusing breast ultrasound with biopsy pathology predict axillary node metastasis?\n\n"
    "Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _axilla() -> None:
    """Hold the commands together."""
