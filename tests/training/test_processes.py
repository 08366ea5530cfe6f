"""Work in a process of its own: its answer, and giving it up."""

import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path
from threading import Event

import pytest

from axilla.training.engine.processes import call_in_background, send_result


def test_the_answer_comes_while_others_work():
    answers, arrived = [], Event()
    call_in_background("math", "sqrt", 2.25, on_result=lambda x: (answers.append(x), arrived.set()))
    assert arrived.wait(60)
    assert answers == [1.5]


def test_work_that_is_given_up_says_nothing():
    before, answers = set(threading.enumerate()), []
    give_up = call_in_background("time", "sleep", 600.0, on_result=answers.append)
    give_up()
    (waiting,) = set(threading.enumerate()) - before
    waiting.join(60)
    assert not waiting.is_alive()
    assert answers == []


def test_what_axilla_refuses_has_no_answer_and_a_listener_may_have_gone():
    answers, answered = Pipe(duplex=False)
    send_result(answered, "axilla.config.load", "read_study", (Path("no such file"),))
    assert not answers.poll()
    send_result(answered, "math", "sqrt", (4.0,))
    assert answers.recv() == 2.0
    answers.close()
    send_result(answered, "math", "sqrt", (4.0,))


INTERRUPTED = """
import os, signal, sys, time
from threading import Event
from axilla.training.engine.processes import call_in_background, start_server

done = Event()

def answer(x):
    print(x, flush=True)
    done.set()

start_server()
call_in_background("builtins", "len", bytes(10**6), on_result=answer)  # more than a pipe holds
time.sleep(0.5)
try:
    os.killpg(0, signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    pass
if sys.argv[1] == "ends":
    os._exit(0)  # at once: not after the answer that is still under way
assert done.wait(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("then", ["goes on", "ends"])
def test_ctrl_c_while_the_server_imports_prints_nothing(then: str):
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", INTERRUPTED, then],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    # On a busy machine the answer may come before Ctrl+C does.
    assert ended.stdout in ({"1000000\n"} if then == "goes on" else {"", "1000000\n"})
    assert ended.stderr == ""
