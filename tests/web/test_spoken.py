"""Refusals are said in the reader's language; programs get the same English parts as ever."""
# ruff: noqa: RUF001 - Chinese has colons and semicolons of its own

import re

import pytest
from babel.messages.pofile import read_po
from refusal_texts import FIELD, SOURCE, refusal_texts

from axilla.records.errors import CohortError, Problem
from axilla.records.types import MODALITIES
from axilla.web.accounts.roles import Permission, Role
from axilla.web.core.i18n import spoken_of, translate_problem
from axilla.web.rois.roi_store import State

NAMED = {*Role, *Permission, *State, *MODALITIES}


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    with (SOURCE / "web" / "locale" / "zh_CN.refusals.po").open("rb") as stream:
        messages = read_po(stream, locale="zh_CN")
    return {str(message.id): str(message.string) for message in messages if message.id}


def test_every_text_of_a_refusal_has_its_chinese(chinese: dict[str, str]) -> None:
    assert not {text for text in refusal_texts() | NAMED if not chinese.get(text)}


def test_no_chinese_is_left_of_refusals_that_are_gone(chinese: dict[str, str]) -> None:
    assert set(chinese) - refusal_texts() - NAMED == set()


def test_each_is_found_again_with_its_values(chinese: dict[str, str]) -> None:
    def filled(text: str) -> str:
        return FIELD.sub(lambda field: f"7{field[0][1]}.5", text)

    wrong = [
        text
        for text, translation in chinese.items()
        if translate_problem(Problem("x", filled(text), "y"), "zh")
        != f"x：{filled(translation)}；应为：y。"
    ]
    assert not wrong


def test_a_sentence_in_both_languages() -> None:
    problem = Problem("roles", "reader and lead", "one who may annotate or review", "Sign in.")
    assert translate_problem(problem, "en") == str(problem)
    assert translate_problem(problem, "xx") == str(problem)
    assert translate_problem(problem, "zh") == (
        "角色：阅片者兼研究负责人；应为：具有以下权限的人：标注、复核。请登录。"
    )


@pytest.mark.timeout(120)  # matched by a careless expression, it would take days
def test_a_hostile_text_is_no_work() -> None:
    hostile = "compressed pixels of " + "1 x " * 100_000 + "where"
    assert hostile in translate_problem(Problem("x", hostile, "y"), "zh")


def test_what_has_no_translation_stays_as_it_is() -> None:
    assert translate_problem(Problem("a.png", "a purple file", "none"), "zh") == (
        "a.png：a purple file；应为：无。"
    )
    assert spoken_of(CohortError("simply wrong"), "zh") == "simply wrong"
    both = CohortError([Problem("roi", "no drawing", "one"), Problem("token", "none", "a token")])
    assert spoken_of(both, "zh").count("\n") == 1


@pytest.mark.parametrize(
    ("headers", "language"),
    [({"Accept-Language": "zh-CN"}, "zh"), ({}, "en"), ({"Cookie": "axilla_language=zh"}, "zh")],
)
def test_answers_of_the_api_are_said_in_the_language_of_the_request(
    office, headers: dict[str, str], language: str
) -> None:
    with office.client() as client:
        detail = client.get("/api/rois", headers=headers).json()["detail"]
    assert detail["place"] == "session"
    assert detail["found"] == "none, or one that has ended"
    assert detail["remedy"] == "Sign in."
    assert bool(re.search("[\u4e00-\u9fff]", detail["said"])) == (language == "zh")
    assert detail["said"] == translate_problem(
        Problem(*(detail[part] for part in ("place", "found", "expected", "remedy"))), language
    )
