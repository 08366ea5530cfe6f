"""Worker processes, forked from a server that has imported torch, where the system can fork.

This module does not import torch, so that a command can start the server first.
"""

import signal
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running
from threading import Event, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from axilla.records.errors import AxillaError

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext


def start_server() -> None:
    """Start the fork server, which imports torch in the background and ignores Ctrl+C."""
    if get_process_context().get_start_method() != "forkserver":
        return
    if current_thread() is not main_thread():  # only the main thread may change signals
        ensure_running()
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server inherits it
    try:
        ensure_running()
    finally:
        signal.signal(signal.SIGINT, handler)


def get_process_context() -> "ForkServerContext | SpawnContext":
    """Return the start method of workers: the fork server if the system has it, else spawn."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["axilla.training.engine.preload"])
    return context


def call_in_background(
    module: str, function: str, *arguments: object, on_result: Callable[[Any], None]
) -> Callable[[], None]:
    """Call a module's function in a new process, and `on_result` with its result in a thread.

    The module is imported in the new process only. Returns a function that cancels the call. A
    call that raises `AxillaError` has no result.
    """
    receiver, sender = get_process_context().Pipe(duplex=False)
    process = get_process_context().Process(
        target=send_result, args=(sender, module, function, arguments), daemon=True
    )
    cancelled = Event()

    def wait() -> None:
        process.start()  # waits until the server has imported torch
        sender.close()
        if cancelled.is_set():
            process.terminate()
        with suppress(EOFError, OSError):
            result = receiver.recv()
            if not cancelled.is_set():
                on_result(result)

    def cancel() -> None:
        cancelled.set()
        if process.pid is not None:
            process.terminate()

    Thread(target=wait, name="background work", daemon=True).start()
    return cancel


def send_result(
    sender: Connection, module: str, function: str, arguments: tuple[object, ...]
) -> None:
    """Send what a module's function returns; nothing if it raises `AxillaError`."""
    # Ctrl+C reaches this process too. OSError: the receiver is closed.
    with suppress(AxillaError, OSError, KeyboardInterrupt):
        sender.send(getattr(import_module(module), function)(*arguments))
