"""Checklists hold every item once, and every place they point to is there."""

import dataclasses
import re

import pandas as pd
import pytest

from axilla.report.checklists.checklist import (
    CHECKLISTS,
    FINDERS,
    checklist_frame,
    fill,
    read_checklist,
)
from axilla.report.study_results import load_results

# Items and parts as published: Collins et al., BMJ 2024;385:e078378, and Tejani et al., Radiol
# Artif Intell 2024;6:e240300.
TRIPOD_PARTS = {
    3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc",
    23: "ab", 27: "abc",
}  # fmt: skip
TRIPOD_TOPICS = {
    "1": "Title", "2": "Abstract", "4": "Objectives", "5a": "Data", "6b": "Participants",
    "7": "Data preparation", "8a": "Outcome", "9b": "Predictors", "10": "Sample size",
    "11": "Missing data", "12e": "Analytical methods", "13": "Class imbalance", "14": "Fairness",
    "15": "Model output", "16": "Training versus evaluation", "17": "Ethical approval",
    "18a": "Funding", "18b": "Conflicts of interest", "18c": "Protocol", "18d": "Registration",
    "18e": "Data sharing", "18f": "Code sharing", "19": "Patient and public involvement",
    "20a": "Participants", "21": "Model development", "22": "Model specification",
    "23a": "Model performance", "24": "Model updating", "25": "Interpretation",
    "26": "Limitations", "27a": "Usability",
}  # fmt: skip
CLAIM_TOPICS = {
    "5": "Prospective or retrospective", "12": "Missing data", "13": "Image acquisition",
    "20": "Level of separation", "21": "Intended sample size", "24": "Initialisation",
    "27": "Ensembles", "31": "Explainability", "32": "Internal data", "33": "External data",
    "34": "Trial registration", "39": "Failures", "44": "Funding",
}  # fmt: skip


def test_tripod_has_27_items_and_their_parts_once_each():
    checklist = read_checklist("tripod_ai")
    numbers = [item.number for item in checklist.items]
    expected = [
        f"{main}{part}" for main in range(1, 28) for part in (TRIPOD_PARTS.get(main) or [""])
    ]
    assert numbers == expected
    assert len(numbers) == 52
    topics = {item.number: item.topic for item in checklist.items}
    assert TRIPOD_TOPICS.items() <= topics.items()
    assert checklist.main_items == 27


def test_claim_has_44_items_once_each():
    checklist = read_checklist("claim")
    assert [item.number for item in checklist.items] == [str(n) for n in range(1, 45)]
    topics = {item.number: item.topic for item in checklist.items}
    assert CLAIM_TOPICS.items() <= topics.items()
    assert checklist.main_items == 44


def test_every_question_has_a_finder_and_every_finder_a_question():
    asked = {
        name for key in CHECKLISTS for item in read_checklist(key).items for name in item.evidence
    }
    assert asked == set(FINDERS)


@pytest.mark.parametrize("key", CHECKLISTS)
@pytest.mark.parametrize("name", ["paired", "clinical_only"])
def test_every_place_exists(key, name, request):
    folder = request.getfixturevalue(name)[1]
    table = pd.read_csv(folder.table(f"checklist_{key}.csv"), dtype=str, keep_default_na=False)
    html = folder.table("report.html").read_text(encoding="utf-8")
    anchors = set(re.findall(r'\sid="([^"]+)"', html))
    places = [place for cell in table["where"] for place in cell.split("; ") if place]
    assert len(places) > 30
    for place in places:
        if place.startswith("#"):
            assert place[1:] in anchors
        else:
            assert (folder.results / place).is_file()
    assert list(table["item"]) == [item.number for item in read_checklist(key).items]
    assert table["text"].str.len().min() > 0


@pytest.mark.parametrize("key", CHECKLISTS)
def test_page_shows_every_item(key, paired):
    html = paired[1].table("report.html").read_text(encoding="utf-8")
    checklist = read_checklist(key)
    start = html.index(f"<summary><strong>{checklist.name}</strong>")
    part = html[start : html.index("</details>", start)]
    numbers = re.findall(r'<th scope="row">([^<]+)</th>', part)
    assert numbers == [item.number for item in checklist.items]


def filled(results, key="tripod_ai", anchors=(), files=()):
    answers = fill(read_checklist(key), results, anchors=anchors, files=files).answers
    return {answer.item.number: answer for answer in answers}


def test_status_follows_the_evidence(paired):
    answers = filled(load_results(*paired))
    assert answers["17"].status == "for the authors to write"
    assert answers["17"].text == ""
    assert answers["20a"].status == "filled"
    assert answers["8a"].status == "partly filled"


def test_numbers_are_those_of_the_study(paired):
    results = load_results(*paired)
    answers = filled(results)
    auc = results.estimate("multilayer", "auc")
    assert f"{auc.value:.3f}" in answers["23a"].text
    assert f"interval {auc.high - auc.low:.3f} wide" in answers["10"].text
    assert (
        "From 215 in the table to 211 evaluated: 107 positive, 104 negative." in answers["20a"].text
    )
    claim = filled(results, "claim")
    recall = results.estimate("multilayer", "recall")
    assert f"sensitivity {recall.value:.3f}" in claim["38"].text
    matrix = results.confusion("multilayer")
    assert f"{matrix.false_positive:.0f} false positives" in claim["39"].text
    assert "No patient of another origin was tested" in claim["33"].text


def test_what_a_study_lacks_is_left_to_the_authors(paired):
    results = load_results(*paired)
    bare = dataclasses.replace(
        results,
        flow=None,
        check=None,
        provenance={},
        search=results.search.iloc[:0],
        comparisons=results.comparisons.iloc[:0],
        subgroups=results.subgroups.iloc[:0],
        missingness=results.missingness.iloc[:0],
        table1=results.table1.iloc[:0],
    )
    answers = filled(bare)
    for number in ("6a", "6b", "14", "18c", "18f", "20a", "22"):
        assert answers[number].status == "for the authors to write"
    assert answers["23a"].text.endswith("No subgroup was evaluated.")


def test_only_known_places_are_named(paired):
    results = load_results(*paired)
    answers = filled(results, anchors=["patients"], files=["flow.json"])
    assert answers["20a"].places == ("#patients", "flow.json")
    assert answers["23a"].places == ()


def test_csv_tells_authors_what_is_still_to_write(paired):
    results = load_results(*paired)
    frame = checklist_frame(fill(read_checklist("claim"), results, anchors=(), files=()))
    rows = frame.set_index("item")
    assert list(frame.columns) == ["item", "topic", "status", "where", "text"]
    assert rows.loc["16", "text"].endswith(
        "Still to write: who annotated, with what experience and instructions."
    )
    assert rows.loc["44", "text"] == "Who paid, and what part they had."
