"""The page prints what metrics.csv says, needs nothing else, and trusts no text."""

import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from made import manifest_of

from axilla import RESEARCH_USE_ONLY
from axilla.config.study import StudyConfig
from axilla.inference.bundle import Bundle, write_bundle
from axilla.inference.model_card import model_card
from axilla.records.errors import StudyError
from axilla.records.run_folder import RunFolder
from axilla.records.types import BEST_SINGLE
from axilla.report.stage import write_report

CARDED = manifest_of(None, (), study="a study", model="clinical/logistic", patients=2)
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """The tables, anchors, attributes and visible text of a page, and whether its tags balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[tuple[str, str]]] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.contents: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._row = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append((tag, known))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self._row = known.get("data-model") or ""
        if tag == "td" and self._row:
            self.rows.setdefault(self._row, []).append((known["data-value"], ""))
        if "id" in known:
            self.ids.append(known["id"])
        if tag == "a":
            self.links.append(known["href"])
            if "nav" in self._open:
                self.contents.append(known["href"][1:])

    def handle_startendtag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append((tag, known))
        if "id" in known:
            self.ids.append(known["id"])

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self._open):
            self.text.append(data)
        if self._row and self._open[-1:] == ["span"] and "td" in self._open:
            value, shown = self.rows[self._row][-1]
            self.rows[self._row][-1] = (value, shown or data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read_page(study) -> tuple[str, Page]:
    html = study[1].table("report.html").read_text(encoding="utf-8")
    return html, Page(html)


def fresh_page(study) -> tuple[str, Page]:
    assert write_report(*study) == study[1].table("report.html")
    return read_page(study)


def copy_of(study, root) -> tuple[StudyConfig, RunFolder]:
    config, folder = study
    shutil.copytree(folder.results, root / "results", ignore=shutil.ignore_patterns("figures"))
    return config, RunFolder(root)


@pytest.mark.parametrize("name", ["paired", "clinical_only"])
def test_tables_print_every_number_of_metrics_csv(name, request):
    study = request.getfixturevalue(name)
    _, page = read_page(study)
    metrics = pd.read_csv(study[1].table("metrics.csv")).set_index(["model", "metric"])["value"]
    # What the verdict holds fusion against is one of the modalities' choices; no row of its own.
    assert set(page.rows) == set(metrics.index.get_level_values("model")) - {BEST_SINGLE}
    for model, cells in page.rows.items():
        order = ("precision", "recall", "f1", "accuracy", "specificity", "auc")
        for metric, (value, printed) in zip(order, cells, strict=True):
            assert float(value) == metrics[model, metric]
            assert printed == f"{metrics[model, metric]:.3f}"


def test_written_tables_hold_metrics_at_full_precision(paired):
    metrics = pd.read_csv(paired[1].table("metrics.csv")).set_index(["model", "metric"])
    for name in ("table2_pathology", "table3_ultrasound", "table4_fusion", "table_clinical"):
        table = pd.read_csv(paired[1].table(f"{name}.csv")).set_index("model")
        for model in table.index:
            for column, field in (("auc", "value"), ("recall_low", "low"), ("f1_high", "high")):
                metric = column.split("_")[0]
                assert table.loc[model, column] == metrics.loc[(model, metric), field]


@pytest.mark.parametrize("name", ["paired", "clinical_only"])
def test_page_is_self_contained_and_sound(name, request):
    html, page = read_page(request.getfixturevalue(name))
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", html)
    assert not re.search(r"@import|url\((?!#)", html)
    assert {tag for tag, _ in page.tags} & {"img", "link", "iframe", "object", "image"} == set()
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    references = re.findall(r"(?:href=\"#|url\(#)([^\")]+)", html)
    assert set(references) <= set(page.ids)
    assert RESEARCH_USE_ONLY in page.words
    assert "nan" not in page.words.lower().split()
    assert "None" not in page.words


def in_contents(page: Page, *anchors: str) -> bool:
    """Tell whether the contents name these sections, in this order; others may stand between."""
    return [anchor for anchor in page.contents if anchor in anchors] == list(anchors)


def test_sections_follow_the_families(paired, clinical_only):
    _, page = read_page(paired)
    assert in_contents(page, "cohort", "answer", "patients", "table1")
    assert in_contents(page, "pathology", "ultrasound", "fusion", "clinical", "auc", "comparisons")
    assert in_contents(page, "auc", "failures", "limitations", "methods", "selection", "warnings")
    assert page.contents[-2:] == ["provenance", "checklists"]
    _, page = read_page(clinical_only)
    missing = {"cohort", "pathology", "ultrasound", "fusion", "selection", "availability"}
    assert not missing & set(page.contents)
    assert in_contents(page, "answer", "patients", "clinical", "failures", "limitations", "methods")
    assert "fused" not in page.words
    results = page.words[: page.words.index("TRIPOD+AI")]
    assert "ultrasound" not in results.lower()


def test_clinical_only_study_has_only_its_files(clinical_only):
    folder = clinical_only[1]
    names = {path.name for path in folder.figures.iterdir()}
    stems = (
        "calibration",
        "clinical_confusion",
        "clinical_roc",
        "decision_curve",
        "inclusion_flow",
    )
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "svg")}
    assert not list(folder.results.glob("table[234]*"))


@pytest.mark.slow
def test_a_reader_without_clinical_model_gets_its_own_section(paired, tmp_path):
    config, folder = copy_of(paired, tmp_path)
    for name in ("predictions.csv", "metrics.csv"):
        table = pd.read_csv(folder.table(name))
        folder.write_table(name, table[table["model"] != "clinical/logistic"])
    _, page = fresh_page((config, folder))
    assert "#reader" in page.links
    assert "#clinical" not in page.links
    assert (folder.figures / "reader_confusion.svg").is_file()


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)> $x^{$ --> &amp;'


@pytest.mark.slow
def test_hostile_text_is_escaped_everywhere(paired, tmp_path):
    config, folder = copy_of(paired, tmp_path)
    raw = config.model_dump()
    raw["study"] |= {"name": HOSTILE, "about": HOSTILE, "outcome": HOSTILE}
    raw["reader"] |= {"name": HOSTILE}
    raw["cohort"] |= {"group": [HOSTILE]}
    for name in ("predictions.csv", "metrics.csv", "search.csv"):
        table = pd.read_csv(folder.table(name))
        table["model"] = table["model"].replace(
            {"voting": HOSTILE, "ultrasound/plnet": HOSTILE[::-1]}
        )
        folder.write_table(name, table)
    finding = dict.fromkeys(("place", "found", "expected", "remedy"), HOSTILE)
    folder.write_json("check.json", {"warnings": [finding | {"patients": [HOSTILE]}]})
    folder.write_json(
        "flow.json", {"modalities": {HOSTILE: {"positive": 1, "negative": 2}, "b": 3}}
    )
    hostile = {"platform": HOSTILE, "versions": {HOSTILE: HOSTILE}, "bundle": {"model": HOSTILE}}
    selected = [{"repeat": 0, "fold": HOSTILE, HOSTILE: HOSTILE}]
    folder.write_json("provenance.json", hostile | {"selected": selected})
    html, page = fresh_page((StudyConfig.model_validate(raw), folder))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "<script>alert" not in html
    assert HOSTILE in page.text


@pytest.mark.parametrize("name", ["predictions.csv", "metrics.csv"])
def test_missing_results_name_the_remedy(paired, tmp_path, name):
    config, folder = copy_of(paired, tmp_path)
    folder.table(name).unlink()
    with pytest.raises(StudyError, match=rf"{name}.*axilla run"):
        write_report(config, folder)
    assert not (tmp_path / "results" / "figures").exists()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("metrics.csv", lambda t: t[t["model"] != "voting"], "metrics.csv: found models"),
        ("predictions.csv", lambda t: t[t["patient_id"] != "P001"], "n 211; expected 210"),
        (
            "splits.csv",
            lambda t: t[t["patient_id"] != "P007"],
            "1 patient whose fold did not test them, as P007",
        ),
    ],
)
def test_results_of_different_runs_are_refused(paired, tmp_path, name, change, message):
    config, folder = copy_of(paired, tmp_path)
    folder.write_table(name, change(pd.read_csv(folder.table(name))))
    with pytest.raises(StudyError, match=message) as refusal:
        write_report(config, folder)
    assert "axilla run" in str(refusal.value)


def test_only_predictions_and_metrics_are_needed(clinical_only, tmp_path):
    config, folder = copy_of(clinical_only, tmp_path)
    for name in ("splits.csv", "search.csv", "flow.json", "check.json", "provenance.json"):
        folder.table(name).unlink()
    _, page = fresh_page((config, folder))
    assert page.contents[-2:] == ["methods", "provenance"]
    assert "Inclusion" not in page.words


def test_equal_results_give_equal_bytes(paired, tmp_path):
    config, again = copy_of(paired, tmp_path)
    first = paired[1].results
    written = [path for path in first.rglob("*.*") if path.suffix in (".png", ".svg", ".html")]
    assert len(written) > 20
    again.table("report.html").unlink()
    write_report(config, again)
    for path in written:
        assert path.read_bytes() == (again.results / path.relative_to(first)).read_bytes()


def test_the_bundles_card_is_written_beside_the_report(clinical_only, tmp_path):
    config, folder = copy_of(clinical_only, tmp_path)
    write_report(config, folder)
    assert not folder.table("model_card.md").exists()
    write_bundle(Bundle(CARDED, {}), folder.bundle)
    write_report(config, folder)
    assert folder.table("model_card.md").read_text(encoding="utf-8") == model_card(CARDED)
    places = pd.read_csv(folder.table("checklist_claim.csv"), dtype=str).set_index("item")["where"]
    assert "model_card.md" in places["3"].split("; ")
