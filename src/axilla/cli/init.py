"""`axilla init`: a new study folder, empty or with a sample cohort."""

import shutil
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, reporting
from axilla.records.errors import ConfigError, Problem
from axilla.records.run_folder import atomic, write_bytes


class Sample(StrEnum):
    """The cohorts that come with axilla."""

    PAIRED = "paired"
    TCGA = "tcga"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    sample: Annotated[Sample | None, typer.Option(help="Fill it with a sample cohort.")] = None,
) -> None:
    """Make a study folder: study.toml, a cohort table to fill in, and a place for images.

    Example: `axilla init my-study`
    """
    with reporting():
        if sample is None:
            _write_template(folder)
            out.print(
                f"Fill in {folder / 'cohort.csv'}, look through {folder / 'study.toml'}, then:"
            )
        else:
            write_sample(sample.value, folder)
        out.print(f"axilla check {folder}\naxilla run {folder}")


def write_sample(name: str, folder: Path) -> None:
    """Write a sample study; raise `ConfigError` rather than overwrite anything."""
    _refuse_existing(folder)
    with as_file(files("axilla") / "sample") as source:
        cohort = source if name == "paired" else source / name
        for entry in ("README.md", "cohort.csv", "provenance.csv", "LICENSE-BUS-BRA.txt"):
            if (cohort / entry).is_file():
                write_bytes(folder / entry, (cohort / entry).read_bytes())
        if (cohort / "images").is_dir():
            shutil.copytree(cohort / "images", folder / "images", dirs_exist_ok=True)
    _write_config(folder, f"{name}.toml")


def _write_template(folder: Path) -> None:
    _refuse_existing(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with as_file(files("axilla.cli") / "templates" / "cohort.csv") as source:
        write_bytes(folder / "cohort.csv", source.read_bytes())
    _write_config(folder, "study.toml")


def _write_config(folder: Path, template: str) -> None:
    """Write study.toml last: a folder that has one is complete."""
    text = (files("axilla.cli") / "templates" / template).read_text(encoding="utf-8")
    with atomic(folder / "study.toml") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _refuse_existing(folder: Path) -> None:
    for name in ("study.toml", "cohort.csv"):
        if (folder / name).exists():
            raise ConfigError(
                Problem(
                    str(folder),
                    f"a {name} already",
                    "a new or empty folder",
                    "Name another folder.",
                )
            )
