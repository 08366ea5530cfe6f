"""The hunt itself: whatever a reader does wrong is noticed, and the next case goes on."""

import random
from dataclasses import replace

import pytest
from fuzz.cases import BROKEN, make_case
from fuzz.command import chunks_of
from fuzz.formats import FORMATS
from fuzz.hunt import Asked, Limits, Worker, hunt

PLANTED = """
import os, signal, time
from axilla.records.errors import CohortError
from fuzz.cases import Format

def refuse(path): raise CohortError("no")
def raises(path): return {}[path.name]
def hangs(path):
    while True: pass
def slow(path):
    begun = time.process_time()
    while time.process_time() - begun < 0.8: pass
def sleeps(path): time.sleep(60)
def eats(path): return len(bytearray(200 << 20))
def devours(path): return [bytearray(os.urandom(1 << 20) * 100) for _ in range(20)]
def dies(path): os.kill(os.getpid(), signal.SIGSEGV)
def leaves(path): os._exit(0)
def prints(path): os.write(1, b"{}\\n")
doors = (refuse, raises, hangs, slow, sleeps, eats, devours, dies, leaves, prints)
FORMATS = {d.__name__: Format(d.__name__, lambda: {"a.txt": b"seed"}, (), (d,)) for d in doors}
"""
LIMITS = Limits(
    cpu_seconds=0.4, peak_mib=150, kill_cpu_seconds=2, kill_mib=500, kill_wall_seconds=20
)


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Worker(LIMITS, formats="planted") as worker:
        yield worker


@pytest.mark.slow
def test_each_wrong_is_called_by_its_name(worker):
    expected = {
        "refuse": "refused",
        "raises": "traceback",
        "hangs": "hang",
        "slow": "slow",
        "eats": "memory",
        "devours": "memory",
        "dies": "crash",
        "leaves": "crash",
        "prints": "read",
    }
    seen = {name: worker.attempt(Asked(name)) for name in expected}
    assert {name: one.outcome for name, one in seen.items()} == expected
    assert "KeyError" in seen["raises"].said
    assert "dies" in seen["dies"].said, "the stack of a crash"
    assert seen["eats"].peak_mib == pytest.approx(200, abs=20)
    assert all(one.content == b"seed" for one in seen.values() if one.failed)


def test_what_sleeps_is_ended_by_the_clock(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Worker(replace(LIMITS, kill_wall_seconds=2), formats="planted") as worker:
        assert worker.attempt(Asked("sleeps")).outcome == "hang"


@pytest.mark.slow
def test_a_file_can_be_put_to_the_doors(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(FORMATS["png"].seeds["gray.png"])
    with Worker(Limits()) as worker:
        assert worker.attempt(Asked("png", path=path)).outcome == "read"
    assert path.is_file()


def test_a_case_is_made_again_from_its_number():
    for form in (FORMATS["tiff"], FORMATS["xlsx"], FORMATS["csv"], FORMATS["annotation"]):
        first, later = (make_case(form, 40, seed=5) for _ in range(2))
        assert first == later
        others = {
            make_case(form, number, seed=seed).content for number in (40, 41) for seed in (5, 6)
        }
        assert len(others) > 1


@pytest.mark.slow
def test_mutators_that_know_a_format_do_something():
    for form in FORMATS.values():
        if form.name == "bundle":
            continue
        for mutate in dict.fromkeys(form.mutators):
            changes = (
                _changes(mutate, seed, draw) for seed in form.seeds.values() for draw in (1, 2)
            )
            assert any(changes), f"{form.name}: {mutate.__name__} never changes a seed"


def _changes(mutate, seed, draw):
    try:
        return mutate(seed, random.Random(draw)) != seed  # noqa: S311
    except BROKEN:
        return False


def test_inputs_are_shared_out_evenly():
    chunks = chunks_of(["png", "csv", "toml"], inputs=100, seed=1)
    asked = [one for chunk in chunks for one in chunk]
    assert len(set(asked)) == len(asked) == 100
    assert {name: sum(a.form == name for a in asked) for name in ("png", "csv", "toml")} == {
        "png": 34,
        "csv": 33,
        "toml": 33,
    }


def test_failures_do_not_end_the_hunt(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = [Asked(name, number) for name in ("dies", "refuse") for number in range(3)]
    told = []
    seen = hunt([asked], workers=1, limits=LIMITS, formats="planted", told=told.append)
    assert [one.outcome for one in seen] == ["crash"] * 3 + ["refused"] * 3
    assert told == seen
