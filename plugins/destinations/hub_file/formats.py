"""CSV and JSON lines: writing rows to an open file, reading them back."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from hub_file.layouts import Row

# A spreadsheet runs a cell that begins like this; the wide forms are what some of them read as = + - @.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_DEFUSED = re.compile(r"''*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_LONGEST_FIELD = 2**31 - 1  # the most that every platform takes


def defuse(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run.

    Signs before nothing but digits stay, so that +4512345678 can be uploaded and -12.50 counted: such a cell
    is a number and runs nothing.
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def fuse(cell: str) -> str:
    """Undo ``defuse``."""
    return cell[1:] if _DEFUSED.match(cell) else cell


def write_header(file: IO[str], kind: str, columns: Sequence[str]) -> None:
    """Write what comes before the rows."""
    if kind == "csv":
        csv.writer(file).writerow([defuse(column) for column in columns])


def write_rows(file: IO[str], kind: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows."""
    if kind == "csv":
        csv.writer(file).writerows([_cell(row.get(column)) for column in columns] for row in rows)
        return
    for row in rows:
        file.write(json.dumps({column: _plain(row.get(column)) for column in columns}, ensure_ascii=False) + "\n")


def read_rows(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as they were given, texts where CSV knows no types."""
    with path.open(encoding="utf-8", newline="") as file:
        if kind == "jsonl":
            for line in file:
                yield json.loads(line)
            return
        _read_any_length()
        for row in csv.DictReader(file):
            yield {fuse(str(name)): fuse(str(value or "")) for name, value in row.items()}


def read_columns(path: Path, kind: str) -> list[str]:
    """Return the columns of a file; none where it has no rows to tell by."""
    with path.open(encoding="utf-8", newline="") as file:
        if kind == "csv":
            _read_any_length()
            return [fuse(name) for name in next(csv.reader(file), [])]
        first = file.readline()
        return list(json.loads(first)) if first.strip() else []


def _read_any_length() -> None:
    """Let Python's reader take what its writer wrote; it refuses fields of more than 131,072 characters by default.

    The limit is the process's: put back after one reading, it would end another that is under way.
    """
    csv.field_size_limit(_LONGEST_FIELD)


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value)
    return defuse(str(value).replace("\x00", ""))


def _plain(value: Any) -> Any:
    """Turn a value into what JSON has: times with Z, money as exact text, sets and tuples as lists."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
