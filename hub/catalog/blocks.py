"""Read named blocks from the ``.sql`` files beside this module.

A block begins with ``-- name: …``. Identifiers, which cannot be bound, stand in braces and are filled in by
``sql(name, table=…)``; values are always bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from hub.sql import quoted, run

if TYPE_CHECKING:
    import duckdb

__all__ = ["one", "quoted", "sql"]

_HEADER = re.compile(r"^-- name: ([a-z0-9_]+)\s*$", re.MULTILINE)


@cache
def _blocks(file: str) -> dict[str, str]:
    text = (resources.files(__package__) / f"{file}.sql").read_text(encoding="utf-8")
    parts = _HEADER.split(text)
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def sql(name: str, /, **identifiers: str) -> str:
    """Return the block ``file.name`` with its identifiers filled in.

    Raises:
        KeyError: no such file or block.
    """
    file, _, block = name.partition(".")
    text = _blocks(file)[block]
    for identifier, value in identifiers.items():
        text = text.replace(f"{{{identifier}}}", value)
    return text


def one(con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
    """Return the first row of an answer, or None; nothing of the answer is left waiting on the connection."""
    rows = run(con, query, values).fetchall()
    return rows[0] if rows else None
