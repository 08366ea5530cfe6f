"""Processes of this machine that have imported torch: forked from one server, where that exists.

Nothing here imports torch: the server can begin before a command does.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from axilla.records.errors import AxillaError

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext


def start_server() -> None:
    """Let the server that processes are forked from import what they need while others work."""
    if get_process_context().get_start_method() == "forkserver":
        ensure_running()


def get_process_context() -> "ForkServerContext | SpawnContext":
    """Return how processes start: forked from a server that imported torch once, if possible."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["axilla.training.trials", "torchvision.models"])
    return context


def call_in_background(
    module: str, function: str, *arguments: object, on_result: Callable[[Any], None]
) -> Callable[[], None]:
    """Call a module's function in a process of its own; tell `on_result` its answer, in a thread.

    The module is imported there, not here. Returns what gives the call up: from then on `on_result`
    is told nothing. A call that raises `AxillaError` has no answer.
    """
    answers, answered = get_process_context().Pipe(duplex=False)
    process = get_process_context().Process(
        target=send_result, args=(answered, module, function, arguments), daemon=True
    )
    given_up = Event()

    def wait() -> None:
        process.start()  # which may wait for the server's imports
        answered.close()
        if given_up.is_set():
            process.terminate()
        with suppress(EOFError, OSError):
            told = answers.recv()
            if not given_up.is_set():
                on_result(told)

    def give_up() -> None:
        given_up.set()
        if process.pid is not None:
            process.terminate()

    Thread(target=wait, name="background work", daemon=True).start()
    return give_up


def send_result(
    answered: Connection, module: str, function: str, arguments: tuple[object, ...]
) -> None:
    """Send what a module's function returns; nothing if it raises `AxillaError`."""
    # Ctrl+C reaches this process too; OSError: nobody waits for the answer any more.
    with suppress(AxillaError, OSError, KeyboardInterrupt):
        answered.send(getattr(import_module(module), function)(*arguments))
