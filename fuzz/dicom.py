"""Mutators of DICOM: what sizes the pixels, elements with wrong kinds and lengths, deep nests."""

import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.bombs import deflated_zeros

_PREAMBLE = 132
_SIDES = (0, 1, 2, 255, 9_433, 30_000, 65_535)
# Element (0028, ...) and values of two bytes that mean something there.
_PIXEL_TAGS = {
    0x0002: (0, 1, 2, 3, 4, 65_535),  # samples per pixel
    0x0006: (0, 1, 2),  # planar configuration
    0x0010: _SIDES,
    0x0011: _SIDES,
    0x0100: (0, 1, 7, 8, 12, 16, 32, 64, 65_535),  # bits allocated
    0x0101: (0, 1, 7, 8, 12, 16, 32, 64, 65_535),
    0x0102: (0, 7, 15, 31, 65_535),
    0x0103: (0, 1, 2),  # pixel representation
    0x1101: (0, 1, 255, 65_535),  # palette descriptors
    0x1102: (0, 1, 255, 65_535),
    0x1103: (0, 1, 255, 65_535),
}
_TEXTS = {
    (0x0028, 0x0004): (b"MONOCHROME1", b"MONOCHROME2", b"PALETTE COLOR", b"RGB", b"YBR_FULL",
                       b"YBR_FULL_422", b"YBR_ICT", b"YBR_RCT", b"CMYK", b""),
    (0x0028, 0x0008): (b"0", b"-1", b"2", b"100000", b"999999999999", b"x", b"1.5", b""),
    (0x0028, 0x0030): (b"0\\0", b"-1\\1", b"1e308\\1", b"nan\\nan", b"x", b""),
    (0x0028, 0x1050): (b"1e308", b"nan", b"-1", b"x", b""),
    (0x0028, 0x1051): (b"0", b"-1", b"1e-300", b"x", b""),
    (0x0028, 0x1053): (b"0", b"1e308", b"nan", b"x", b""),
    (0x0028, 0x0009): (b"", b"\x18\0\x63\x10"),
    (0x0008, 0x0005): (b"ISO_IR 192", b"ISO 2022 IR 87", b"NONSENSE", b"\\\\", b""),
    (0x0008, 0x0016): (b"1.2.840.10008.5.1.4.1.1.77.1.6", b"1.2.3", b"x"),
    (0x0008, 0x0060): (b"US", b"SM", b"OT", b""),
}  # fmt: skip
_SYNTAXES = (
    b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2",
    b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.4.50",
    b"1.2.840.10008.1.2.4.51", b"1.2.840.10008.1.2.4.57", b"1.2.840.10008.1.2.4.70",
    b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.81", b"1.2.840.10008.1.2.4.90",
    b"1.2.840.10008.1.2.4.91", b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.4.100", b"1.2.3",
)  # fmt: skip
_LONG = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UT", b"UC", b"UR", b"SV", b"UV")
_KINDS = (*_LONG, b"US", b"SS", b"UL", b"SL", b"FL", b"FD", b"DS", b"IS", b"CS", b"PN", b"DA",
          b"TM", b"UI", b"AT", b"AS", b"LO", b"ST", b"XX", b"\0\0")  # fmt: skip
