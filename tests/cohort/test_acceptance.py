import pytest

from axilla.checks.waivers import accept, refuse_unacceptable
from axilla.config.sections import AcceptedFinding
from axilla.records.errors import ConfigError, Problem
from axilla.records.findings import Finding, by_severity, error, errors_in, warning

PROBLEM = Problem("cohort.csv, row 2", "something", "something else", "Do this.")


def accepted(code, *patients, reason="seen by two readers"):
    return AcceptedFinding(code=code, patients=patients, reason=reason)


def of(code, *patients, kind=warning):
    return kind(code, PROBLEM, patients=patients)


def severities(findings):
    return [(f.code, f.severity, f.patients) for f in findings]


def test_a_code_without_patients_covers_every_finding_of_it_in_place():
    findings = [of("image_blurred", "A"), of("sparse"), of("image_blurred", "B"), of("low_tissue")]
    settled = accept(findings, [accepted("image_blurred")])
    assert severities(settled) == [
        ("image_blurred", "accepted", ("A",)),
        ("sparse", "warning", ()),
        ("image_blurred", "accepted", ("B",)),
        ("low_tissue", "warning", ()),
    ]
    assert [f.reason for f in settled] == ["seen by two readers", None, "seen by two readers", None]
    assert settled[0].problem == PROBLEM


def test_patients_limit_an_acceptance_to_themselves():
    findings = [of("image_blurred", "A"), of("image_blurred", "B")]
    settled = accept(findings, [accepted("image_blurred", "B")])
    assert [f.severity for f in settled] == ["warning", "accepted"]


def test_a_finding_that_lists_patients_is_split():
    settled = accept([of("modality_missing", "A", "B", "C")], [accepted("modality_missing", "C")])
    assert severities(settled) == [
        ("modality_missing", "accepted", ("C",)),
        ("modality_missing", "warning", ("A", "B")),
    ]
    assert settled[1].problem.found == "something, accepted for 1 of the 3"


def test_two_acceptances_give_each_part_its_own_reason():
    settled = accept(
        [of("modality_missing", "A", "B", "C")],
        [
            accepted("modality_missing", "A", reason="lost in a fire"),
            accepted("modality_missing", "B", "C", reason="never taken"),
        ],
    )
    assert [(f.severity, f.patients, f.reason) for f in settled] == [
        ("accepted", ("A",), "lost in a fire"),
        ("accepted", ("B", "C"), "never taken"),
    ]


@pytest.mark.parametrize(
    ("named", "severity", "unused"),
    [(("A", "B"), "accepted", []), (("A",), "error", ["A"]), ((), "accepted", [])],
)
def test_what_ties_patients_together_needs_all_of_them(named, severity, unused):
    settled = accept(
        [of("image_duplicate", "A", "B", kind=error)], [accepted("image_duplicate", *named)]
    )
    assert (settled[0].severity, settled[0].patients) == (severity, ("A", "B"))
    assert [list(f.patients) for f in settled[1:]] == ([unused] if unused else [])
    assert all("all of them named" in f.problem.remedy for f in settled[1:])
    assert bool(errors_in(settled)) == (severity == "error")


def test_a_finding_on_nobody_in_particular_is_not_accepted_for_one_patient():
    settled = accept([of("metadata_predicts")], [accepted("metadata_predicts", "A")])
    assert [f.code for f in settled] == ["metadata_predicts", "accept_unused"]
    assert settled[0].severity == "warning"
    assert accept([of("metadata_predicts")], [accepted("metadata_predicts")])[0].reason


def test_an_acceptance_of_nothing_is_a_warning_that_says_which():
    items = [accepted("image_blurred", "A", "Z"), accepted("doppler")]
    settled = accept([of("image_blurred", "A")], items)
    assert severities(settled) == [
        ("image_blurred", "accepted", ("A",)),
        ("accept_unused", "warning", ("Z",)),
        ("accept_unused", "warning", ()),
    ]
    assert settled[1].problem.place == "study.toml, accept 1 (image_blurred)"
    assert settled[2].problem.place == "study.toml, accept 2 (doppler)"


def test_an_unknown_code_names_the_nearest():
    with pytest.raises(ConfigError, match=r"accept 1: found 'image_blury'.* Did you mean image_bl"):
        accept([], [accepted("image_blury")])


@pytest.mark.parametrize(
    "code", ["file_missing", "roi", "outcome", "splits", "table", "accept_unused"]
)
def test_what_a_study_cannot_run_with_is_refused_with_the_reason(code):
    with pytest.raises(ConfigError) as caught:
        refuse_unacceptable([accepted("image_blank"), accepted(code)])
    (problem,) = caught.value.problems
    assert problem.place == "study.toml, accept 2"
    assert code in problem.found
    assert "emove" in problem.remedy


def test_a_code_of_both_grades_is_accepted_as_a_warning_and_stands_as_an_error():
    findings = [of("no_modality", "A"), of("no_modality", "B", kind=error)]
    assert severities(accept(findings, [accepted("no_modality")])) == [
        ("no_modality", "accepted", ("A",)),
        ("no_modality", "error", ("B",)),
    ]


def test_check_json_keeps_three_lists_and_the_reason():
    settled = accept(
        [of("image_blank", "A", kind=error), of("roi", "B", kind=error), of("sparse")],
        [accepted("image_blank")],
    )
    lists = by_severity(settled)
    assert {name: [f["code"] for f in found] for name, found in lists.items()} == {
        "errors": ["roi"],
        "warnings": ["sparse"],
        "accepted": ["image_blank"],
    }
    assert lists["accepted"][0]["reason"] == "seen by two readers"
    assert "reason" not in lists["errors"][0]
    assert Finding("roi", "error", PROBLEM).reason is None
