"""Listening: uvicorn with what `axilla serve` was asked for."""

import os
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from axilla.records.errors import ConfigError, Problem
from axilla.web.app import create_app
from axilla.web.core.settings import ServeSettings

Announce = Callable[[str, str | None], None]


def serve(settings: ServeSettings, *, announce: Announce) -> None:
    """Serve a study until it is told to stop.

    `announce` is told the address, and the link of the first account if nobody has one. Raises
    `ConfigError` if the port is taken.
    """
    # NiceGUI writes nothing into the user's home or the working folder.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(settings.folder.cache / "web"))
    with _listen(settings) as listening:
        app = create_app(settings)
        key = app.state.first_run
        announce(settings.address, f"{settings.address}/setup?key={key}" if key else None)
        uvicorn.Server(_config(app, settings)).run(sockets=[listening])


def _config(app: FastAPI, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(settings.proxy),
        forwarded_allow_ips=list(settings.proxy) or None,
        ssl_certfile=str(settings.certificate) if settings.certificate else None,
        ssl_keyfile=str(settings.key) if settings.key else None,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws_max_size=1 << 20,
        h11_max_incomplete_event_size=1 << 16,
    )


def _listen(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        found = f"{settings.host}:{settings.port}, {error.strerror or error}"
        remedy = "Choose another with --port, or stop the other server."
        raise ConfigError(Problem("--port", found, "a free port", remedy)) from error
    listening.listen(256)
    return listening
