"""What browsers must prove before the application sees a request: where it comes from, its size."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_OWN_SITE: Final = ("same-origin", "none")
# Vue's templates are compiled in the browser and NiceGUI writes its page into a script element,
# so scripts cannot be held to nonces; nothing may come from, or go to, any other place.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' {socket}; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_PLAIN: Final = re.compile(r"[^\w.:\[\]-]")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class OriginCheck:
    """Refuses requests of other sites and of unknown host names, and sets what browsers obey."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        """Let requests to `hosts` in; to any name if there are none."""
        self._app = app
        self._hosts = frozenset(host.strip("[]").casefold() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 or 400, or pass the request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._hosts and _host_name(headers.get("host", "")) not in self._hosts:
            await _refuse(scope, send, 400, "a host name that this server does not have")
            return
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changes and not _of_own_site(headers):
            await _refuse(scope, send, 403, "a request that another site made")
            return
        await self._app(scope, receive, _with_headers(scope, headers, send))


class BodyLimit:
    """Refuses bodies above a limit, whatever their headers say, without reading them whole."""

    def __init__(
        self, app: ASGIApp, *, most: int, uploads: int, upload_paths: Iterable[str]
    ) -> None:
        """Allow `most` bytes, and `uploads` bytes at paths that take images."""
        self._app = app
        self._most, self._uploads = most, uploads
        self._paths = tuple(upload_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._uploads if scope["path"] in self._paths else self._most
        stated = Headers(scope=scope).get("content-length", "0")
        found = f"a body of more than {limit} bytes"
        if not stated.isdigit() or int(stated) > limit:
            await _refuse(scope, send, 413, found)
            return
        counter = _Counter(receive, send, limit)
        await self._app(scope, counter.receive, counter.send)
        if counter.cut:
            await _refuse(scope, send, 413, found)


class _Counter:
    """Counts a body as it comes; past the limit the application reads and says nothing more."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._seen, self._over, self._answered = 0, False, False

    @property
    def cut(self) -> bool:
        """Tell whether the body was too long, and nobody has answered."""
        return self._over and not self._answered

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._over = self._over or self._seen > self._limit
        # As if the client had gone: what reads the body stops.
        return {"type": "http.disconnect"} if self._over else message

    async def send(self, message: Message) -> None:
        if self._over and not self._answered:
            return
        self._answered = True
        await self._send(message)


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold()
    except ValueError:
        return ""


def _of_own_site(headers: Headers) -> bool:
    """Tell whether a browser made this on our own page, or no browser made it."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.casefold() == headers.get("host", "").casefold()
        except ValueError:
            return False
    return headers.get("sec-fetch-site", "none") in _OWN_SITE


def _with_headers(scope: Scope, headers: Headers, send: Send) -> Send:
    secure = scope.get("scheme") in ("https", "wss")
    host = _PLAIN.sub("", headers.get("host", ""))
    policy = _POLICY.format(socket=f"ws{'s' if secure else ''}://{host}")

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            found = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                found.setdefault(name, value)
            found.setdefault("Content-Security-Policy", policy)
            if secure:
                found.setdefault("Strict-Transport-Security", "max-age=31536000")
            if scope["path"].startswith("/assets"):
                found.setdefault("Cache-Control", "no-cache")  # asked again, and then 304
            elif not scope["path"].startswith("/_nicegui"):
                found.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, status: int, found: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": found})
        return
    content: dict[str, Any] = {"detail": {"place": "request", "found": found}}
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
