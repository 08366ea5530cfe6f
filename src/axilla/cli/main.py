"""The `axilla` command."""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

# In the order of --help; the module of a command is imported when it is called, and no other.
_COMMANDS: Final = (
    *("demo", "init", "roi", "check", "run", "report", "explain", "review", "evaluate", "plan"),
    *("predict", "serve", "table1", "audit", "doctor"),
)


class _Modules(dict[str, Any]):
    """Commands by name, each imported when it is wanted: most take a second or more."""

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
