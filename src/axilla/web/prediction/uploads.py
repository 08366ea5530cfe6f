"""Forms with files, read into memory: nothing that is uploaded touches a disk."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from axilla.records.errors import Problem
from axilla.web.core.http_errors import Invalid
from axilla.web.prediction.request import Upload, upload_of
from axilla.web.state import Web

_MOST_FILES: Final = 64
_MOST_FIELDS: Final = 256
_LONGEST_FIELD_BYTES: Final = 64 << 10


class _InMemory(MultiPartParser):
    """Starlette's parser, which would write files above 1 MiB to the disk."""

    spool_max_size = 1 << 62


@asynccontextmanager
async def form_of(request: Request, web: Web) -> AsyncIterator[FormData]:
    """Read a form of files and fields; their memory is counted while the block runs.

    Raises `Invalid` for another kind of body, `Busy` if others fill the memory.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise Invalid(Problem("Content-Type", kind[:80] or "none", "multipart/form-data"))
    stated = request.headers.get("content-length", "")
    most = web.settings.limits.upload_bytes
    with web.desks.room.held(int(stated) if stated.isdigit() else most):
        parser = _InMemory(
            request.headers,
            request.stream(),
            max_files=_MOST_FILES,
            max_fields=_MOST_FIELDS,
            max_part_size=_LONGEST_FIELD_BYTES,
        )
        try:
            form = await parser.parse()
        except MultiPartException as error:
            expected = f"a form of at most {_MOST_FILES} files"
            raise Invalid(Problem("body", error.message, expected)) from error
        except ClientDisconnect as error:
            raise Invalid(Problem("body", "one that ends early", "a whole form")) from error
        try:
            yield form
        finally:
            await form.close()


def require_known(form: FormData, names: Collection[str]) -> None:
    """Raise `Invalid` for a field that is none of `names`, which may end in a dot and anything."""
    for name in form:
        if name not in names and f"{name.partition('.')[0]}." not in names:
            raise Invalid(Problem("form", repr(name[:80]), f"some of {', '.join(sorted(names))}"))


async def uploads(form: FormData, name: str) -> list[Upload]:
    """Return the files of a field; a browser's empty choice is none, an empty file is refused."""
    found = []
    for value in form.getlist(name):
        if not isinstance(value, UploadFile):
            raise Invalid(Problem(name, "a text", "a file"))
        content = await value.read()
        if not content and not value.filename:
            continue
        if not content:
            raise Invalid(Problem(name, "an empty file", "an image", "Export the image again."))
        found.append(upload_of(value.filename, content))
    return found


def texts(form: FormData, name: str) -> list[str]:
    """Return the values of a field, each as it was written; raise `Invalid` for a file."""
    values = form.getlist(name)
    if any(isinstance(value, UploadFile) for value in values):
        raise Invalid(Problem(name, "a file", "a text"))
    return [str(value).strip() for value in values]


def described(files: Mapping[str, bool], fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return OpenAPI's description of a form: `files`, several if true, and `fields`."""
    binary = {"type": "string", "format": "binary"}
    several = {"type": "array", "items": binary, "maxItems": _MOST_FILES}
    properties = {name: several if many else binary for name, many in files.items()}
    schema = {"type": "object", "properties": {**properties, **fields}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }
