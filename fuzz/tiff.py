"""Mutators of TIFF, also as a slide: directory entries lied about, offsets astray, loops."""

import random
import struct
from dataclasses import dataclass

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_EXTREMES = (0, 1, 2, 3, 8, 16, 32, 64, 255, 257, 9_433, 65_535, 100_000, 0x7FFFFFFF, 0xFFFFFFFF)
# Tags whose values steer the decoder, and values that mean something there.
_TELLING = {
    256: (0, 1, 9_433, 100_000, 0xFFFFFFFF),  # width
    257: (0, 1, 9_433, 100_000, 0xFFFFFFFF),  # height
    258: (0, 1, 2, 4, 7, 8, 12, 16, 32, 64, 65_535),  # bits per sample
    259: (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34925, 50000, 50001),  # compression
    262: (0, 1, 2, 3, 4, 5, 6, 8, 32803),  # photometric interpretation
    266: (1, 2),
    274: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65_535),  # orientation
    277: (0, 1, 2, 3, 4, 5, 65_535),  # samples per pixel
    278: (0, 1, 7, 0xFFFFFFFF),  # rows per strip
    284: (1, 2),
    317: (1, 2, 3, 34892),  # predictor
    322: (0, 1, 16, 240, 65_536, 0xFFFFFFFF),  # tile width
    323: (0, 1, 16, 240, 65_536, 0xFFFFFFFF),
    330: (0, 8, 0xFFFFFFFF),  # sub-directories
    338: (0, 1, 2, 65_535),
    339: (1, 2, 3, 4, 5, 6),  # sample format
    530: (1, 2, 4, 255),  # chroma sampling
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory entry: where it stands, and what it holds."""

    place: int
    tag: int
    kind: int
    count: int


@dataclass(frozen=True, slots=True)
class Directory:
    """An image file directory; `after` is where the offset of the next one stands."""

    place: int
    entries: tuple[Entry, ...]
    after: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order and widths of a classic or big TIFF, and its directories."""

    order: str
    big: bool
    directories: tuple[Directory, ...]

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'Q' if self.big else 'I'}")

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'HHQ' if self.big else 'HHI'}")

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'Q' if self.big else 'H'}")


def layout(content: bytes) -> Layout:
    """Read the directories; raise struct.error or ValueError if this is no TIFF."""
    order = {b"II": "<", b"MM": ">"}[content[:2]]
    (magic,) = struct.unpack_from(f"{order}H", content, 2)
    plain = Layout(order, magic == 43, ())
    head = 8 if plain.big else 4
    found: list[Directory] = []
    (place,) = plain.offset.unpack_from(content, head)
    while place and len(found) < 50 and place not in [d.place for d in found]:
        (count,) = plain.count.unpack_from(content, place)
        first = place + plain.count.size
        step = plain.entry.size + plain.offset.size
        entries = tuple(
            Entry(first + i * step, *plain.entry.unpack_from(content, first + i * step))
            for i in range(min(count, 200))
        )
        after = first + len(entries) * step
        found.append(Directory(place, entries, after))
        (place,) = plain.offset.unpack_from(content, after)
    return Layout(order, plain.big, tuple(found))


def _changed(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def _value(seen: Layout, entry: Entry, number: int) -> bytes:
    code = _CODES.get(entry.kind, "I")
    if struct.calcsize(code) > seen.offset.size:
        code = "I"
    top = (1 << (8 * struct.calcsize(code))) - 1
    return struct.pack(f"{seen.order}{code}", min(number, top))


def _picked(content: bytes, rng: random.Random) -> tuple[Layout, Entry]:
    seen = layout(content)
    return seen, rng.choice(rng.choice(seen.directories).entries)


def change_telling(content: bytes, rng: random.Random) -> bytes:
    """Change what steers the decoder: size, bits, compression, predictor, tiles, orientation."""
    seen = layout(content)
    for _ in range(rng.randint(1, 3)):
        entries = [e for e in rng.choice(seen.directories).entries if e.tag in _TELLING]
        entry = rng.choice(entries)
        number = rng.choice(_TELLING[entry.tag])
        new = _value(seen, entry, number)
        place = entry.place + seen.entry.size
        if entry.count * _SIZES.get(entry.kind, 4) > seen.offset.size:
            (place,) = seen.offset.unpack_from(content, place)
        content = _changed(content, place, new)
    return content


def change_entry(content: bytes, rng: random.Random) -> bytes:
    """Change an entry's tag, kind, count or value."""
    seen, entry = _picked(content, rng)
    tag, kind, count = entry.tag, entry.kind, entry.count
    match rng.randrange(4):
        case 0:
            tag = rng.choice((*_TELLING, 273, 279, 324, 325, 347, 34665, 34675, 700, 65_000))
        case 1:
            kind = rng.choice((0, 1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 16, 17, 255))
        case 2:
            count = rng.choice(_EXTREMES)
        case _:
            number = rng.choice(_EXTREMES)
            place = entry.place + seen.entry.size
            return _changed(content, place, seen.offset.pack(number))
    return _changed(content, entry.place, seen.entry.pack(tag, kind, count))


def change_offsets(content: bytes, rng: random.Random) -> bytes:
    """Point strips or tiles elsewhere, or claim other lengths of them."""
    seen = layout(content)
    entries = [e for d in seen.directories for e in d.entries if e.tag in (273, 279, 324, 325)]
    entry = rng.choice(entries)
    number = rng.choice((*_EXTREMES, rng.randrange(len(content) + 1)))
    place = entry.place + seen.entry.size
    size = _SIZES.get(entry.kind, 4)
    if entry.count * size > seen.offset.size:
        (place,) = seen.offset.unpack_from(content, place)
        place += size * rng.randrange(entry.count)
    return _changed(content, place, _value(seen, entry, number))


def loop(content: bytes, rng: random.Random) -> bytes:
    """Let the chain of directories bite its tail, or go on in the midst of nowhere."""
    seen = layout(content)
    back = rng.choice(seen.directories).place
    target = rng.choice((back, rng.randrange(len(content) + 1), 0xFFFFFFF0))
    after = rng.choice(seen.directories).after
    return _changed(content, after, seen.offset.pack(target))


def lose_entry(content: bytes, rng: random.Random) -> bytes:
    """Make one entry unknown, so that a needed one is missing."""
    seen, entry = _picked(content, rng)
    return _changed(content, entry.place, seen.entry.pack(65_123, entry.kind, entry.count))


MUTATORS = (change_telling, change_telling, change_entry, change_offsets, loop, lose_entry)
