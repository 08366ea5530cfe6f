"""Reading study.toml: preset underneath, explicit settings on top, all faults in one error."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from axilla.records.errors import ConfigError, Problem
from axilla.records.study import StudyConfig

_PRESETS = files("axilla.records") / "presets"


def preset_names() -> tuple[str, ...]:
    """Return the presets that ship with axilla."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in _PRESETS.iterdir()
            if entry.name.endswith(".toml")
        )
    )


def read_study(
    path: Path, *, preset: str | None = None, compute: dict[str, Any] | None = None
) -> StudyConfig:
    """Read study.toml; raise `ConfigError` with all faults.

    `preset` replaces the file's own, and `compute` its [compute], where a value is not None.
    """
    explicit = _parse(path)
    asked = {key: value for key, value in (compute or {}).items() if value is not None}
    explicit = _merge(explicit, {"compute": asked} if asked else {})
    name = preset or explicit.get("preset", "quick")
    merged = _merge(_preset(name, place=path.name), explicit) | {"preset": name}
    try:
        return StudyConfig.model_validate(merged)
    except ValidationError as error:
        raise ConfigError([_explain(fault, place=path.name) for fault in error.errors()]) from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(
            Problem(
                str(path.name),
                "no such file",
                "a study folder with study.toml",
                "Make one with `axilla init DIR`.",
            )
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            Problem(path.name, str(error), "valid TOML in UTF-8", "Mend that line.")
        ) from error


def _preset(name: object, *, place: str) -> dict[str, Any]:
    known = preset_names()
    if not isinstance(name, str) or name not in known:
        raise ConfigError(
            Problem(
                f"{place}, preset", repr(name), f"one of {', '.join(known)}", _nearest(name, known)
            )
        )
    return tomllib.loads((_PRESETS / f"{name}.toml").read_text(encoding="utf-8"))


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _explain(fault: Any, *, place: str) -> Problem:
    location = [str(part) for part in fault["loc"]]
    where = f"{place}, {'.'.join(location)}"
    if fault["type"] == "extra_forbidden":
        known = tuple(_section(location[:-1]).model_fields)
        return Problem(
            where,
            f"unknown key {location[-1]!r}",
            f"one of {', '.join(known)}",
            _nearest(location[-1], known),
        )
    if fault["type"] == "missing":
        *above, missing = location
        remedy = f"Add {missing} to [{'.'.join(above)}]." if above else f"Add [{missing}]."
        return Problem(where, "nothing", "a value", remedy)
    return Problem(where, repr(fault["input"]), _expected(fault, location))


def _expected(fault: Any, location: list[str]) -> str:
    """Return what would have been right; a pattern by its forms, which a person can read."""
    if fault["type"] == "string_pattern_mismatch":
        examples = _section(location[:-1]).model_fields[location[-1]].examples or []
        return f"a form such as {', '.join(map(str, examples))}"
    return str(fault["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")


def _section(location: list[str]) -> type[BaseModel]:
    section: type[BaseModel] = StudyConfig
    for part in location:
        if part not in section.model_fields:
            continue  # a name that the user chose, under which a section stands
        annotation = section.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        section = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return section


def _nearest(name: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(name), known, n=1)
    return f"Did you mean {near[0]}?" if near else ""
