"""Content digests: the same content has the same name, on every machine."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

_DIGEST_BYTES = 16
_CHUNK_BYTES = 1 << 20


def digest_of(*parts: object) -> str:
    """Return the hexadecimal BLAKE2b digest of JSON-able parts, independent of key order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Return one digest of the bytes of several files, in the order given."""
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for path in paths:
        content = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                content.update(chunk)
        state.update(content.digest())
    return state.hexdigest()


def seed_of(*parts: object) -> int:
    """Return a seed (63 bit) that depends on the parts alone, never on the order of other work."""
    return int(digest_of("seed", *parts)[:16], 16) >> 1
