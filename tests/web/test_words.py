"""Every text that people see is there in Chinese too."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from axilla import RESEARCH_USE_ONLY
from axilla.inference.prediction_warnings import TEMPLATES
from axilla.web.core.i18n import LANGUAGES, words_of

WEB = Path(str(files("axilla.web")))
KEYWORDS = {"say": None, "N_": None, "_": None, "gettext": None}
FIELD = re.compile(r"\{\w*\}")


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def written() -> Iterator[str]:
    yield RESEARCH_USE_ONLY
    yield from TEMPLATES
    for path in sorted(WEB.rglob("*.py")):
        # Not Babel's extraction: before Python 3.12 it does not see what stands in f-strings.
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and called(node) in KEYWORDS:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value
    for path in (WEB / "core" / "templates").glob("*.j2"):
        with path.open("rb") as stream:
            for _, message, _, _ in extract(babel_extract, stream, keywords=KEYWORDS):
                yield message


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with (WEB / "locale" / "zh_CN.po").open("rb") as stream:
        return read_po(stream, locale="zh_CN")


def test_every_text_has_its_chinese(chinese: Catalog) -> None:
    missing = sorted(
        {text for text in written() if text not in chinese or not chinese[text].string}
    )
    assert not missing, f"{len(missing)} without Chinese"


def test_no_chinese_is_left_of_texts_that_are_gone(chinese: Catalog) -> None:
    assert {message.id for message in chinese if message.id} - set(written()) == set()


def test_fields_are_the_same(chinese: Catalog) -> None:
    wrong = [
        message.id
        for message in chinese
        if message.id
        and sorted(FIELD.findall(message.id)) != sorted(FIELD.findall(str(message.string)))
    ]
    assert not wrong


def test_words_are_found_by_language() -> None:
    assert words_of("zh").gettext("Sign in") == "登录"
    assert words_of("en").gettext("Sign in") == "Sign in"
    assert words_of("xx").gettext("Sign in") == "Sign in"
    assert list(LANGUAGES) == ["en", "zh"]


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-"),
        ({"Accept-Language": "de, en;q=0.5"}, "en"),
        ({"Accept-Language": "de"}, "en"),
        ({"Cookie": "axilla_language=zh", "Accept-Language": "en"}, "zh"),
    ],
)
def test_pages_speak_the_browsers_language(office, headers: dict[str, str], language: str) -> None:
    with office.client() as client:
        html = client.get("/login", headers=headers).text
    assert f'<html lang="{language[:2]}"' in html
    assert ("登录" in html) == language.startswith("zh")
