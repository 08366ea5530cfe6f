"""Mutators of BMP: the header's numbers."""

import random
import struct

_EXTREMES = (0, 1, -1, 7, 9_433, 100_000, 0x7FFFFFFF, -0x80000000)


def change_header(content: bytes, rng: random.Random) -> bytes:
    """Lie about size, planes, bits, compression or colours."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(4):
            case 0:
                struct.pack_into("<i", changed, rng.choice((18, 22)), rng.choice(_EXTREMES))
            case 1:
                bits = rng.choice((0, 1, 2, 4, 8, 16, 24, 32, 64, 65_535))
                struct.pack_into("<H", changed, rng.choice((26, 28)), bits)
            case 2:
                number = rng.choice((0, 1, 2, 3, 4, 5, 6, 12, 40, 64, 108, 124, 0x7FFFFFFF))
                struct.pack_into("<I", changed, rng.choice((10, 14, 30, 46)), number)
            case _:
                struct.pack_into("<I", changed, rng.choice((34, 38, 42, 50)), 0xFFFFFFFF)
    return bytes(changed)


def run_length(content: bytes, rng: random.Random) -> bytes:  # noqa: ARG001 - a mutator
    """Be a run-length encoded image, whose runs may pass the edge of the image or never end."""
    width, height = rng.choice(((16, 16), (3_000, 3_000), (30_000, 2_900), (1, 60_000)))
    runs = rng.choice((b"\xff\0", b"\0\2\xff\xff", b"\0\0", b"\0\3ABC\0", rng.randbytes(64)))
    data = runs * rng.choice((1, 50, 20_000)) + b"\0\1"
    palette = bytes(range(256)) * 4
    start = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, rng.choice((8, 4)),
                       rng.choice((1, 2)), len(data), 0, 0, 256, 0)  # fmt: skip
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + palette + data


MUTATORS = (change_header, change_header, run_length)
