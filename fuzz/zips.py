"""Mutators of zip files and their members: Excel workbooks and bundles."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from fuzz import text
from fuzz.blind import MUTATORS as BLIND
from fuzz.bombs import deflated

Members = dict[str, bytes]
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_LARGEST_BYTES = 8 << 20


def members(content: bytes) -> Members:
    """Return the members; raise ValueError if this is no zip file any more, or a bomb already."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST_BYTES:
                raise ValueError("too large to change")
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from error


def zipped(parts: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of these members, dated as all others are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(_entry(name, method), data)
    return buffer.getvalue()


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = method
    return entry


def with_bomb(parts: Members, name: str, *, unit: bytes, size: int, head: bytes = b"",
              tail: bytes = b"") -> bytes:  # fmt: skip
    """Return a zip file one of whose members unpacks to head, `unit` again and again, tail."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, data in parts.items():
            if other != name:
                archive.writestr(_entry(other, zipfile.ZIP_DEFLATED), data)
        step = unit * max(1, (1 << 20) // len(unit))
        with archive.open(_entry(name, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as stream:
            stream.write(head)
            for _ in range(size // len(step)):
                stream.write(step)
            stream.write(tail)
    return buffer.getvalue()


def lie_in_directory(content: bytes, rng: random.Random) -> bytes:
    """Change a number of the zip's central directory: sizes, offsets, flags, method, counts."""
    changed = bytearray(content)
    end = content.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<I", content, end + 16)
    extremes = (0, 1, 8, 9, 12, 14, 99, 0xFFFF)
    if rng.random() < 0.3:
        struct.pack_into("<H", changed, end + rng.choice((4, 8, 10, 12, 16, 20)),
                         rng.choice(extremes))  # fmt: skip
        return bytes(changed)
    places = []
    while content[start : start + 4] == b"PK\1\2":
        places.append(start)
        name, extra, comment = struct.unpack_from("<HHH", content, start + 28)
        start += 46 + name + extra + comment
    entry = rng.choice(places)
    if rng.random() < 0.5:
        struct.pack_into("<H", changed, entry + rng.choice((6, 8, 10, 28, 30)),
                         rng.choice(extremes))  # fmt: skip
    else:
        struct.pack_into("<I", changed, entry + rng.choice((16, 20, 24, 42)),
                         rng.choice((0, 1, 1000, 0x7FFFFFFF, 0xFFFFFFFF)))  # fmt: skip
    return bytes(changed)


def change_members(content: bytes, rng: random.Random) -> bytes:
    """Leave out, empty, exchange or rename members."""
    parts = members(content)
    name = rng.choice(sorted(parts))
    match rng.randrange(4):
        case 0:
            del parts[name]
        case 1:
            parts[name] = b""
        case 2:
            other = rng.choice(sorted(parts))
            parts[name], parts[other] = parts[other], parts[name]
        case _:
            parts[rng.choice(("../up", "/abs", name.upper(), "x" * 60_000))] = parts.pop(name)
    return zipped(parts, _method(content))


def change_one_member(content: bytes, rng: random.Random) -> bytes:
    """Spoil one member as if it were a file by itself, and make the checksum right again."""
    parts = members(content)
    name = rng.choice(sorted(parts))
    kinds: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
        "xml": text.XML, "rels": text.XML, "json": text.JSON,
    }  # fmt: skip
    mutators = kinds.get(name.rpartition(".")[2], BLIND)
    parts[name] = rng.choice((*mutators, rng.choice(BLIND)))(parts[name], rng)
    return zipped(parts, _method(content))


