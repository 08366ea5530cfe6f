"""Mutators of text: tables, TOML and JSON as people and programs spoil them."""

import random
import re

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_NUMBERS = (
    b"0", b"-1", b"1e308", b"1e999", b"-1e999", b"nan", b"NaN", b"inf", b"Infinity", b"-0.0",
    b"1e-400", b"9" * 400, b"9" * 5_000, b"0x10", b"1_000", b"1,5", b"\xd9\xa3", b"true", b"null",
    b"18446744073709551616", b"0.1" + b"0" * 300 + b"1", b"1979-05-27T07:32:00Z", b"12:60:61",
)  # fmt: skip
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "cp1252", "utf-7")
_DEEP = (100, 1_000, 5_000, 200_000)


def change_number(content: bytes, rng: random.Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    spot = rng.choice(found)
    return content[: spot.start()] + rng.choice(_NUMBERS) + content[spot.end() :]


def change_encoding(content: bytes, rng: random.Random) -> bytes:
    """Save in another encoding, or half the file in one and half in another."""
    text = content.decode("utf-8", "replace")
    half = rng.choice((0, len(text) // 2))
    one, other = rng.choice(_ENCODINGS), rng.choice(_ENCODINGS)
    return text[:half].encode(one, "replace") + text[half:].encode(other, "replace")


def change_line(content: bytes, rng: random.Random) -> bytes:
    """Leave out, double, exchange or multiply lines."""
    lines = content.split(b"\n")
    which, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[which]
        case 1:
            lines.insert(other, lines[which])
        case 2:
            lines[which], lines[other] = lines[other], lines[which]
        case _:
            lines[which : which + 1] = [lines[which]] * rng.choice((100, 20_000))
    return b"\n".join(lines)


def insert_oddity(content: bytes, rng: random.Random) -> bytes:
    """Put in what tables and parsers stumble over: quotes, NULs, marks, surrogates, formulas."""
    odd = rng.choice(
        (b'"', b"'", b'""', b'"""', b"\0", b"\r", b"\r\n", b"\x0b", b"\x1a", b"\x85",
         "\u2028".encode(), "\ufeff".encode(), b"\xed\xa0\x80", b"\xff\xfe", "\U0010ffff".encode(),
         b"=cmd|' /C calc'!A0", b"\\", b"../" * 40, b"/dev/zero", b"C:\\con", b"%s%n", b"{}", b"[[",
         b";" * 50, b"\t" * 50, "e\u0301".encode() * 3, "\u202e".encode())
    )  # fmt: skip
    place = rng.randrange(len(content) + 1)
    return content[:place] + odd + content[place:]


def one_vast_cell(content: bytes, rng: random.Random) -> bytes:
    """Make one text very long."""
    place = rng.randrange(len(content) + 1)
    unit = rng.choice((b"a", b"9", b"a,b ", b" ", b"a\n"))
    return content[:place] + unit * rng.choice((140_000, 2_000_000)) + content[place:]


def many_columns(content: bytes, rng: random.Random) -> bytes:  # noqa: ARG001 - a mutator
    """Be a table of up to a million columns, named or not."""
    count, rows = rng.choice(((20_000, 3), (1_000_000, 2), (1_000_000, 1), (3_000, 300)))
    mark = rng.choice((",", ";", "\t"))
    named = rng.choice((True, False))
    header = mark.join(f"c{i}" if named else "c" for i in range(count))
    row = mark.join(["1"] * count)
    return ("\n".join([f"patient_id{mark}{header}", *[f"P{mark}{row}"] * rows])).encode()


def nest_deeply(content: bytes, rng: random.Random) -> bytes:
    """Nest arrays, tables or objects further than any parser should follow."""
    depth = rng.choice(_DEEP)
    nests = (
        b"\nx = " + b"[" * depth,
        b"\nx = " + b"[" * depth + b"]" * depth,
        b"\nx = " + b"{a=" * depth + b"1" + b"}" * depth,
        b"\n" + b".".join([b"a"] * depth) + b" = 1\n",
        b"\n[" + b".".join([b"a"] * depth) + b"]\n",
        b"\n[clinical." + b".".join([b"a"] * min(depth, 5_000)) + b"]\nb=1",
    )
    place = rng.choice((0, len(content)))
    return content[:place] + rng.choice(nests) + content[place:]


def many_keys(content: bytes, rng: random.Random) -> bytes:
    """Add very many keys, all unknown, or all alike."""
    count = rng.choice((1_000, 50_000))
    same = rng.choice((True, False))
    section = rng.choice((b"[clinical]", b"[cohort.columns]", b"[models]", b"[nothing]", b""))
    lines = [b"k%d = 1" % (0 if same else i) for i in range(count)]
    if rng.choice((True, False)):
        lines = [b"k%d.a.b.c.d = 1" % i for i in range(count)]
    return b"\n".join([content, section, *lines])


def change_value(content: bytes, rng: random.Random) -> bytes:
    """Give a key a value of another type."""
    lines = content.split(b"\n")
    spots = [i for i, line in enumerate(lines) if b"=" in line]
    spot = rng.choice(spots)
    key = lines[spot].partition(b"=")[0]
    value = rng.choice(
        (b'""', b"[]", b"{}", b"true", b"1979-05-27", b"07:32:00", b"1979-05-27T07:32:00", b"[[]]",
         b"[1, 'a', {b = 2}]", b'"\\u0000"', b'"' + b"x" * 100_000 + b'"', b"nan", b"-inf",
         b"{a.b.c = 1}", b"[{a = 1}]", b'["a", "a"]', b"'../../etc/passwd'", *_NUMBERS)
    )  # fmt: skip
    lines[spot] = key + b"= " + value
    return b"\n".join(lines)


def change_json(content: bytes, rng: random.Random) -> bytes:
    """Put another value in the place of one: another type, deep, vast, or not a number."""
    spots = list(re.finditer(rb'(?<=[:\[,])\s*("[^"]*"|-?[\d.eE+-]+|true|false|null)', content))
    spot = rng.choice(spots)
    depth = rng.choice(_DEEP)
    value = rng.choice(
        (b"null", b"{}", b"[]", b'""', b"true", b'"\\ud800"', b'"\\u0000"', b"[null]", b"[[1,2]]",
         b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth,
         b"[" + b"0," * 100_000 + b"0]", b'"' + b"x" * 1_000_000 + b'"', b"-Infinity", *_NUMBERS)
    )  # fmt: skip
    return content[: spot.start()] + value + content[spot.end() :]


def change_markup(content: bytes, rng: random.Random) -> bytes:
    """Spoil XML: entities that multiply, foreign files, lost ends, odd attributes."""
    body = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", content)
    match rng.randrange(5):
        case 0:
            return many_laughs(rng.choice((10, 30))) + _with_entity(body, rng)
        case 1:
            outside = b'<!DOCTYPE x [<!ENTITY z SYSTEM "file:///etc/hostname">]>'
            return outside + _with_entity(body, rng)
        case 2:
            depth = rng.choice(_DEEP)
            return content + b"<a>" * depth
        case 3:
            vast = b'<!DOCTYPE x [<!ENTITY z "' + b"x" * 100_000 + b'">]>'
            return vast + _with_entity(body, rng, times=20_000)
    attributes = list(re.finditer(rb'="[^"]*"', content))
    spot = rng.choice(attributes)
    value = rng.choice((*_NUMBERS, b"", b"A1:XFD1048576", b"XFD1048576", b"ZZZZ99999999", b"s"))
    return content[: spot.start()] + b'="' + value + b'"' + content[spot.end() :]


def many_laughs(levels: int) -> bytes:
    """Return a document type whose entity z stands for ten times the one before, and so on."""
    names = [f"<!ENTITY z{i} '{f'&z{i - 1};' * 10}'>" for i in range(1, levels)]
    chain = "".join(["<!ENTITY z0 'zzzzzzzzzz'>", *names])
    return f"<!DOCTYPE x [{chain}<!ENTITY z '&z{levels - 1};'>]>".encode()


def _with_entity(body: bytes, rng: random.Random, *, times: int = 1) -> bytes:
    spots = [m.end() for m in re.finditer(rb">", body)]
    spot = rng.choice(spots)
    return body[:spot] + b"&z;" * times + body[spot:]


TABLE = (
    change_number, change_encoding, change_line, insert_oddity, insert_oddity, one_vast_cell,
    many_columns,
)  # fmt: skip
TOML = (
    change_number, change_encoding, change_line, insert_oddity, nest_deeply, many_keys,
    change_value, change_value,
)  # fmt: skip
JSON = (change_number, change_encoding, insert_oddity, change_json, change_json)
XML = (change_number, change_encoding, insert_oddity, change_markup, change_markup)
