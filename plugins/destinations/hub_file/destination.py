"""The destination ``file``: the whole audience in one file, replaced at once."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal

from hub import api
from hub_file.formats import read_columns, read_rows, write_header, write_rows
from hub_file.layouts import LAYOUTS, Layout, Row

_LONGEST_NAME = 80
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FILES = "files"
_IDENTIFIERS = frozenset(name for layout in LAYOUTS.values() for name in layout.columns[:2])
_BATCH = api.Limit(50_000)


class FileConfig(api.Config):
    """Where the file is and what it looks like."""

    folder: str | None = api.Field(
        default=None, description="folder for the files; default: audiences/<client> in the workspace"
    )
    format: Literal["csv", "jsonl"] = api.Field(default="csv", description="csv, or jsonl: one JSON object a line")
    layout: Literal["plain", "meta", "google"] = api.Field(
        default="plain",
        description="plain: addresses and attributes as they are; meta, google: hashed, for their upload pages",
    )
    purpose: str | None = api.Field(
        default=None,
        description="what members must have consented to; default: email_marketing, for meta and google ads",
    )


@dataclass(slots=True)
class _Part:
    """A file in the making: the next batch's number, and where the last one began."""

    file: IO[str]
    path: Path
    columns: list[str]
    number: int = 0
    began_at: int = 0