def _method(content: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.infolist()[0].compress_type


def sheet_bomb(content: bytes, rng: random.Random) -> bytes:
    """Be a workbook that unpacks to hundreds of megabytes of rows, cells or shared texts."""
    parts = members(content)
    head = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    tail = b"</sheetData></worksheet>"
    cell = b'<c t="inlineStr"><is><t>x</t></is></c>'
    size = rng.choice((30 << 20, 30 << 20, 30 << 20, 200 << 20))
    match rng.randrange(6):
        case 0:
            return with_bomb(parts, _SHEET, head=head, unit=b"<row/>", size=size, tail=tail)
        case 1:
            row = b"<row>" + cell * 20 + b"</row>"
            return with_bomb(parts, _SHEET, head=head, unit=row, size=size, tail=tail)
        case 2:
            return with_bomb(parts, _SHEET, head=head + b"<row>", unit=cell, size=size, tail=tail)
        case 3:
            text_head = head + b'<row><c t="inlineStr"><is><t>'
            return with_bomb(parts, _SHEET, head=text_head, unit=b"x", size=size, tail=tail)
        case 4:
            return with_bomb(parts, _SHEET, head=head, unit=b" ", size=size, tail=tail)
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return with_bomb(
        parts, _STRINGS, head=strings, unit=b"<si><t>x</t></si>", size=size, tail=b"</sst>"
    )


def distant_cells(content: bytes, rng: random.Random) -> bytes:
    """Put cells at the far end of the sheet, or beyond, or declare a vast size."""
    parts = members(content)
    row = rng.choice((1_048_576, 10_000_000, 4_000_000_000))
    far = rng.choice(
        (
            f'<row r="{row}"><c r="A{row}"><v>1</v></c></row>',
            '<row r="1"><c r="XFD1"><v>1</v></c></row>',
            f'<row r="{row}"><c r="XFD{row}"><v>1</v></c></row>',
            "".join(f'<row r="{i * 9000}"><c r="XFD{i * 9000}"><v>1</v></c></row>'
                    for i in range(1, 100)),
            '<row r="0"><c r="A0"><v>1</v></c></row>',
            '<row r="3"><c r="ZZZ3"><v>1</v></c></row>',
            '<row r="5"><c r="A5" t="s"><v>999999999</v></c></row>',
            '<row r="5"><c r="A5" t="d"><v>99999-99-99</v></c></row>',
            '<row r="5"><c r="A5" s="999999"><v>1e300</v></c></row>',
            '<row r="5"><c r="A5"><f t="shared" si="0" ref="A1:XFD1048576">1</f></c></row>',
        )
    ).encode()  # fmt: skip
    sheet = parts[_SHEET].replace(b"</sheetData>", far + b"</sheetData>", 1)
    if rng.random() < 0.5:
        sheet = sheet.replace(b'<dimension ref="A1:', b'<dimension ref="A1:XFD1048576:', 1)
    return zipped(parts | {_SHEET: sheet})


def change_tensors(content: bytes, rng: random.Random) -> bytes:
    """Rewrite the header of the tensors: overlapping or vast offsets, other shapes and types."""
    parts = members(content)
    data = parts["weights.safetensors"]
    (size,) = struct.unpack("<Q", data[:8])
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    names = [name for name in header if name != "__metadata__"]
    name = rng.choice(names)
    tensor = header[name]
    vast = rng.choice((0, 1, 2**31, 2**40, 2**63, 2**64 - 1, -1))
    match rng.randrange(8):
        case 0:
            tensor["data_offsets"] = header[rng.choice(names)]["data_offsets"]
        case 1:
            tensor["data_offsets"] = [0, vast]
        case 2:
            tensor["shape"] = [vast, *tensor["shape"]]
        case 3:
            tensor["dtype"] = rng.choice(("F64", "BOOL", "I8", "F8_E4M3", "BF16", "U64", "X"))
        case 4:
            tensor["shape"] = tensor["shape"][::-1]
        case 5:
            header[rng.choice(names)] = header.pop(name)
        case 6:
            header["__metadata__"] = {"a": "x" * 200_000}
        case _:
            header |= {f"n{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                       for i in range(20_000)}  # fmt: skip
    packed = json.dumps(header).encode()
    length = rng.choice((len(packed), len(packed), len(packed), vast % 2**64))
    parts["weights.safetensors"] = struct.pack("<Q", length) + packed + data[8 + size :]
    return zipped(parts, zipfile.ZIP_STORED)


def nan_tensors(content: bytes, rng: random.Random) -> bytes:
    """Keep the shapes, but fill a stretch of the tensors with NaN, infinity or noise."""
    parts = members(content)
    data = bytearray(parts["weights.safetensors"])
    (size,) = struct.unpack("<Q", data[:8])
    start = rng.randrange(8 + size, len(data))
    run = rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", rng.randbytes(4)))
    stop = min(len(data), start + 4 * rng.choice((1, 50, 5_000)))
    data[start:stop] = (run * (1 + (stop - start) // 4))[: stop - start]
    parts["weights.safetensors"] = bytes(data)
    return zipped(parts, zipfile.ZIP_STORED)


def bundle_bomb(content: bytes, rng: random.Random) -> bytes:
    """Compress a member, or claim that it is far larger than it is."""
    parts = members(content)
    name = rng.choice(("manifest.json", "weights.safetensors"))
    if rng.random() < 0.5:
        return with_bomb(parts, name, unit=rng.choice((b" ", b"[", b"0")), size=60 << 20)
    return zipped(parts | {name: deflated(b"\0", 20 << 20)}, zipfile.ZIP_STORED)


_ZIP = (lie_in_directory, change_members, change_one_member, change_one_member)
XLSX = (*_ZIP, sheet_bomb, distant_cells, distant_cells)
BUNDLE = (*_ZIP, change_one_member, change_tensors, change_tensors, nan_tensors, bundle_bomb)
