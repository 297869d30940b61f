"""SQL that several modules share, and named blocks in ``.sql`` files beside the module that runs them.

A block begins with ``-- name: <name>`` and ends where the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_MOST = 1_000
"""How many texts are kept parsed, at about thirty times their size."""
_parsed: dict[str, list[duckdb.Statement]] = {}


def run(
    con: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute statements that a process executes again, for every run and client; each names all of the values.

    They are parsed once: DuckDB takes half a millisecond for a kilobyte, which for a small shop is more than the work.
    """
    statements = _parsed.get(text)
    if statements is None:
        if len(_parsed) >= _MOST:
            _parsed.clear()
        _parsed[text] = statements = con.extract_statements(text)
    for statement in statements:
        con.execute(statement, values)
    return con


def quoted(identifier: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def digest_of(columns: str) -> str:
    """Return SQL that tells a set of rows from any other by these columns, in whatever order the rows are read."""
    return f"concat_ws(':', count(*), sum(hash({columns})), bit_xor(hash('mixed', {columns})))"


@cache
def load_queries(package: str, file: str = "queries.sql") -> MappingProxyType[str, str]:
    """Read the named blocks of one file of a package."""
    blocks: dict[str, list[str]] = {}
    current: list[str] = []
    for line in files(package).joinpath(file).read_text(encoding="utf-8").splitlines():
        if line.startswith("-- name:"):
            current = blocks.setdefault(line.removeprefix("-- name:").strip(), [])
        else:
            current.append(line)
    return MappingProxyType({name: "\n".join(lines).strip() for name, lines in blocks.items()})