_LENGTHS = (0, 1, 2, 3, 0xFFFE, 0x7FFFFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the header of an element stands, and its value."""

    place: int
    order: str
    kind: bytes
    value: int
    length: int

    @property
    def width(self) -> str:
        """Format of the length field."""
        short = self.kind.isalpha() and self.kind not in _LONG
        return f"{self.order}{'H' if short else 'I'}"


def spots(content: bytes, group: int, element: int) -> Iterator[Spot]:
    """Yield where an element seems to stand, in either byte order, explicit or implicit."""
    for order in "<>":
        for match in re.finditer(re.escape(struct.pack(f"{order}HH", group, element)), content):
            yield _spot(content, match.start(), order=order)


def _spot(content: bytes, place: int, *, order: str) -> Spot:
    kind = content[place + 4 : place + 6]
    if not (kind.isalpha() and kind.isupper()):
        (length,) = struct.unpack_from(f"{order}I", content, place + 4)
        return Spot(place, order, b"", place + 8, length)
    if kind in _LONG:
        (length,) = struct.unpack_from(f"{order}I", content, place + 8)
        return Spot(place, order, kind, place + 12, length)
    (length,) = struct.unpack_from(f"{order}H", content, place + 6)
    return Spot(place, order, kind, place + 8, length)


def with_number(content: bytes, element: int, number: int, *, index: int = 0) -> bytes:
    """Write a number of two bytes into every element (0028, element)."""
    for spot in list(spots(content, 0x0028, element)):
        new = struct.pack(f"{spot.order}H", number)
        place = spot.value + 2 * index
        content = content[:place] + new + content[place + 2 :]
    return content


def with_text(content: bytes, tag: tuple[int, int], text: bytes) -> bytes:
    """Replace the value of an element, its length made right."""
    spot = next(spots(content, *tag), None)
    if spot is None:
        raise ValueError(tag)
    text += b" " * (len(text) % 2)
    size = struct.calcsize(spot.width)
    head = content[: spot.value - size] + struct.pack(spot.width, len(text))
    return head + text + content[spot.value + spot.length :]


def change_pixels(content: bytes, rng: random.Random) -> bytes:
    """Lie about rows, columns, bits, samples or palettes."""
    for _ in range(rng.randint(1, 3)):
        present = [e for e in _PIXEL_TAGS if any(spots(content, 0x0028, e))]
        element = rng.choice(present)
        index = rng.randrange(3) if element > 0x1000 else 0
        number = rng.choice(_PIXEL_TAGS[element])
        content = with_number(content, element, number, index=index)
    return content


def change_text(content: bytes, rng: random.Random) -> bytes:
    """Rewrite frames, colours, spacing, window, character set or class."""
    present = [tag for tag in _TEXTS if any(spots(content, *tag))]
    tag = rng.choice(present)
    return with_text(content, tag, rng.choice(_TEXTS[tag]))


def change_syntax(content: bytes, rng: random.Random) -> bytes:
    """Claim another transfer syntax."""
    return with_text(content, (0x0002, 0x0010), rng.choice(_SYNTAXES))


def change_element(content: bytes, rng: random.Random) -> bytes:
    """Give some element another kind or length, or no end."""
    group = rng.choice((0x0002, 0x0008, 0x0010, 0x0018, 0x0028, 0x7FE0))
    low = struct.pack("<H", group)
    starts = [m.start() for m in re.finditer(re.escape(low) + rb"..[A-Z]{2}", content, re.DOTALL)]
    spot = _spot(content, rng.choice(starts), order="<")
    if rng.random() < 0.5:
        return content[: spot.place + 4] + rng.choice(_KINDS) + content[spot.place + 6 :]
    size = struct.calcsize(spot.width)
    length = rng.choice((*_LENGTHS, spot.length + 1, max(0, spot.length - 1)))
    new = struct.pack(spot.width, length & ((1 << (8 * size)) - 1))
    return content[: spot.value - size] + new + content[spot.value :]


def change_regions(content: bytes, rng: random.Random) -> bytes:
    """Change numbers of the ultrasound regions: places, units, spacing."""
    found = [s for e in range(0x6010, 0x6060) for s in spots(content, 0x0018, e)]
    spot = rng.choice(found)
    new = rng.choice((
        struct.pack("<I", rng.choice((0, 1, 3, 4, 0x7FFFFFFF, 0xFFFFFFFF))),
        struct.pack("<d", rng.choice((0.0, -1.0, 1e308, float("nan"), float("inf"), 5e-324))),
    ))  # fmt: skip
    new = new[: spot.length]
    return content[: spot.value] + new + content[spot.value + len(new) :]


def nest(content: bytes, rng: random.Random) -> bytes:
    """Put in sequences within sequences, very deep or very many."""
    depth = rng.choice((50, 900, 3_000, 30_000))
    undefined = b"\xff\xff\xff\xff"
    opening = b"\x08\0\x40\x11SQ\0\0" + undefined + b"\xfe\xff\0\xe0" + undefined
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    wide = b"\x08\0\x40\x11SQ\0\0" + undefined + (b"\xfe\xff\0\xe0\0\0\0\0" * depth) + closing[8:]
    nests = (opening * depth, opening * depth + closing * depth, wide)
    spot = rng.choice([*spots(content, 0x0008, 0x0060), *spots(content, 0x0028, 0x0010)])
    return content[: spot.place] + rng.choice(nests) + content[spot.place :]


def change_fragments(content: bytes, rng: random.Random) -> bytes:
    """Damage the items that hold compressed frames: lengths, order, ends, content."""
    spot = list(spots(content, 0x7FE0, 0x0010))[-1]
    items = [m.start() for m in re.finditer(b"\xfe\xff\0\xe0", content) if m.start() > spot.place]
    if not items:
        raise ValueError("no fragments")
    item = rng.choice(items)
    (length,) = struct.unpack_from("<I", content, item + 4)
    match rng.randrange(5):
        case 0:
            new = struct.pack("<I", rng.choice((*_LENGTHS, length + 2, max(0, length - 2))))
            return content[: item + 4] + new + content[item + 8 :]
        case 1:
            return content[:item] + content[item + 8 + length :]
        case 2:
            fragment = content[item : item + 8 + length]
            return content[:item] + fragment * rng.choice((2, 100)) + content[item + 8 + length :]
        case 3:
            return content.replace(b"\xfe\xff\xdd\xe0\0\0\0\0", b"", 1)
    place = item + 8 + rng.randrange(max(1, min(length, 400)))
    return content[:place] + rng.randbytes(4) + content[place + 4 :]


def deflate_bomb(content: bytes, rng: random.Random) -> bytes:
    """Be a deflated data set that unpacks to hundreds of megabytes."""
    changed = with_text(content, (0x0002, 0x0010), b"1.2.840.10008.1.2.1.99")
    (length,) = struct.unpack_from("<I", changed, _PREAMBLE + 8)
    start = _PREAMBLE + 12 + length
    return changed[:start] + deflated_zeros(rng.choice((50 << 20, 50 << 20, 600 << 20)), raw=True)


MUTATORS = (
    change_pixels, change_pixels, change_text, change_text, change_syntax, change_element,
    change_element, change_regions, nest, change_fragments, change_fragments, deflate_bomb,
)  # fmt: skip
