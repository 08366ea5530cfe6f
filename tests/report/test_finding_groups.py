from axilla.report.tables.flow_and_checks import finding_groups, list_names, patients_named, remarks


def finding(code, *patients, place="cohort.csv, row 2", remedy="Do this.", **more):
    return {
        "code": code,
        "place": place,
        "found": "something",
        "expected": "another thing",
        "remedy": remedy,
        "patients": list(patients),
        **more,
    }


CHECK = {
    "accepted": [finding("image_blank", "E", reason="kept to show it")],
    "warnings": [finding("sparse"), finding("image_blurred", "A"), finding("sparse", remedy="Or.")],
    "errors": [finding("image_duplicate", "A", "B"), finding("image_duplicate", "B", "C")],
}


def test_findings_are_grouped_errors_first_in_the_order_of_the_file():
    groups = finding_groups(CHECK)
    assert [(group.severity, group.code, len(group.findings)) for group in groups] == [
        ("error", "image_duplicate", 2),
        ("warning", "sparse", 2),
        ("warning", "image_blurred", 1),
        ("accepted", "image_blank", 1),
    ]
    assert groups[0].title == "Same image in several patients"
    assert groups[0].patients == ("A", "B", "C")
    assert groups[0].counts == "2 findings, 3 patients"
    assert groups[0].remedies == ("Do this.",)
    assert groups[1].remedies == ("Do this.", "Or.")
    assert groups[1].counts == "2 findings"
    assert groups[3].reasons == ("kept to show it",)


def test_a_code_as_error_and_as_warning_is_two_groups():
    check = {"errors": [finding("no_modality", "A")], "warnings": [finding("no_modality", "B")]}
    assert [group.severity for group in finding_groups(check)] == ["error", "warning"]


def test_incomplete_files_of_other_versions_are_read():
    (group,) = finding_groups({"errors": [{"code": "new_code", "patients": None}]})
    assert (group.title, group.findings[0].found, group.patients) == ("New code", "", ())
    assert finding_groups({}) == ()


def test_patients_named_are_those_of_every_list():
    assert patients_named(CHECK) == {"A", "B", "C", "E"}


def test_long_lists_are_cut_and_counted():
    assert list_names("abc", most=3) == "a, b, c"
    assert list_names("abcde", most=3) == "a, b, c and 2 more"


def test_the_report_shows_accepted_findings_last_with_their_reason():
    shown = remarks(CHECK)
    assert [one.severity for one in shown] == ["error"] * 2 + ["warning"] * 3 + ["accepted"]
    assert (shown[-1].reason, shown[-1].patients) == ("kept to show it", "E")
    assert {one.reason for one in shown[:-1]} == {""}
