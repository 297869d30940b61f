"""Find the files of a source and open them as far as their header.

Everything that makes a whole file unusable (missing, empty, damaged, wrongly encoded) ends here in one
``SourceError``.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO

from hub import api

SAMPLE = 1 << 20
LINE = 1 << 16
DELIMITERS = (",", ";", "\t", "|")
SUFFIXES = (".csv", ".csv.gz", ".zip")
LOOKALIKES = (".gz", ".tsv", ".txt", ".xls", ".xlsx", ".zip")
"""What an export may be called that is not read: it is worth a word."""
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a member of a ZIP file, before it is opened. ``label`` is what messages call it."""

    path: Path
    label: str
    modified_ns: int
    size: int
    member: str | None = None

    @property
    def modified(self) -> datetime:
        """Return the file's time."""
        return datetime.fromtimestamp(self.modified_ns // 1_000 / 1_000_000, UTC)

    @property
    def zipped(self) -> bool:
        """Tell whether gzip packed it."""
        return self.member is None and self.path.suffix.lower() == ".gz"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose header was read: its columns, delimiter, and what must be done before DuckDB reads it."""

    found: Found
    header: tuple[str, ...]
    delimiter: str
    encoding: str
    mixed_ends: bool

    def column(self, name: str) -> int | None:
        """Return where a header stands, or None; case and surrounding blanks do not matter."""
        if name in self.header:
            return self.header.index(name)
        folded = [text.casefold() for text in self.header]
        wanted = name.strip().casefold()
        return folded.index(wanted) if wanted in folded else None


def label_of(path: Path, workspace: Path) -> str:
    """Name a file the way the user wrote it: relative to the workspace where it lies inside."""
    return path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else path.as_posix()


def in_folder(folder: Path, workspace: Path, notes: list[str], *, recursive: bool) -> list[Found]:
    """List the CSV files of a folder; ``notes`` gets those that look like an export and are not read.

    Raises:
        SourceError: the folder does not exist, or hub may not look into it.
    """
    with _reachable(label_of(folder, workspace)):
        if not folder.is_dir():
            raise api.SourceError(
                f"there is no folder {label_of(folder, workspace)}",
                next_step="Make the folder and put the shop's exports into it, or correct `folder`.",
            )
        paths = sorted(path for path in _listed(folder, recursive=recursive) if path.is_file())
        exports = [path for path in paths if path.name.lower().endswith(SUFFIXES)]
        notes += [
            f"{label_of(path, workspace)} was not read: its name does not end in {', '.join(SUFFIXES)}; "
            f"save or rename it so, or read it through a mapping"
            for path in paths
            if path not in exports and path.name.lower().endswith(LOOKALIKES)
        ]
        return [found for path in exports for found in _members(path, workspace, notes)]


def by_pattern(pattern: str, workspace: Path, notes: list[str]) -> list[Found]:
    """List the files that a mapping's path names; ``notes`` gets what is not read of a ZIP file.

    Raises:
        SourceError: there is none, or hub may not look for it.
    """
    start = Path(pattern)
    root, rest = (Path(start.anchor), start.relative_to(start.anchor)) if start.is_absolute() else (workspace, start)
    exact = root / rest
    with _reachable(pattern):
        paths = [exact] if exact.is_file() else sorted(path for path in root.glob(rest.as_posix()) if path.is_file())
        if not paths:
            raise api.SourceError(
                f"no file matches {pattern}",
                next_step="Put the file there, or correct `path` (it is relative to the workspace).",
            )
        return [found for path in paths for found in _members(path, workspace, notes)]


@contextmanager
def _reachable(label: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise api.SourceError(
            f"{label} cannot be looked up ({type(error).__name__})",
            next_step="Check the path, and that hub may read it and every folder on the way to it.",
        ) from error


def _listed(folder: Path, *, recursive: bool) -> list[Path]:
    """Return what a folder holds; OSError for a folder that hub may not list, which pathlib takes for empty."""
    paths = [path for path in (folder.rglob("*") if recursive else folder.glob("*")) if not _is_hidden(path, folder)]
    for each in (folder, *(path for path in paths if recursive and path.is_dir())):
        os.scandir(each).close()
    return paths


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "~$", "__MACOSX")) for part in path.relative_to(folder).parts)


def _members(path: Path, workspace: Path, notes: list[str]) -> Iterator[Found]:
    stat = path.stat()
    whole = Found(path, label_of(path, workspace), stat.st_mtime_ns, stat.st_size)
    if path.suffix.lower() != ".zip":
        yield whole
        return
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [info for info in archive.infolist() if _is_member(info)]
    except (zipfile.BadZipFile, OSError) as error:
        raise damaged(whole, error) from error
    # Of several members with one name, zipfile opens the last.
    members = {info.filename: info for info in packed if info.filename.lower().endswith(".csv")}
    if not members:
        raise api.SourceError(
            f"{whole.label} holds no .csv file", next_step="Export again, or take the file out of the folder."
        )
    notes += [_passed_over(f"{whole.label}/{info.filename}") for info in packed if info not in members.values()]
    for name, info in sorted(members.items()):
        yield Found(path, f"{whole.label}/{name}", stat.st_mtime_ns, info.file_size, name)


def _is_member(info: zipfile.ZipInfo) -> bool:
    name = info.filename.rsplit("/", 1)[-1]
    hidden = name.startswith(".") or info.filename.startswith("__MACOSX")
    return not info.is_dir() and not hidden and name.lower().endswith((".csv", *LOOKALIKES))


def _passed_over(label: str) -> str:
    if label.lower().endswith(".csv"):
        return f"{label} was not read: the ZIP file holds a later file of the same name; rename one of them"
    return f"{label} was not read: of a ZIP file only .csv files are; take it out of there"


def damaged(found: Found, error: Exception) -> api.SourceError:
    """Say that a file cannot be unpacked or read."""
    kind = "not readable" if isinstance(error, PermissionError) else "damaged"
    return api.SourceError(
        f"{found.label} is {kind} ({type(error).__name__})",
        next_step="Export or copy the file again; check that hub may read it.",
    )


def stream_of(found: Found) -> IO[bytes] | gzip.GzipFile:
    """Open the file's bytes, unpacked."""
    if found.member is not None:
        return zipfile.ZipFile(found.path).open(found.member)
    if found.zipped:
        return gzip.open(found.path)
    return found.path.open("rb")


@lru_cache(maxsize=256)
def open_file(found: Found, *, encoding: str, delimiter: str | None, expected: frozenset[str]) -> Opened:
    """Read the header of a file; ``expected`` are folded headers, by which the delimiter is told.

    A run asks for each stream of a folder, and again for how far each reaches: a file with the same time and size is
    the same, as it is for the cursor.

    Raises:
        SourceError: the file is empty, has no rows, is damaged, or is not text in this encoding.
    """
    sample = _sample(found)
    text = _decoded(found, sample, encoding)
    if not text.strip("\ufeff\r\n\t ,;|"):
        raise api.SourceError(f"{found.label} is empty", next_step="Export the file again.")
    chosen = delimiter or max(DELIMITERS, key=lambda sign: _score(text, sign, expected))
    header, rest = _header(text, chosen)
    if header is None or (not rest and text.count('"') % 2):
        raise api.SourceError(
            f"{found.label} has a quote in its header that is never closed",
            next_step="Export the file again, or close the quote in the first line.",
        )
    if len(sample) < SAMPLE and not rest.strip(f'\r\n"{chosen}'):
        raise api.SourceError(
            f"{found.label} has a header and no rows",
            next_step="Export the file again; delete it if there is really nothing to export.",
        )
    bare = _QUOTED.sub("", text)
    mixed = "\r\n" in bare and re.search(r"(?<!\r)\n", bare) is not None
    return Opened(found, header, chosen, encoding, mixed)


def _sample(found: Found) -> bytes:
    try:
        with stream_of(found) as stream:
            sample = stream.read(SAMPLE)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise damaged(found, error) from error
    if sample.startswith(b"PK\x03\x04"):
        raise api.SourceError(
            f"{found.label} is a workbook or an archive, not CSV text",
            next_step="Save it as CSV (UTF-8); an archive needs a name that ends in .zip.",
        )
    if sample.startswith(b"\x1f\x8b"):
        raise api.SourceError(
            f"{found.label} is packed with gzip, not CSV text",
            next_step="Let its name end in .csv.gz, or unpack it.",
        )
    return sample


def _decoded(found: Found, sample: bytes, encoding: str) -> str:
    is_utf8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig", "ascii"}
    # Of UTF-16 every other byte is zero, about, where the letters are Latin.
    utf16 = sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or sample.count(0) * 4 > len(sample)
    if is_utf8 and not utf16 and b"\0" in sample:
        line = sample.count(b"\n", 0, sample.index(0)) + 1
        raise api.SourceError(
            f"{found.label} holds a zero byte in line {line}, which no text has",
            next_step="Export or copy the file again: it may be damaged.",
        )
    if is_utf8 and utf16:
        raise wrong_encoding(found, encoding, "line 1", utf16=True)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig" if is_utf8 else encoding)().decode(sample, len(sample) < SAMPLE)
    except UnicodeError as error:
        line = sample.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise wrong_encoding(found, encoding, f"line {line}", utf16=utf16) from error
    return text


def wrong_encoding(found: Found, encoding: str, place: str, *, utf16: bool = False) -> api.SourceError:
    """Say that a file is not text in the expected encoding."""
    guess = "utf-16" if utf16 else "cp1252"
    return api.SourceError(
        f"{found.label} is not {encoding.upper()} text: {place} cannot be read; it is probably {guess}",
        next_step=f'Save the file as UTF-8, or read it through a mapping with encoding = "{guess}".',
    )


def _header(text: str, delimiter: str) -> tuple[tuple[str, ...] | None, str]:
    """Return the header's cells and the text after it; None for a header longer than Python reads."""
    lines = io.StringIO(text, newline="")
    try:
        header = tuple(cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter), ()))
    except csv.Error:
        return None, ""
    # The rest is not read record by record: a note in it may be longer than Python takes, and DuckDB takes it.
    return header, lines.read()


