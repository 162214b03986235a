"""The file of a backup: an uncompressed tar whose last member, the manifest, names every other with size and SHA-256.

Any tar reads it. Uncompressed, as what fills it (weights) does not shrink, and a backup should not take a processor
from the training beside it. A file that was cut off has no manifest, and is refused for that.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel

from app.errors import Conflict

DATABASE = "tuneboard.db"
FOLDERS = ("datasets", "runs", "baselines", "models")
MANIFEST = "manifest.json"
CHUNK = 1 << 20
LARGEST_MANIFEST = 200_000_000
# A name is of the database or of a file below one of the folders; its parts hold no control characters.
NAME = re.compile(rf"{re.escape(DATABASE)}|(?:{'|'.join(FOLDERS)})(?:/[^/\x00-\x1f\x7f]+)+")


class Entry(BaseModel):
    name: str
    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    format: Literal[1] = 1
    version: str
    revision: str
    created_at: str
    files: list[Entry]

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.files)


class Writer:
    """Takes files one after the other; `finish` writes the manifest."""

    def __init__(self, target: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)
        self._entries: list[Entry] = []

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        """The first `size` bytes of an open file; one cut meanwhile, a log begun anew, is filled with blanks."""
        source = _Exactly(file, size)
        self._tar.addfile(_member(name, size), source)  # type: ignore[arg-type]
        self._entries.append(Entry(name=name, size_bytes=size, sha256=source.digest.hexdigest()))

    def finish(self, version: str, revision: str, created_at: str) -> Manifest:
        manifest = Manifest(version=version, revision=revision, created_at=created_at, files=self._entries)
        content = (manifest.model_dump_json(indent=1) + "\n").encode()
        self._tar.addfile(_member(MANIFEST, len(content)), io.BytesIO(content))
        self._tar.close()
        return manifest


class _Exactly:
    """So many bytes of a file, hashed on their way."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        wanted = min(size, self._left)
        data = self._file.read(wanted).ljust(wanted)
        self._left -= wanted
        self.digest.update(data)
        return data


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


@contextmanager
def reading(file: Path) -> Iterator["Reader"]:
    """An archive to be read; Conflict, with the reason, for a file that is no whole backup of ours."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise Conflict(f"The backup {file} cannot be read: {error.strerror}.") from None
    try:
        with stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            yield Reader(file, tar)
    except tarfile.TarError as error:
        raise _refused(file, f"it is no tar file, or was cut off ({error})") from None


class Reader:
    """The members of an archive, all of which are plain files that its manifest names."""

    def __init__(self, file: Path, tar: tarfile.TarFile) -> None:
        self._file, self._tar = file, tar
        *members, last = tar.getmembers() or [tarfile.TarInfo()]
        self.manifest = self._read_manifest(last)
        self._members = self._checked(members)

    def files(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each file with its content, to be read before the next one; Conflict where that is not what was backed up."""
        for member, entry in zip(self._members, self.manifest.files, strict=True):
            yield entry, self._content(member, entry)

    def verify(self) -> None:
        for _, content in self.files():
            for _ in content:
                pass

    def _content(self, member: tarfile.TarInfo, entry: Entry) -> Iterator[bytes]:
        source = self._tar.extractfile(member)
        assert source is not None
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        if size != entry.size_bytes or digest.hexdigest() != entry.sha256:
            raise _refused(self._file, f"{entry.name} is damaged")

    def _read_manifest(self, member: tarfile.TarInfo) -> Manifest:
        if member.name != MANIFEST or not _is_plain(member) or member.size > LARGEST_MANIFEST:
            raise _refused(self._file, "its manifest is missing: it was cut off, or is something else")
        source = self._tar.extractfile(member)
        assert source is not None
        try:
            return Manifest.model_validate(json.loads(source.read()))
        except (ValueError, RecursionError):  # pydantic's is a ValueError too
            raise _refused(self._file, "its manifest cannot be read: a newer Tuneboard may have made it") from None

    def _checked(self, members: list[tarfile.TarInfo]) -> list[tarfile.TarInfo]:
        """In the order of the manifest, one for one; nothing that could reach out of the folder it is unpacked in."""
        names = [entry.name for entry in self.manifest.files]
        if [member.name for member in members] != names or len(set(names)) != len(names) or DATABASE not in names:
            raise _refused(self._file, "it holds other files than its manifest says")
        for member in members:
            if not _is_plain(member):
                raise _refused(self._file, f"{member.name!r} is not a plain file")
            if not NAME.fullmatch(member.name) or {".", ".."} & set(member.name.split("/")):
                raise _refused(self._file, f"{member.name!r} does not belong into a backup")
        return members


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type == tarfile.REGTYPE and member.sparse is None


def _refused(file: Path, reason: str) -> Conflict:
    return Conflict(f"{file} is not a backup that can be used: {reason}. Nothing was changed.")
