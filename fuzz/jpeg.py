"""Mutators of JPEG: segments lied about, lost, doubled, and scans without end."""

import random
import struct

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN = 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB)
SIDES = (0, 1, 8, 4_000, 9_433, 30_000, 65_500, 65_535)
Segment = tuple[int, bytes]


def segments(content: bytes) -> tuple[list[Segment], bytes]:
    """Return (marker, payload) of the segments before the first scan's data, and that data."""
    found, place = [], 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _STANDALONE:
            place += 2
            continue
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        found.append((marker, content[place + 4 : place + 2 + length]))
        place += 2 + max(2, length)
        if marker == _START_OF_SCAN:
            break
    return found, content[place:]


def joined(parts: list[Segment], scan: bytes) -> bytes:
    """Return a JPEG file of these segments and this data."""
    head = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", min(0xFFFF, len(payload) + 2)) + payload[:0xFFFD]
        for marker, payload in parts
    )
    return b"\xff\xd8" + head + scan


def change_frame(content: bytes, rng: random.Random) -> bytes:
    """Lie about size, precision, components or sampling."""
    parts, scan = segments(content)
    which = rng.choice([i for i, (marker, _) in enumerate(parts) if marker in _FRAMES])
    marker, payload = parts[which]
    frame = bytearray(payload)
    match rng.randrange(4):
        case 0:
            frame[1:5] = struct.pack(">HH", rng.choice(SIDES), rng.choice(SIDES))
        case 1:
            frame[rng.choice((0, 5))] = rng.choice((0, 1, 2, 3, 4, 5, 8, 12, 16, 255))
        case 2:
            frame[rng.randrange(6, len(frame))] = rng.choice((0, 0x11, 0x14, 0x41, 0x44, 0xFF))
        case _:
            marker = rng.choice(_FRAMES)
    parts[which] = marker, bytes(frame)
    return joined(parts, scan)


def change_segments(content: bytes, rng: random.Random) -> bytes:
    """Leave out, repeat, exchange or rewrite a segment: tables, restarts, EXIF, profiles."""
    parts, scan = segments(content)
    which = rng.randrange(len(parts))
    marker, payload = parts[which]
    noise = rng.randbytes(rng.choice((0, 1, 2, 20, 3_000)))
    new = rng.choice((0xDD, 0xDB, 0xC4, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDC, 0xCC))
    replaced = rng.choice(
        (
            [],
            [parts[which]] * rng.choice((2, 300)),
            [(new, payload)],
            [(marker, payload), (new, noise)],
            [(marker, payload[: rng.randrange(len(payload) + 1)])],
            [(marker, payload), (0xDD, struct.pack(">H", rng.choice((1, 2, 0xFFFF))))],
            [(0xE1, b"Exif\0\0" + noise), (marker, payload)],
            [(0xE2, b"MPF\0" + noise), (marker, payload)],
            [(0xE2, b"ICC_PROFILE\0\1\1" + noise), (marker, payload)],
            [(0xED, b"Photoshop 3.0\0" + noise), (marker, payload)],
        )
    )
    return joined([*parts[:which], *replaced, *parts[which + 1 :]], scan)


def change_scan(content: bytes, rng: random.Random) -> bytes:
    """Damage the compressed data: noise, markers in its midst, an early end."""
    parts, scan = segments(content)
    place = rng.randrange(len(scan) + 1)
    marker = bytes((0xFF, rng.choice((0xD0, 0xD7, 0xD9, 0xDA, 0xC4, 0x00, 0xFF))))
    run = rng.choice((marker, marker * 1000, rng.randbytes(20), b"\0" * 500, b""))
    skip = rng.choice((0, 0, 2, 500))
    return joined(parts, scan[:place] + run + scan[place + skip :])


def endless_scans(content: bytes, rng: random.Random) -> bytes:
    """Be a large progressive image of very many tiny scans, each of which costs a pass."""
    side, scans = rng.choice(((9_400, 50), (9_400, 1_000), (4_000, 5_000), (1_000, 20_000)))
    return progressive(content, side_px=side, scans=scans)


def progressive(content: bytes, *, side_px: int, scans: int) -> bytes:
    """Return a gray progressive JPEG that repeats an empty scan; tables come from `content`."""
    parts, _ = segments(content)
    tables = [part for part in parts if part[0] in (0xDB, 0xC4)]
    frame = struct.pack(">BHHBBBB", 8, side_px, side_px, 1, 1, 0x11, 0)
    # One refinement of the first coefficient, without data: the decoder fills in zeros.
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0x01) + b"\0\0"
    return joined([*tables, (0xC2, frame)], scan * scans + b"\xff\xd9")


MUTATORS = (change_frame, change_segments, change_scan, change_scan, endless_scans)
