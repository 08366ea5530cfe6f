"""Load study.toml: preset underneath, explicit settings on top, all faults in one error."""

import json
import re
import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from axilla.config.study import StudyConfig
from axilla.records.errors import ConfigError, Problem, StudyError
from axilla.records.run_folder import RunFolder

_LARGEST_BYTES = 1 << 18
# tomllib's time grows with the square of a dotted key's length.
_LONG_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){64}")
_DEEPEST = 20
_LONGEST_QUOTE = 200
_MOST_FAULTS = 100
_PRESETS = files("axilla.config") / "presets"


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
        faults = error.errors()[:_MOST_FAULTS]
        raise ConfigError([_explain(fault, place=path.name) for fault in faults]) from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(_text(path))
    except FileNotFoundError as error:
        raise ConfigError(
            Problem(
                str(path.name),
                "no such file",
                "a study folder with study.toml",
                "Make one with `axilla init DIR`.",
            )
        ) from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(
            Problem(path.name, str(error), "valid TOML in UTF-8", "Mend that line.")
        ) from error
    except OSError as error:
        remedy = "Give the path of a file that can be read."
        raise ConfigError(
            Problem(path.name, (error.strerror or "an error").lower(), "study.toml", remedy)
        ) from error
    except RecursionError as error:
        raise _too_deep(path.name) from error
    if _depth_exceeds(settings, _DEEPEST):
        raise _too_deep(path.name)
    return settings


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        found, expected = "more than 256 KiB", "the settings of one study"
        raise ConfigError(Problem(path.name, found, expected, "Give the path of study.toml."))
    text = content.decode("utf-8-sig")
    if _LONG_KEY.search(text):
        raise _too_deep(path.name)
    return text


def _depth_exceeds(settings: object, depth: int) -> bool:
    level = [settings]
    for _ in range(depth):
        level = [inner for value in level for inner in _inside(value)]
    return bool(level)


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep(place: str) -> ConfigError:
    remedy = "Mend that value, or that dotted key."
    return ConfigError(Problem(place, "deeply nested values", "sections of plain values", remedy))


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
    found = repr(fault["input"])
    if len(found) > _LONGEST_QUOTE:
        found = f"{found[:_LONGEST_QUOTE]} ..."
    return Problem(where, found, _describe_expectation(fault, location))


def _describe_expectation(fault: Any, location: list[str]) -> str:
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


def as_run(config: StudyConfig, folder: RunFolder) -> StudyConfig:
    """Return the settings that the results were made with; title and description may be edited."""
    provenance = folder.table("provenance.json")
    if not provenance.is_file():
        return config
    try:
        made = StudyConfig.model_validate(
            json.loads(provenance.read_text(encoding="utf-8"))["config"]
        )
    except (ValueError, KeyError) as error:
        raise StudyError(
            Problem(
                provenance.name, "no readable settings", "those of the run", "Run the study again."
            )
        ) from error
    words = {"name": config.study.name, "about": config.study.about}
    return made.model_copy(update={"study": made.study.model_copy(update=words)})
