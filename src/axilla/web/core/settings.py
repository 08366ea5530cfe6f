"""What `axilla serve` was asked for, checked once."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from axilla.records.errors import ConfigError, Problem
from axilla.records.run_folder import RunFolder

DATABASE_NAME: Final = "web.db"
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one user from taking the server from the others.

    `waiting` predictions may queue, more are told to come back; sizes are of one request's body,
    but `held_bytes`, which all uploads may hold together.
    Sessions end after `idle_s` without a request, and after `session_s` in any case.
    """

    waiting: int = 64
    batch: int = 16
    prediction_s: float = 120.0
    upload_bytes: int = 256 << 20
    held_bytes: int = 1 << 30
    body_bytes: int = 1 << 20
    idle_s: float = 60 * 60
    session_s: float = 12 * 60 * 60


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where to listen, whom to trust, and where what people enter is kept.

    `proxy` are addresses whose X-Forwarded-* headers count; `names` are further host names that
    browsers use for this server.
    """

    folder: RunFolder
    host: str = "127.0.0.1"
    port: int = 8765
    database: str = ""
    no_auth: bool = False
    certificate: Path | None = None
    key: Path | None = None
    proxy: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    plain_http: bool = False
    bundle: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if problems := [*self._tls_problems(), *self._exposure_problems()]:
            raise ConfigError(problems)

    @property
    def loopback(self) -> bool:
        """Tell whether only this machine can reach the server."""
        if self.host in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secure(self) -> bool:
        """Tell whether the server itself speaks HTTPS."""
        return self.certificate is not None

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Host names a request may name, against DNS rebinding; none: any name."""
        if self.names:
            return (*self.names, *_LOOPBACK_NAMES)
        return (*_LOOPBACK_NAMES, self.host) if self.loopback and not self.proxy else ()

    @property
    def database_url(self) -> str:
        """Return the database's address; by default a file of the study folder."""
        return self.database or f"sqlite:///{self.folder.root / DATABASE_NAME}"

    @property
    def bundle_path(self) -> Path:
        """Return the bundle that predicts: the study's, unless another is named."""
        return self.bundle or self.folder.bundle

    @property
    def address(self) -> str:
        """Return what to type into a browser on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = "localhost" if self.host in ("0.0.0.0", "::") else host  # noqa: S104 - compared
        return f"{'https' if self.secure else 'http'}://{shown}:{self.port}"

    def _tls_problems(self) -> list[Problem]:
        if (self.certificate is None) != (self.key is None):
            expected = "both, or neither"
            return [Problem("--certificate, --key", "one of the two", expected, "Give both files.")]
        return [
            Problem(name, f"{path.name}, no such file", "a PEM file", "Check the path.")
            for name, path in (("--certificate", self.certificate), ("--key", self.key))
            if path is not None and not path.is_file()
        ]

    def _exposure_problems(self) -> list[Problem]:
        if self.loopback:
            return []
        if self.no_auth:
            remedy = "Leave out --no-auth, or serve on 127.0.0.1."
            return [Problem("--no-auth", f"host {self.host}", "a loopback address", remedy)]
        if self.secure or self.proxy or self.plain_http:
            return []
        remedy = (
            "Give --certificate and --key, or --proxy with the address of the proxy that does; "
            "--plain-http if you know that nobody can listen."
        )
        found = f"{self.host} without HTTPS: passwords and images could be read on the way"
        return [Problem("--host", found, "an encrypted connection", remedy)]
