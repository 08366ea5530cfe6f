"""Drawing cases, what decoys look like, and reading answers with faults."""

import json
from collections import Counter

import numpy as np
import pytest

from axilla.config.sections import ReviewSection
from axilla.explanation.reader_study.answers import read_answers
from axilla.explanation.reader_study.blinding_key import Key, as_json, read_key
from axilla.explanation.reader_study.case_sampling import EligiblePatient, draw_cases
from axilla.explanation.reader_study.packets import (
    COLUMNS,
    Packet,
    disguise_decoy,
    has_answers,
    render_picture,
    template,
    usable_decoy,
)
from axilla.explanation.reader_study.reading_questions import criteria_of
from axilla.records.errors import ConfigError, StudyError
from axilla.records.roi_rectangle import Roi

BOTH = ("ultrasound", "pathology")


def drawn(n=60, *, cases=50, readers=2, share=0.25, seed=0, decoys=BOTH):
    candidates = {f"P{k:03d}": EligiblePatient(BOTH, decoys) for k in range(n)}
    rng = np.random.default_rng(seed)
    return draw_cases(candidates, cases=cases, readers=readers, decoy_share=share, rng=rng)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("cases", [1, 2, 3, 7, 50, 60])
def test_showings_of_one_case_stand_far_apart_and_orders_are_balanced(cases, share):
    found = drawn(cases=cases, readers=4, share=share)
    count = Counter(item.patient_id for item in found.items)
    doubled = {patient for patient, n in count.items() if n == 2}
    assert len(count) == cases
    assert len(doubled) == min(int(share * cases + 0.5), cases // 2)
    codes = [item.case for item in found.items]
    assert codes == sorted(set(codes))
    real_first = []
    for order in found.orders.values():
        assert sorted(order) == codes
        place = {case: k for k, case in enumerate(order)}
        for patient in doubled:
            real, decoy = (
                place[i.case]
                for kind in ("real", "decoy")
                for i in found.items
                if (i.patient_id, i.map) == (patient, kind)
            )
            assert abs(real - decoy) > len(codes) // 3
            real_first.append(real < decoy)
    assert sum(real_first) * 2 == len(real_first)
    if cases >= 7:
        assert len(set(found.orders.values())) == 4


def test_every_patient_is_as_likely_and_codes_tell_nothing():
    picked, early = Counter(), Counter()
    for seed in range(400):
        found = drawn(12, cases=6, share=0.5, seed=seed)
        picked.update({item.patient_id for item in found.items})
        early.update(item.map for item in found.items[:3])
    # 400 draws of 6 in 12: mean 200, sd 10.
    assert max(abs(n - 200) for n in picked.values()) < 40
    # One third of nine showings are decoys, in the first three codes as anywhere: mean 400.
    assert abs(early["decoy"] - 400) < 60


def test_a_draw_is_repeatable_and_its_seed_matters():
    assert drawn(seed=3) == drawn(seed=3)
    assert drawn(seed=3).items != drawn(seed=4).items
    assert drawn(readers=3).orders["R1"] == drawn(readers=2).orders["R1"]


def test_without_decoys_every_case_is_shown_once():
    found = drawn(decoys=())
    assert {item.map for item in found.items} == {"real"}
    assert len(found.items) == 50


def test_a_disguised_decoy_differs_only_in_place():
    rng = np.random.default_rng(0)
    real, decoy = rng.normal(size=(2, 7, 7)).astype(np.float32)
    made = disguise_decoy(decoy / 1000, real)
    np.testing.assert_array_equal(np.sort(made, axis=None), np.sort(np.abs(real), axis=None))
    assert np.abs(decoy).argmax() == made.argmax()
    assert np.abs(decoy).argmin() == made.argmin()
    assert usable_decoy(decoy)
    assert not usable_decoy(np.zeros((7, 7), np.float32))
    assert not usable_decoy(None)


def test_the_sign_of_evidence_is_not_shown():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (50, 60, 3), dtype=np.uint8)
    values = rng.normal(size=(7, 7)).astype(np.float32)
    window = Roi(-6, 10, 30, 20)
    one, other = (
        render_picture(pixels, sign * values, window=window, scale=2.0) for sign in (1, -1)
    )
    assert one == other
    assert one.box_percent == (-10, 20, 50, 40)
    assert one.size_px == (60, 50)