def _score(text: str, delimiter: str, expected: frozenset[str]) -> tuple[int, int]:
    # With a quote left open the first line still tells the delimiter.
    whole, _ = _header(text, delimiter)
    header = _header(text[:LINE].splitlines()[0], delimiter)[0] or () if whole is None else whole
    known = sum(cell.casefold() in expected for cell in header)
    return known, len(header)


def unpack(opened: Opened, folder: Path) -> Path:
    """Return a file that DuckDB's reader takes as it is: UTF-8, one kind of line end, not in a ZIP.

    The copy, where one is needed, lies in ``folder``; the caller empties it.
    """
    found = opened.found
    is_utf8 = codecs.lookup(opened.encoding).name in {"utf-8", "utf-8-sig", "ascii"}
    if found.member is None and is_utf8 and not opened.mixed_ends:
        return found.path
    target = folder / f"{len(list(folder.iterdir()))}.csv"
    decoder = codecs.getincrementaldecoder("utf-8-sig" if is_utf8 else opened.encoding)(
        "surrogateescape" if is_utf8 else "strict"
    )
    newlines = io.IncrementalNewlineDecoder(None, translate=True) if opened.mixed_ends else None
    try:
        with stream_of(found) as source, target.open("wb") as copy:
            for chunk in iter(lambda: source.read(SAMPLE), b""):
                text = decoder.decode(chunk)
                copy.write(_encoded(newlines.decode(text) if newlines else text))
            copy.write(_encoded(decoder.decode(b"", True)))
    except UnicodeError as error:
        raise wrong_encoding(found, opened.encoding, "a later line") from error
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise damaged(found, error) from error
    return target


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
