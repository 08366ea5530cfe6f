"""Every code that the source passes on is registered, and every registered one is explained."""

import ast
import re
from pathlib import Path

import pytest

import axilla
from axilla.records.findings import CODES, code_named

SOURCE = Path(axilla.__file__).parent
DOCS = SOURCE.parents[1] / "docs" / "findings.md"
MAKERS = {"error", "warning", "refuse", "Finding", "finding", "kind"}
SEVERITIES = {"error", "warning", "accepted"}
MOST = 2  # the code is the first argument, or the second after what it is about
IS_CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes_in(tree):
    """Yield the codes that a module gives to findings, and those of (code, Problem) pairs."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        given = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            given = node.args if name in MAKERS or any(map(is_problem, node.args)) else []
        elif isinstance(node, ast.Tuple) and any(map(is_problem, node.elts)):
            given = node.elts
        found = (list(values(one, constants)) for one in given[:MOST])
        for value in next((texts for texts in found if texts), []):
            if IS_CODE.fullmatch(value):
                yield value


def values(node, constants):
    """Yield the texts that an argument may be: a constant, its name, or one of two of them."""
    if isinstance(node, ast.IfExp):
        yield from values(node.body, constants)
        yield from values(node.orelse, constants)
    elif isinstance(value := getattr(node, "value", constants.get(getattr(node, "id", 0))), str):
        yield value


def is_problem(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Problem"


def used():
    return {
        code: path.name
        for room in ("cohort", "checks", "imaging", "annotation")
        for path in sorted((SOURCE / room).rglob("*.py"))
        for code in codes_in(ast.parse(path.read_text(encoding="utf-8")))
        if code not in SEVERITIES
    }


def test_the_scan_sees_each_way_of_naming_a_code():
    tree = ast.parse(
        'CODE = "aa"\nerror(CODE, p)\ncell.refuse("bb", "expected")\n'
        'remarks = (("cc", Problem(1)),)\nsaid("dd", Problem(2))\nwarning("ee", p)\n'
        'other("ff", p)\n'
        'finding(look, "gg" if a else "hh", "found")'
    )
    assert set(codes_in(tree)) == {"aa", "bb", "cc", "dd", "ee", "gg", "hh"}


def test_every_code_of_the_source_is_registered():
    found = used()
    assert {"table", "group_across_split", "mask_size", "image_unreadable"} <= found.keys()
    assert {code: place for code, place in found.items() if code not in CODES} == {}


def test_every_code_is_explained_in_the_docs():
    rows = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert sorted(CODES.keys() - rows) == []
    assert sorted(rows - CODES.keys()) == []


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
def test_each_code_reads_as_a_heading_with_a_sentence(code):
    assert IS_CODE.fullmatch(code.name)
    assert 2 <= len(code.title.split()) <= 7
    assert code.title[0].isupper()
    assert not code.title.endswith(".")
    assert code.meaning.endswith(".")


def test_a_code_of_another_version_still_has_a_title():
    assert code_named("some_new_thing").title == "Some new thing"