@pytest.mark.parametrize(
    "texts",
    [
        {"ultrasound": ("Halo", "halo "), "pathology": ("x",)},
        {"ultrasound": (), "pathology": ()},
    ],
)
def test_criteria_that_cannot_be_asked(texts):
    with pytest.raises(ConfigError, match="review"):
        criteria_of(ReviewSection.model_construct(**texts))


def test_the_papers_criteria_are_the_default():
    found = criteria_of(ReviewSection())
    assert [len(texts) for texts in found.values()] == [2, 5]
    assert "lymphatic tumour emboli" in found["pathology"]
    assert list(criteria_of(ReviewSection(ultrasound=()))) == ["pathology"]


@pytest.fixture
def key(tmp_path):
    found = drawn(8, cases=6, share=0.2)
    criteria = {"ultrasound": ("border",), "pathology": ("stroma", "emboli, lymphatic")}
    made = Key("abc123", 1, "multilayer", criteria, found.items, found.orders)
    path = tmp_path / "key.json"
    path.write_text(json.dumps(as_json(made)))
    assert read_key(path) == made
    return made


@pytest.mark.parametrize("text", [None, "{", "[]", '{"packet": "x"}', '{"items": 3}'])
def test_a_missing_or_damaged_key_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "key.json").write_text(text)
    with pytest.raises(StudyError, match=r"key.json"):
        read_key(tmp_path / "key.json")


def packet(key, reader):
    return Packet(key.packet, reader, key.criteria, tuple(map(key.item, key.orders[reader])))


def filled(key, reader, *changes):
    """A reader's table with every answer yes, and then changes of (row, column, text)."""
    lines = template(packet(key, reader)).decode("utf-8-sig").splitlines()
    table = [line.replace('"emboli, lymphatic"', "emboli# lymphatic").split(",") for line in lines]
    for row in table[1:]:
        row[4:6] = "yes", "no"
    for row, column, text in changes:
        table[row][COLUMNS.index(column)] = text
    text = "\r\n".join(",".join(row) for row in table)
    return text.replace("emboli# lymphatic", '"emboli, lymphatic"').encode("utf-8-sig")


def test_tables_of_both_readers_are_read_in_any_order(key, tmp_path):
    paths = []
    for reader in ("R2", "R1"):
        paths.append(tmp_path / f"{reader}.csv")
        paths[-1].write_bytes(filled(key, reader))
    found = read_answers(paths, key)
    assert (found.faults, found.missing) == ((), ())
    assert len(found.ratings) == 2 * 7 * 3
    assert {(r.present, r.matches) for r in found.ratings.values()} == {(True, False)}


def test_excel_with_semicolons_and_other_words_is_read(key, tmp_path):
    text = filled(key, "R1").decode("utf-8-sig").replace(",yes,no,", ",Present,FALSE,")
    lines = [line.replace('"emboli, lymphatic"', "Emboli,  Lymphatic") for line in text.split("\n")]
    lines = [
        ";".join(line.replace("Emboli,  L", "Emboli#  L").split(",")).replace("#", ",")
        for line in lines
    ]
    path = tmp_path / "r1.csv"
    path.write_text("\n".join(lines), encoding="utf-16")
    found = read_answers([path], key)
    assert found.faults == ()
    assert len(found.ratings) == 21
    assert [str(one).split(":")[0] for one in found.missing] == ["reader R2"]


@pytest.mark.parametrize(
    ("change", "words", "lost"),
    [
        ((1, "case", "C99"), ("row 2", "case 'C99'", "C01"), 1),
        ((1, "reader", "R7"), ("row 2", "reader 'R7'", "R1, R2"), 1),
        ((1, "modality", "mri"), ("row 2", "modality 'mri'"), 1),
        ((1, "criterion", "bordr"), ("row 2", "'bordr'", "Did you mean 'border'"), 1),
        ((1, "criterion", ""), ("row 2", "no criterion"), 1),
        ((1, "present", ""), ("row 2", "column present", "empty rating", "yes or no"), 1),
        ((1, "present", "maybe"), ("row 2", "'maybe'", "yes or no"), 1),
        ((1, "attention_matches", ""), ("row 2", "column attention_matches", "empty rating"), 0),
        ((1, "attention_matches", "??"), ("row 2", "'??'"), 0),
        ((1, "packet", "zzz"), ("row 2", "packet 'zzz'", "own export"), 1),
    ],
)
def test_a_fault_says_where_and_what_to_do_and_the_rest_is_kept(key, tmp_path, change, words, lost):
    path = tmp_path / "r1.csv"
    path.write_bytes(filled(key, "R1", change))
    found = read_answers([path], key)
    assert len(found.ratings) == 21 - lost
    text = "\n".join(map(str, found.faults))
    for word in ("r1.csv", *words):
        assert word in text