class FileDestination(api.Destination[FileConfig]):
    """Keep the audience as CSV or JSON lines, replaced whole and at once when the last batch is written."""

    name = "file"
    Config = FileConfig
    can = api.Capabilities(
        ops={api.Op.ADD: _BATCH, api.Op.UPDATE: _BATCH, api.Op.REMOVE: _BATCH},
        identify_by=("email", "phone"),
        purpose="email_marketing",
        repeatable=True,
        replaces=True,
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._parts: dict[str, _Part] = {}

    @property
    def purpose(self) -> str:
        """Return the purpose of the settings, else that of the layout."""
        return self.config.purpose or self._layout.purpose

    @property
    def folder(self) -> Path:
        """Return the folder the files are in."""
        return self.shop.outputs / (self.config.folder or f"audiences/{self.shop.client}")

    def path(self, audience: str) -> Path:
        """Return where an audience's file is."""
        return self.folder / f"{file_name(audience)}.{self.config.format}"

    def ensure_audience(self, name: str) -> str:
        """Return the file's name without its ending; nothing is made before the first push.

        Raises:
            ConfigError: there is such a file, and something else wrote it.
        """
        self._refuse_foreign(self.path(name))
        return file_name(name)

    def check(self) -> Iterator[api.Finding]:
        """Look whether files can be written, without writing one."""
        existing = self.folder
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            yield api.Finding.error(f"{existing} is not a folder", next_step="Set `folder` to another place.")
        elif not os.access(existing, os.W_OK | os.X_OK):
            yield api.Finding.error(
                f"{existing} cannot be written to", next_step="Change its permissions, or set `folder`."
            )
        else:
            yield api.Finding.ok(f"files go to {self.folder}")

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Write the batch to a file in the making, which takes the old one's place with the last batch.

        Removals come alone where nothing else may change: the people are taken out of the file that is there.

        Raises:
            ConfigError: something else wrote the file that is there; it stays as it is.
            TransientError: the file cannot be written now.
        """
        if batch.number == 1:
            self._refuse_foreign(self.path(batch.audience))
        if batch.op is api.Op.REMOVE:
            for member in batch:
                self._take_out(member, [self.path(batch.audience), *self._left_behind(batch.audience)])
                yield member.delivered()
            return
        try:
            part = self._part(batch)
            usable = [(member, self._layout.row(member)) for member in batch]
            rows = [row for _, row in usable if _identifiers(row)]
            self._widen(part, rows)
            write_rows(part.file, self.config.format, part.columns, rows)
            part.number = batch.number
            if batch.last:
                self._replace(self._parts.pop(batch.audience), self.path(batch.audience))
                for left in self._left_behind(batch.audience):
                    left.unlink()
        except OSError as error:
            raise api.TransientError(
                f"cannot write to {self.folder}: {error.strerror}",
                next_step="Make room or change its permissions; the file there is the old one, complete.",
            ) from error
        for member, row in usable:
            yield member.delivered() if _identifiers(row) else member.rejected("neither e-mail nor phone")

    def read_members(self, audience: str) -> Iterator[api.Member]:
        """Yield who is in the file, which is this connection's from then on: hub takes over whom it reads.

        The layouts of ad platforms are hashes and tell nobody's address.

        Raises:
            RejectedError: the layout is not plain.
        """
        if self.config.layout != "plain":
            raise api.RejectedError(
                f"a file in the layout {self.config.layout} holds hashes; nobody can be read from it"
            )
        path = self.path(audience)
        if not path.exists():
            return
        self._note(path)
        for number, row in enumerate(read_rows(path, self.config.format), start=1):
            email, phone = row.pop("email", None) or None, row.pop("phone", None) or None
            yield api.Member(key=f"row-{number}", email=email, phone=phone, attributes=row)

    def forget(self, member: api.Member) -> api.Outcome:
        """Take the person out of every file this connection ever wrote, without waiting for the next push."""
        self._take_out(member, self._written())
        return member.delivered()

    def _take_out(self, member: api.Member, paths: Iterable[Path]) -> None:
        """Write files again without a person, whatever layout they have."""
        known = [_identifiers(layout.row(member)) for layout in LAYOUTS.values()]
        for path in paths:
            if not path.exists():
                continue
            kind = path.suffix.removeprefix(".")
            rows = list(read_rows(path, kind))
            kept = [row for row in rows if not any(_same_person(each, _identifiers(row)) for each in known)]
            if len(kept) < len(rows):
                columns = read_columns(path, kind)
                part = self._begin(path, columns)
                write_rows(part.file, kind, columns, kept)
                self._replace(part, path)

    def close(self) -> None:
        """Throw away files that were never finished."""
        for part in self._parts.values():
            part.file.close()
            part.path.unlink(missing_ok=True)
        self._parts.clear()

    @property
    def _layout(self) -> Layout:
        return LAYOUTS[self.config.layout]

    def _written(self) -> Iterator[Path]:
        """Yield the files of this connection that are still there, and throw away what a crash left of them."""
        for name in self.remember.get(_FILES) or ():
            path = self.shop.outputs / name
            if path not in {self.path(audience) for audience in self._parts}:
                _part_path(path).unlink(missing_ok=True)
            if path.exists():
                yield path

    def _refuse_foreign(self, path: Path) -> None:
        """Raise a ConfigError where a file is not of this connection, so that it never replaces another's audience."""
        ours = {(self.shop.outputs / name).resolve() for name in self.remember.get(_FILES) or ()}
        if _exists(path) and path.resolve() not in ours:
            raise api.ConfigError(
                f"{path} is there already, and {self.connection} did not write it: another connection, client or "
                "program did",
                next_step="Move that file away, or set another `folder` for the destination or another `audience` for "
                "the sync.",
            )

    def _left_behind(self, audience: str) -> list[Path]:
        """Return the files that this audience had before the folder or the format was changed."""
        target = self.path(audience).resolve()
        return [path for path in self._written() if path.stem == target.stem and path.resolve() != target]

    def _note(self, path: Path) -> None:
        """Remember a file, so that people can be taken out of it after the settings have changed."""
        workspace = self.shop.outputs
        name = str(path.relative_to(workspace) if path.is_relative_to(workspace) else path)
        known = self.remember.get(_FILES) or []
        if name not in known:
            self.remember.set(_FILES, [*known, name])

    def _part(self, batch: api.Batch) -> _Part:
        """Return the file in the making: a new one for batch 1, else the one begun; a repeated batch is undone."""
        if batch.number == 1:
            begun = self._parts.pop(batch.audience, None)
            if begun:
                begun.file.close()
            self._note(self.path(batch.audience))
            part = self._begin(self.path(batch.audience), list(self._layout.columns))
            self._parts[batch.audience] = part
            return part
        begun = self._parts.get(batch.audience)
        if begun is None or batch.number not in {begun.number, begun.number + 1}:
            raise api.TransientError(f"batch {batch.number} came without the ones before it; the file begins again")
        if batch.number == begun.number:
            begun.file.seek(begun.began_at)
            begun.file.truncate()
        begun.began_at = begun.file.tell()
        return begun

    def _begin(self, target: Path, columns: list[str]) -> _Part:
        """Open an empty file beside the target; its name is fixed, so that a crash leaves one at most."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = _part_path(target)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        file = os.fdopen(descriptor, "w+", encoding="utf-8", newline="")
        part = _Part(file, path, columns)
        write_header(file, target.suffix.removeprefix("."), columns)
        part.began_at = file.tell()
        return part

    def _widen(self, part: _Part, rows: list[Row]) -> None:
        """Add columns for attributes not seen before; rows already written get them empty."""
        if not self._layout.open_ended:
            return
        new = list(dict.fromkeys(name for row in rows for name in row if name not in part.columns))
        if not new:
            return
        part.file.flush()
        written = list(read_rows(part.path, self.config.format)) if part.number else []
        part.columns.extend(new)
        part.file.seek(0)
        part.file.truncate()
        write_header(part.file, self.config.format, part.columns)
        write_rows(part.file, self.config.format, part.columns, written)
        part.began_at = part.file.tell()

    def _replace(self, part: _Part, target: Path) -> None:
        """Put the finished file in the old one's place; after a power cut there is one or the other, whole."""
        with part.file as file:
            file.flush()
            os.fsync(file.fileno())
        part.path.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # where one may not look, one may not write either, and writing says so


def _part_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _identifiers(row: Row) -> dict[str, str]:
    return {name: str(row[name]) for name in _IDENTIFIERS if row.get(name)}


def _same_person(one: dict[str, str], other: dict[str, str]) -> bool:
    """Tell whether two share an identifier and differ in none: people of one household share a phone."""
    both = one.keys() & other.keys()
    return bool(both) and all(one[name] == other[name] for name in both)


def file_name(audience: str) -> str:
    """Return a file's name for an audience: its letters and digits, and a mark where that lost something.

    Two audiences never share a file, and what is a file's name already stays as it is.
    """
    if _SLUG.fullmatch(audience) and len(audience) <= _LONGEST_NAME:
        return audience
    ascii_only = unicodedata.normalize("NFKD", audience).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[: _LONGEST_NAME - 9].strip("-")
    mark = sha256(audience.encode()).hexdigest()[:8]
    return f"{slug}-{mark}" if slug else mark
