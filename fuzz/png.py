"""Mutators of PNG: chunks changed with their checksums made right again."""

import random
import struct
import zlib
from collections.abc import Iterable

from fuzz.bombs import deflated_zeros

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (0, 1, 7, 9_000, 9_433, 20_000, 65_535, 100_000, 0x7FFFFFFF, 0xFFFFFFFF)
_KINDS = ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16)))
Chunk = tuple[bytes, bytes]


def chunks(content: bytes) -> list[Chunk]:
    """Return (type, data) of the chunks as far as they can be read."""
    found, place = [], len(SIGNATURE)
    while place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        found.append((kind, content[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def joined(parts: Iterable[Chunk]) -> bytes:
    """Return a PNG file of these chunks."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def blank(width: int, height: int, *, depth: int, colour: int, interlaced: bool = False) -> bytes:
    """Return a PNG of this size whose pixels are all zero: small as a file, large in memory."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    size = height * (1 + (width * samples * depth + 7) // 8)
    palette = [(b"PLTE", bytes(range(48)))] if colour == 3 else []
    return joined([(b"IHDR", header), *palette, (b"IDAT", deflated_zeros(size)), (b"IEND", b"")])


def change_header(content: bytes, rng: random.Random) -> bytes:
    """Lie about size, depth, colour or interlacing."""
    parts = chunks(content)
    kind, data = parts[0]
    fields = list(struct.unpack(">IIBBBBB", data[:13]))
    for _ in range(rng.randint(1, 3)):
        which = rng.randrange(7)
        fields[which] = (
            rng.choice((*SIDES, fields[which] + 1, max(0, fields[which] - 1)))
            if which < 2
            else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        )
    return joined([(kind, struct.pack(">IIBBBBB", *fields)), *parts[1:]])


def large_and_blank(content: bytes, rng: random.Random) -> bytes:  # noqa: ARG001 - a mutator
    """Be a whole image of zeros, just below or above the largest allowed."""
    colour, depths = rng.choice(_KINDS)
    width = rng.choice((9_433, 9_434, 1, 89_000_000, 88_999, 3_000, 30_000))
    height = rng.choice((max(1, 89_000_000 // width), 9_433, 2_000))
    height = min(height, max(1, 90_000_000 // width))
    return blank(width, height, depth=rng.choice(depths), colour=colour,
                 interlaced=rng.random() < 0.2)  # fmt: skip


def zip_bomb(content: bytes, rng: random.Random) -> bytes:
    """Unpack to far more than the header says: in pixels, text or colour profile."""
    parts = chunks(content)
    bomb = deflated_zeros(rng.choice((50 << 20, 400 << 20)))
    kind, data = rng.choice(
        (
            (b"IDAT", bomb),
            (b"zTXt", b"Comment\0\0" + bomb),
            (b"iTXt", b"Comment\0\1\0en\0\0" + bomb),
            (b"iCCP", b"profile\0\0" + bomb),
        )
    )
    if kind == b"IDAT":
        return joined([(k, data if k == kind else d) for k, d in parts])
    place = rng.choice((1, len(parts) - 1))
    return joined([*parts[:place], (kind, data), *parts[place:]])


def change_chunks(content: bytes, rng: random.Random) -> bytes:
    """Leave out, repeat, exchange, rename or empty chunks."""
    parts = chunks(content)
    which = rng.randrange(len(parts))
    kind, data = parts[which]
    new = rng.choice((b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"gAMA", b"acTL", b"fcTL", b"fdAT",
                      b"pHYs", b"cHRM", b"sRGB", b"IEND"))  # fmt: skip
    replaced = rng.choice(
        (
            [],
            [parts[which]] * rng.choice((2, 500)),
            [(kind, b"")],
            [(new, data)],
            [(kind, data), (new, rng.randbytes(rng.choice((0, 1, 4, 26, 700))))],
            [(kind, data[: rng.randrange(len(data) + 1)])],
        )
    )
    return joined([*parts[:which], *replaced, *parts[which + 1 :]])


def change_pixels(content: bytes, rng: random.Random) -> bytes:
    """Change the unpacked scan lines, filter bytes too, and pack them again."""
    parts = chunks(content)
    raw = bytearray(zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT")))
    for _ in range(rng.randint(1, 20)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    packed = zlib.compress(bytes(raw[: rng.choice((len(raw), len(raw) // 2, len(raw) - 1))]))
    first = [kind for kind, _ in parts].index(b"IDAT")
    others = [part for part in parts if part[0] != b"IDAT"]
    return joined([*others[:first], (b"IDAT", packed), *others[first:]])


MUTATORS = (change_header, large_and_blank, zip_bomb, change_chunks, change_pixels)