def test_a_contradiction_counts_for_neither(key, tmp_path):
    path = tmp_path / "r1.csv"
    path.write_bytes(filled(key, "R1", (1, "present", "no"), (1, "attention_matches", "yes")))
    found = read_answers([path], key)
    assert len(found.ratings) == 20
    assert [str(fault).count("where present is no") for fault in found.faults] == [1]


def test_two_different_answers_are_a_fault_and_two_equal_ones_are_not(key, tmp_path):
    paths = [tmp_path / name for name in ("a.csv", "b.csv")]
    paths[0].write_bytes(filled(key, "R1"))
    paths[1].write_bytes(filled(key, "R1", (3, "present", "no"), (3, "attention_matches", "")))
    found = read_answers(paths, key)
    assert len(found.ratings) == 20
    (fault,) = found.faults
    assert "two different answers" in str(fault)
    assert "a.csv, row 4 and b.csv, row 4" in str(fault)


def test_empty_ratings_are_faults_in_begun_cases_and_gaps_elsewhere(key, tmp_path):
    path = tmp_path / "r1.csv"
    empty = [(row, column, "") for row in (1, 4, 5, 6) for column in COLUMNS[4:6]]
    path.write_bytes(filled(key, "R1", *empty))
    found = read_answers([path], key)
    assert len(found.ratings) == 17
    (fault,) = found.faults
    assert f"{key.orders['R1'][0]}: found 1 of 3 ratings empty (ultrasound: border)" in str(fault)
    assert key.orders["R1"][1] in str(found.missing[0])
    # What is empty in one file and filled in another is filled.
    whole = tmp_path / "whole.csv"
    whole.write_bytes(filled(key, "R1"))
    assert read_answers([path, whole], key).faults == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{"),
        ("a.json", "[1]"),
        ("a.json", '{"reader": "R1", "answers": 5}'),
        ("a.json", '{"reader": "R1", "answers": [5]}'),
        ("a.csv", "a,b\n1,2\n"),
        ("a.csv", ""),
        ("a.docx", "x"),
        ("gone.csv", None),
        ("gone.json", None),
    ],
)
def test_files_without_answers_are_named_and_the_others_read(key, tmp_path, name, content):
    good, bad = tmp_path / "good.csv", tmp_path / name
    good.write_bytes(filled(key, "R2"))
    if content is not None:
        bad.write_text(content)
    found = read_answers([bad, good], key)
    assert len(found.ratings) == 21
    assert name in str(found.faults[0])


def test_the_pages_json_is_read(key, tmp_path):
    answers = [
        {"case": item.case, "modality": "ultrasound", "criterion": "border", "present": "no"}
        for item in key.items
    ]
    path = tmp_path / "answers-R1.json"
    path.write_text(json.dumps({"packet": key.packet, "reader": "R1", "answers": answers}))
    found = read_answers([path], key)
    assert len(found.ratings) == len(key.items)
    assert len(found.faults) == len(key.items)  # the pathology of each case is still to be rated
    path.write_text(json.dumps({"packet": "other", "reader": "R1", "answers": answers}))
    assert read_answers([path], key).ratings == {}


def test_answers_in_a_folder_are_noticed(key, tmp_path):
    own = [template(packet(key, reader)) for reader in key.orders]
    assert not has_answers(tmp_path / "none", own)
    (tmp_path / "key.json").unlink()
    (tmp_path / "answers.csv").write_bytes(own[0])
    assert not has_answers(tmp_path, own)
    assert not has_answers(tmp_path, [])
    (tmp_path / "answers.csv").write_bytes(filled(key, "R1"))
    assert has_answers(tmp_path, own)
    (tmp_path / "answers.csv").write_bytes(own[0])
    (tmp_path / "answers-R1.json").write_text("{}")
    assert has_answers(tmp_path, own)
