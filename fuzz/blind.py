"""Mutators that know nothing of a file's structure."""

import random

_LONGEST_RUN = 64
_MOST_BITS = 8


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, _MOST_BITS)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def change_head(content: bytes, rng: random.Random) -> bytes:
    """Change bytes near the start, where sizes and kinds are written."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(min(len(changed), 200))] = rng.randrange(256)
    return bytes(changed)


def overwrite_run(content: bytes, rng: random.Random) -> bytes:
    """Set a run of bytes to 00, FF or noise."""
    start, stop = _span(content, rng)
    filled = rng.choice((b"\0", b"\xff", rng.randbytes(1))) * (stop - start)
    noise = rng.randbytes(stop - start)
    return content[:start] + rng.choice((filled, noise)) + content[stop:]


def overwrite_number(content: bytes, rng: random.Random) -> bytes:
    """Write an extreme integer of 2, 4 or 8 bytes somewhere."""
    width = rng.choice((2, 4, 8))
    top = 1 << (8 * width)
    number = rng.choice((0, 1, top - 1, top // 2, top // 2 - 1, 0x10000 % top, rng.randrange(top)))
    start = rng.randrange(max(1, len(content) - width))
    written = number.to_bytes(width, "big")
    return content[:start] + rng.choice((written, written[::-1])) + content[start + width :]


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    run = rng.choice((rng.randbytes(1), b"\0", b"\xff", b"\n", b'"')) * rng.randint(1, _LONGEST_RUN)
    return content[:place] + rng.choice((run, rng.randbytes(len(run)))) + content[place:]


def remove(content: bytes, rng: random.Random) -> bytes:
    start, stop = _span(content, rng)
    return content[:start] + content[stop:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    start, stop = _span(content, rng, longest=4096)
    times = rng.choice((2, 3, 20, 1000))
    return content[:start] + content[start:stop] * times + content[stop:]


def swap(content: bytes, rng: random.Random) -> bytes:
    """Exchange two neighbouring spans."""
    places = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    a, b, c = places
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def splice(content: bytes, rng: random.Random, *, other: bytes) -> bytes:
    """Put the end of another file behind the start of this one."""
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _span(content: bytes, rng: random.Random, *, longest: int = _LONGEST_RUN) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.randint(1, longest))


MUTATORS = (
    flip_bits,
    change_head,
    overwrite_run,
    overwrite_number,
    truncate,
    insert,
    remove,
    repeat,
    swap,
)
