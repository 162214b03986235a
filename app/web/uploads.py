"""A multipart form with one file, straight from the connection to a file of our own naming: never whole in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.data import datasets
from app.data.dataset_request import ImportRequest
from app.db import Database, refusing
from app.disk import FULL
from app.errors import DiskFull, Invalid, TooLarge, Unavailable, WrongMediaType
from app.models import Dataset
from app.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # a name for type checkers only

FILE_FIELD = "file"
STORED_NAME = "upload"

# Bytes handed to a thread at a time, and allowed for all that is not the file.
BLOCK = 1 << 20
MAX_TEXT = 100_000


@dataclass
class Upload:
    """The texts of the form; `filename` is what the sender calls the file, None where none was sent."""

    path: Path
    filename: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


async def receive(request: Request, folder: Path, limit: int, *, text_limit: int = MAX_TEXT) -> Upload:
    """Read the request's form, its file into `folder`; raises TooLarge beyond `limit` bytes of it, or of its texts."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise WrongMediaType("Send a form as multipart/form-data, with the file in its field `file`")
    receiver = _Receiver(Upload(folder / STORED_NAME), limit, text_limit)
    parser = MultipartParser(options[b"boundary"], receiver.callbacks())
    try:
        with receiver:
            async for block in _blocks(request):
                await run_in_threadpool(parser.write, block)
        if not receiver.complete:
            raise HTTPException(400, "The form ends early: its last boundary is missing")
    except (MultipartParseError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"The form cannot be read: {error}") from None
    except ClientDisconnect:
        raise HTTPException(400, "The upload was broken off") from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull from None
    return receiver.upload


def import_upload(database: Database, settings: Settings, upload: Upload, folder: Path) -> Dataset:
    """Import what was sent: a file, or the path of one on this machine. For API and page alike."""
    path = upload.fields.get("path", "").strip()
    if upload.filename is None and not path:
        raise Invalid.one(FILE_FIELD, "This is needed")
    if upload.filename is not None and path:
        raise Invalid.one("path", "Send a file or the path of one, not both")
    source = upload.path if upload.filename is not None else datasets.local_file(settings, path)
    request = ImportRequest.of(upload.fields, upload.filename or source.name)
    with refusing(), database.writing() as session:
        return datasets.import_file(session, settings, source, folder, request)


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in blocks of about BLOCK bytes: a connection hands over far smaller pieces."""
    pieces, size = [], 0
    async for piece in _pieces(request):
        pieces.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """What arrives, until the server is to stop: somebody who sends slowly must not hold that up."""
    stopping = asyncio.ensure_future(request.app.state.stopping.wait())
    stream = aiter(request.stream())
    try:
        while True:
            piece = asyncio.ensure_future(anext(stream, None))
            await asyncio.wait({piece, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not piece.done():
                piece.cancel()
                raise Unavailable("The server stops: nothing was stored. Send the file again in a moment.")
            if (arrived := piece.result()) is None:
                return
            yield arrived
    finally:
        stopping.cancel()


class _Receiver:
    """Takes the parser's events; the file's bytes go to the disk, all else must be short."""

    def __init__(self, upload: Upload, limit: int, text_limit: int) -> None:
        self.upload = upload
        self.complete = False  # a form that was cut off must not pass for a shorter one
        self._limit = limit
        self._text_limit = self._text_left = text_limit
        self._file: IO[bytes] | None = None
        self._size = 0
        self._in_file = False
        self._header, self._value = b"", b""
        self._name, self._text = "", b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self.part_begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_end": self.end,
        }

    def __enter__(self) -> "_Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def part_begin(self) -> None:
        self._header, self._value, self._text = b"", b"", b""
        self._name, self._in_file = "", False

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode()
            if self._name == FILE_FIELD and b"filename" in options:
                self._begin_file(options[b"filename"].decode(errors="replace"))
        self._header, self._value = b"", b""

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file and self._file is not None:
            self._size += end - start
            if self._size > self._limit:
                raise TooLarge(f"The file is larger than {self._limit:,} bytes, the most that is accepted")
            self._file.write(data[start:end])
            return
        self._text_left -= end - start
        if self._text_left < 0:
            raise TooLarge(
                f"The form's texts are longer than {self._text_limit:,} bytes; is the file in the field `file`?"
            )
        self._text += data[start:end]

    def part_end(self) -> None:
        if not self._in_file and self._name:
            self.upload.fields[self._name] = self._text.decode()

    def end(self) -> None:
        self.complete = True

    def _begin_file(self, filename: str) -> None:
        self._in_file = True
        if not filename:  # what a browser sends for a file field left empty
            return
        if self.upload.filename is not None:
            raise Invalid.one(FILE_FIELD, "Send one file at a time")
        self.upload.filename = filename
        self._file = self.upload.path.open("wb")
