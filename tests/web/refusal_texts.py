"""Every text of a refusal, as the source writes it: values in it become {0}, {1} and so on."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

SOURCE = Path(str(files("axilla")))
# What people meet in a browser; the other rooms speak to the command line.
ROOMS = (
    "web/**/*.py",
    "imaging/raster.py",
    "imaging/open_image.py",
    "imaging/dicom/*.py",
    "imaging/slides/*.py",
    "inference/bundle.py",
    "inference/case_io.py",
    "inference/manifest.py",
    "inference/modality_networks.py",
    "inference/predictor.py",
)
LEFT_OUT = (
    "web/core/settings.py",
    "web/server.py",
    "web/core/database.py",
    "web/rois/roi_page_strings.py",
)
# What makes a refusal, and from which argument on its texts stand.
MAKERS = {
    "Problem": 0,
    "DicomError": 0,
    "damaged_error": 0,
    "unsupported_error": 0,
    "unreadable": 1,
    "unreadable_slide": 1,
    "_unreadable": 1,
    "_too_large": 1,
    "_own": 0,
    "_nothing": 0,
}
NAMES = {"place", "found", "expected", "remedy", "limit", "INSTALL", "_REMEDY"}
REASONS = {"_reason"}
FIELD = re.compile(r"\{\d\}")


def refusal_texts() -> set[str]:
    """Return the texts with words in them; a name or a number alone needs no translation."""
    left_out = {SOURCE / path for path in LEFT_OUT}
    paths = {path for room in ROOMS for path in SOURCE.glob(room)} - left_out
    found = {text for path in paths for text in _of_module(path)}
    return {text for text in found if re.search(r"[A-Za-z]{3}", FIELD.sub("", text))}


def _of_module(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            first = MAKERS.get(_called(node), len(node.args))
            for argument in node.args[first:]:
                yield from _texts(argument)
            for keyword in node.keywords:
                if keyword.arg in NAMES:
                    yield from _texts(keyword.value)
        elif isinstance(node, ast.Assign) and NAMES & set(_assigned(node)):
            yield from _texts(node.value)
        elif isinstance(node, ast.FunctionDef):
            yield from _of_function(node)


def _of_function(node: ast.FunctionDef) -> Iterator[str]:
    arguments = (*node.args.args, *node.args.kwonlyargs)
    defaults = (*node.args.defaults, *node.args.kw_defaults)
    for argument, value in zip(reversed(arguments), reversed(defaults), strict=False):
        if argument.arg in NAMES and value is not None:
            yield from _texts(value)
    for inner in ast.walk(node) if node.name in REASONS else ():
        if isinstance(inner, ast.Return) and inner.value is not None:
            yield from _texts(inner.value)


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _assigned(node: ast.Assign) -> Iterator[str]:
    for target in node.targets:
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        yield from (part.id for part in parts if isinstance(part, ast.Name))


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield _template(parts)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one), *_texts(other))
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _texts(part)


def _template(parts: list[ast.expr]) -> str:
    written, number = "", 0
    for part in parts:
        if isinstance(part, ast.Constant):
            written += str(part.value)
        else:
            written += f"{{{number}}}"
            number += 1
    return written
