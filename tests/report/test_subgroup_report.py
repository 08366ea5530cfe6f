"""The subgroup figure and section print subgroups.csv, for the model the report leads with."""

import re

import pandas as pd
import pytest

from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate
from axilla.records.patients import Patient
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import PREDICTIONS, SUBGROUPS, read_results
from axilla.report.figures.subgroup_figure import draw_subgroups
from axilla.report.number_format import interval_text, number, p_value
from axilla.report.stage import write_report
from axilla.report.study_results import load_results
from axilla.report.tables.subgroup_rows import subgroups_of


@pytest.fixture
def small_study(tmp_path):
    """60 patients, one model; wards of 20, 20, 12 and 8 patients, the last of one outcome."""
    ward = ["a"] * 20 + ["B"] * 20 + [None] * 12 + ["old"] * 8
    labels = [0, 1] * 26 + [1] * 8
    identifiers = [f"P{number:02d}" for number in range(60)]
    scores = [((number * 37) % 60 + 25 * label) / 90 for number, label in enumerate(labels)]
    rows = [
        (
            name,
            "clinical/logistic",
            "unimodal",
            "clinical",
            1,
            number % 5,
            label,
            scores[number],
            0.5,
        )
        for number, (name, label) in enumerate(zip(identifiers, labels, strict=True))
    ]
    folder = RunFolder(tmp_path)
    folder.write_table("predictions.csv", pd.DataFrame(rows, columns=list(PREDICTIONS)))

    def study(**evaluation):
        config = StudyConfig.model_validate(
            {
                "study": {"outcome": "alnm"},
                "evaluation": {"subgroups": ["ward_type"], "smallest_subgroup": 8} | evaluation,
            }
        )
        patients = [
            Patient(n, label, group=n, attributes={"ward_type": w, "number": float(n[1:])})
            for n, label, w in zip(identifiers, labels, ward, strict=True)
        ]
        evaluate(config, folder, patients)
        return config, folder

    return study


def section(folder):
    page = folder.table("report.html").read_text(encoding="utf-8")
    found = re.search(r'<section id="subgroups".*?</section>', page, flags=re.DOTALL)
    return re.sub(r"<svg.*?</svg>", "", found[0], flags=re.DOTALL) if found else None


def test_figure_and_section_print_the_headline_models_rows(paired):
    config, folder = paired
    results = load_results(config, folder)
    table = read_results(folder.table("subgroups.csv"), SUBGROUPS)
    rows = table[table["model"] == "multilayer"]
    subgroups = subgroups_of(results)
    assert subgroups.entry.name == "multilayer"
    assert [block.title for block in subgroups.blocks] == ["Site", "Age"]
    assert [line.title for line in subgroups.blocks[1].lines] == [
        "< 40", "40 to 49", "50 to 59", "≥ 60",
    ]  # fmt: skip
    html = section(folder)
    for row in rows.to_dict("records"):
        assert f'data-value="{row["value"]}"' in html
        assert p_value(row["p_interaction"]) in html
    description = draw_subgroups(results).description
    for block in subgroups.blocks:
        for line in block.lines:
            auc = line.estimates["auc"]
            told = f"{block.title}, {line.title} {number(auc.value)} ({interval_text(auc)})"
            assert told in description
    overall = results.estimate("multilayer", "auc")
    assert description.startswith(f"All patients {number(overall.value)}")
    for suffix in ("png", "svg"):
        assert (folder.figures / f"subgroups.{suffix}").stat().st_size > 5000


def test_the_page_says_how_many_tests_were_made(paired):
    config, folder = paired
    table = read_results(folder.table("subgroups.csv"), SUBGROUPS).dropna(subset="p_interaction")
    made = len(table.drop_duplicates(["column", "model", "metric"]))
    subgroups = subgroups_of(load_results(config, folder))
    assert (subgroups.tests, subgroups.all_tests) == (6, made)
    text = " ".join(section(folder).split())
    assert f"The 6 shown here, of {made} over all models, are exploratory and not adjusted" in text


def test_small_and_undefined_levels_are_marked(small_study):
    config, folder = small_study()
    write_report(config, folder)
    subgroups = subgroups_of(load_results(config, folder))
    (block,) = subgroups.blocks
    assert block.title == "Ward type"
    found = {
        line.title: (line.n, line.n_positive, line.small, line.one_class) for line in block.lines
    }
    assert found == {
        "a": (20, 10, False, False),
        "B": (20, 10, False, False),
        "old": (8, 8, True, True),
        "unknown": (12, 6, True, False),
    }
    assert block.lines[2].estimates["auc"] is None
    html = section(folder)
    assert html.count("<small>(small)</small>") == 2
    assert "fewer than 8 patients" in html
    description = draw_subgroups(load_results(config, folder)).description
    assert "Ward type, old not defined in 8 patients, a small group" in description


def test_without_a_test_the_page_says_so(small_study):
    config, folder = small_study(smallest_subgroup=50)
    write_report(config, folder)
    html = section(folder)
    assert html.count("not tested") == 3
    assert "exploratory" not in html


def test_many_levels_show_the_largest_and_count_the_rest(small_study):
    config, folder = small_study(
        subgroups=["number"], bands={"number": [4, 6, *range(8, 60, 4)]}, smallest_subgroup=1
    )
    subgroups = subgroups_of(load_results(config, folder))
    (block,) = subgroups.blocks
    assert (len(block.lines), block.hidden) == (12, 4)
    assert "4 to 5" not in [line.title for line in block.lines]  # of 2 patients, others of 4
    write_report(config, folder)
    assert "and 4 smaller levels, in subgroups.csv" in section(folder)


def test_no_subgroups_no_section_and_no_figure(small_study, clinical_only):
    config, folder = small_study(subgroups=[])
    write_report(config, folder)
    assert section(folder) is None
    assert draw_subgroups(load_results(config, folder)) is None
    assert not (clinical_only[1].figures / "subgroups.png").exists()
