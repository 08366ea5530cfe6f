"""Every code that the source passes on is registered, and every registered one is explained."""

import ast
import re
from pathlib import Path

import pytest

import axilla
from axilla.cohort.codes import CODES, code_named

SOURCE = Path(axilla.__file__).parent
DOCS = SOURCE.parents[1] / "docs" / "findings.md"
MAKERS = {"error", "warning", "refuse", "Finding", "kind"}
IS_CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes_in(tree):
    """Yield the codes that a module gives to findings: first arguments, and (code, Problem)."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        first = None
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            first = node.args[0] if name in MAKERS or any(map(is_problem, node.args)) else None
        elif isinstance(node, ast.Tuple) and any(map(is_problem, node.elts)):
            first = node.elts[0]
        value = getattr(first, "value", constants.get(getattr(first, "id", None)))
        if isinstance(value, str) and IS_CODE.fullmatch(value):
            yield value


def is_problem(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Problem"


def used():
    return {
        code: path.name
        for room in ("cohort", "annotation")
        for path in sorted((SOURCE / room).rglob("*.py"))
        for code in codes_in(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_the_scan_sees_each_way_of_naming_a_code():
    tree = ast.parse(
        'CODE = "aa"\nerror(CODE, p)\ncell.refuse("bb", "expected")\n'
        'remarks = (("cc", Problem(1)),)\nsaid("dd", Problem(2))\nwarning("ee", p)\nother("ff", p)'
    )
    assert set(codes_in(tree)) == {"aa", "bb", "cc", "dd", "ee"}


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
