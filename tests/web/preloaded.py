"""A process that has imported axilla's server; it forks once for each server that is asked for.

Importing takes seconds of processor time, forking next to none. Passwords are hashed at the least
cost here; what depends on their true cost starts a process of its own.

`python preloaded.py SOCKET` serves requests on an inherited socket, each one message of JSON.
"""

import gc
import importlib
import inspect
import json
import os
import pkgutil
import socket
import sys

import argon2
import PIL.Image

PREDICTION_ONLY = {
    "axilla.web.prediction.worker.bundle_runtime",
}
STARTUP_MODULES = (
    "axilla.cli.serve",
    "axilla.explanation.reader_study.stage",
    "nicegui.elements.input",
    "nicegui.functions.html",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "websockets.server",
)
LEAST_COST = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}


def hash_cheaply() -> None:
    """Change the defaults with which axilla makes its hasher."""
    start = argon2.PasswordHasher.__init__
    parameters = inspect.signature(start).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    start.__defaults__ = tuple((defaults | LEAST_COST).values())


def import_server() -> None:
    """Import what a running server has imported, and leave it out of what garbage collection sees.

    What only its processes of prediction import is heavy, and left to them.
    """
    web = importlib.import_module("axilla.web")
    for module in pkgutil.walk_packages(web.__path__, "axilla.web."):
        if module.name not in PREDICTION_ONLY:
            importlib.import_module(module.name)
    for name in STARTUP_MODULES:
        importlib.import_module(name)
    PIL.Image.init()
    gc.collect()
    gc.freeze()


def become_server(arguments: list[str], output: int) -> None:
    """Run `axilla serve` in this process, as its main program."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.stdout.reconfigure(line_buffering=True)
    sys.argv = ["axilla", "serve", *arguments]
    from axilla.cli.main import app  # noqa: PLC0415 - only in the child

    app()


def main() -> None:
    hash_cheaply()
    import_server()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        while True:
            message, files, _, _ = socket.recv_fds(requests, 1 << 16, 1)
            if not message:
                return
            asked = json.loads(message)
            if "wait" in asked:
                pid, status = os.waitpid(asked["wait"], os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            elif answer := os.fork():
                os.close(files[0])
            else:
                requests.close()
                become_server(asked["arguments"], files[0])
            requests.sendall(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
