"""study.toml: every fault at once, each with its place and what to do."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from axilla.config.load import preset_names, read_study
from axilla.config.study import THRESHOLD_FORMS, StudyConfig
from axilla.records.errors import ConfigError

OUTCOME = '[study]\noutcome = "alnm"\n'


@pytest.fixture
def study(tmp_path):
    def write(text):
        path = tmp_path / "study.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def problems(path, **options):
    with pytest.raises(ConfigError) as caught:
        read_study(path, **options)
    assert caught.value.exit_code == 2
    return caught.value.problems


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid_under_the_smallest_study(study, name):
    config = read_study(study(OUTCOME), preset=name)
    assert config.preset == name
    assert config.study.outcome == "alnm"


def test_explicit_settings_lie_over_the_preset_and_leave_the_rest(study):
    plain = read_study(study(OUTCOME))
    config = read_study(study(OUTCOME + '[models]\nultrasound = "plnet"\n'))
    assert config.models.ultrasound == ("plnet",)
    assert config.models.pathology == plain.models.pathology
    assert config.training == plain.training


@pytest.mark.parametrize(
    ("text", "place", "unknown", "nearest"),
    [
        ("[modells]\n", "modells", "modells", "models"),
        ("[models]\nultrasond = ['plnet']\n", "models.ultrasond", "ultrasond", "ultrasound"),
        ("[training]\nhead_epoch = 3\n", "training.head_epoch", "head_epoch", "head_epochs"),
        ("[reader]\ncolumn='r'\npositive=['1']\nnam='x'\n", "reader.nam", "nam", "name"),
        ("[compute]\ncores = 4\n", "compute.cores", "cores", None),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(study, text, place, unknown, nearest):
    (problem,) = problems(study(OUTCOME + text))
    assert problem.place == f"study.toml, {place}"
    assert problem.found == f"unknown key {unknown!r}"
    assert problem.remedy == (f"Did you mean {nearest}?" if nearest else "")
    assert nearest is None or nearest in problem.expected.removeprefix("one of ").split(", ")


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("[training]\nhead_epochs = 0\n", "training.head_epochs", "0"),
        ("[training]\nhead_epochs = 'many'\n", "training.head_epochs", "'many'"),
        ("[validation]\ntest_share = 1.0\n", "validation.test_share", "1.0"),
        ("[validation]\nscheme = 'loo'\n", "validation.scheme", "'loo'"),
        ("[models]\nfuse = ['ultrasound', 'mri']\n", "models.fuse.1", "'mri'"),
        ("[clinical]\nage = 'text'\n", "clinical.age", "'text'"),
        ("[search]\nbatch_sizes = []\n", "search.batch_sizes", "()"),
        ("[explanation]\npatients = 'some'\n", "explanation.patients", "'some'"),
        ("[explanation]\npatients = -1\n", "explanation.patients", "-1"),
        ("[explanation]\npatients = 2.5\n", "explanation.patients", "2.5"),
        ("[explanation]\npatients = true\n", "explanation.patients", "True"),
        ("[explanation]\npatients = [8]\n", "explanation.patients", "[8]"),
    ],
)
def test_a_bad_value_says_where_and_what(study, text, place, found):
    (problem,) = problems(study(OUTCOME + text))
    assert problem.place == f"study.toml, {place}"
    assert problem.found in (found, found.replace("()", "[]"))
    assert problem.expected


def test_all_faults_come_at_once(study):
    text = "[study]\nseed = -1\n[training]\nhead_epochs = 0\nepochs = 3\n"
    places = {problem.place.removeprefix("study.toml, ") for problem in problems(study(text))}
    assert places == {"study.outcome", "study.seed", "training.head_epochs", "training.epochs"}


def test_a_missing_outcome_or_section_names_the_line_to_add(study):
    (problem,) = problems(study("[study]\nname = 'x'\n"))
    assert problem.remedy == "Add outcome to [study]."
    (problem,) = problems(study(""))
    assert problem.remedy == "Add [study]."


@pytest.mark.parametrize("preset", ["qick", "Quick", "../quick", ""])
def test_a_wrong_preset_lists_those_there_are(study, preset):
    (problem,) = problems(study(f"preset = {preset!r}\n{OUTCOME}"))
    assert problem.place == "study.toml, preset"
    assert problem.expected == f"one of {', '.join(preset_names())}"
    assert problems(study(OUTCOME), preset=preset or "none")[0].place == "study.toml, preset"


def test_a_preset_that_is_no_text_is_refused(study):
    (problem,) = problems(study(f"preset = 3\n{OUTCOME}"))
    assert problem.found == "3"


@pytest.mark.parametrize("text", ["[study\n", "outcome = alnm\n", b"[study]\nname = '\xff'\n"])
def test_what_is_not_toml_is_refused(study, text):
    (problem,) = problems(study(text))
    assert problem.place == "study.toml"
    assert problem.expected == "valid TOML in UTF-8"


def test_a_byte_order_mark_is_no_fault(study):
    assert read_study(study(b"\xef\xbb\xbf" + OUTCOME.encode())).study.outcome == "alnm"


def test_a_missing_file_says_how_to_make_one(tmp_path):
    (problem,) = problems(tmp_path / "study.toml")
    assert "axilla init" in problem.remedy


def test_the_command_line_overrides_compute_where_it_says_something(study):
    path = study(OUTCOME + "[compute]\njobs = 3\ndevice = 'cpu'\n")
    compute = read_study(path, compute={"jobs": None, "device": "auto"}).compute
    assert (compute.jobs, compute.device) == (3, "auto")


@pytest.mark.parametrize("rule", ["sensitivity=1", "specificity=1.5", "net_benefit=0.0", "best"])
def test_a_threshold_rule_that_is_none_is_told_the_forms_not_a_pattern(study, rule):
    (problem,) = problems(study(f"{OUTCOME}[validation]\nthreshold = '{rule}'\n"))
    assert problem.place == "study.toml, validation.threshold"
    assert problem.expected == f"a form such as {', '.join(THRESHOLD_FORMS)}"
    assert rule in problem.found


def test_every_pattern_of_the_configuration_has_examples_that_it_accepts():
    found = [
        (section, name, field)
        for section in _sections(StudyConfig)
        for name, field in section.model_fields.items()
        if any(getattr(part, "pattern", None) for part in field.metadata)
    ]
    assert {name for _, name, _ in found} >= {"threshold", "address"}
    for section, name, field in found:
        for example in field.examples:
            assert getattr(section(**{name: example}), name) == example


def test_a_range_of_thresholds_starts_below_its_end(study):
    path = study(f"{OUTCOME}[evaluation]\ndecision_range = [0.6, 0.2]\n")
    (problem,) = problems(path)
    assert problem.expected == "two shares, the lower first"


@given(st.sampled_from([(1, "1"), (1.0, "1"), ("1", "1"), (True, "1"), (0, "0"), ("4c", "4c")]))
def test_a_code_is_compared_as_the_table_prints_it(pair):
    value, text = pair
    config = StudyConfig.model_validate({"study": {"outcome": "x", "positive": value}})
    assert config.study.positive == text


def _sections(model):
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _sections(field.annotation)


def test_every_section_is_frozen_and_refuses_unknown_keys():
    for section in _sections(StudyConfig):
        assert section.model_config["extra"] == "forbid"
        assert section.model_config["frozen"]


def test_a_setting_cannot_be_changed_afterwards(study):
    config = read_study(study(OUTCOME))
    with pytest.raises(ValidationError, match="frozen"):
        config.study.seed = 3


def test_presets_ship_with_the_package():
    folder = files("axilla.config") / "presets"
    found = {entry.name for entry in folder.iterdir() if re.search(r"\.toml$", entry.name)}
    assert found == {f"{name}.toml" for name in preset_names()}
    assert "quick" in preset_names()


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5_000,
        "x = " + "{a=" * 5_000,
        "x = " + "[" * 200 + "]" * 200,
        ".".join("a" * 3_000) + " = 1",
        f"[clinical.{'.'.join('a' * 50)}]\nb = 1",
    ],
    ids=["arrays", "tables", "closed", "dotted", "header"],
)
def test_what_is_nested_too_deeply_is_refused(study, text):
    (problem,) = problems(study(f"{OUTCOME}\n{text}"))
    assert problem.found == "deeply nested values"


def test_a_number_of_thousands_of_digits_is_no_toml(study):
    (problem,) = problems(study(f"[study]\noutcome = {'9' * 5_000}"))
    assert problem.expected == "valid TOML in UTF-8"


def test_a_folder_or_a_vast_file_is_no_study(study, tmp_path):
    (problem,) = problems(tmp_path)
    assert "directory" in problem.found
    (problem,) = problems(study(OUTCOME + "#" * 2_000_000))
    assert problem.found == "more than 256 KiB"


def test_long_values_and_many_faults_are_cut_short(study):
    many = "\n".join(f"k{n} = {'1' * 900}" for n in range(200))
    found = problems(study(f"{OUTCOME}[clinical]\n{many}"))
    assert len(found) == 100
    assert all(len(problem.found) < 210 for problem in found)
