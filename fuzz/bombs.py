"""Little that unpacks to much."""

import zlib
from functools import lru_cache

_STEP = 1 << 20


@lru_cache(maxsize=8)
def deflated_zeros(size: int, *, raw: bool = False) -> bytes:
    """Return `size` zero bytes deflated, without ever holding them all; `raw` has no header."""
    return deflated(b"\0", size, raw=raw)


def deflated(unit: bytes, size: int, *, raw: bool = False) -> bytes:
    """Return `unit` repeated up to `size` bytes, deflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15 if raw else 15)
    step = unit * max(1, _STEP // len(unit))
    packed = [packer.compress(step) for _ in range(size // len(step))]
    packed.append(packer.compress(step[: size % len(step)]))
    return b"".join(packed) + packer.flush()
