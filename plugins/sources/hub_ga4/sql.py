"""Named statements of ``statements.sql``, and the database that runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb

from hub import api

_BLOCK = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_SIGN = re.compile(r"[*?\[]")
UNKNOWN = "ZZ"
"""The country of a name that hub does not know: none, so that silence about consent permits nothing there."""


@cache
def _blocks() -> Mapping[str, str]:
    pieces = _BLOCK.split(files("hub_ga4").joinpath("statements.sql").read_text(encoding="utf-8"))[1:]
    return {key: text.strip() for key, text in zip(pieces[::2], pieces[1::2], strict=True)}


def statement(name: str, **parts: object) -> str:
    """Return a named statement with its braces filled: expressions, literals and other statements."""
    return _blocks()[name].format(**parts)


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def scanned(path: Path) -> str:
    """Return a path as SQL writes it for a scan: a sign that would make a pattern of it means itself."""
    return literal(_SIGN.sub(r"[\g<0>]", str(path)))


def listed(paths: list[Path]) -> str:
    """Return paths as a list in SQL, for a scan."""
    return "[" + ", ".join(scanned(path) for path in paths) + "]"


def connection(folder: Path, country: str | None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills into ``folder``, fetches nothing, and knows countries by their names.

    ``country`` is the shop's, for events that name none.
    """
    con = duckdb.connect(config={"temp_directory": str(folder), "autoinstall_known_extensions": False})
    con.execute("set TimeZone = 'UTC'")
    con.execute(statement("macros"))
    lines = files("hub_ga4").joinpath("countries.csv").read_text(encoding="utf-8").splitlines()[1:]
    codes, names = zip(*(line.split(",", 1) for line in lines), strict=True)
    con.execute(statement("countries"), {"codes": list(codes), "names": list(names)})
    permits = sorted(api.silence_permits())
    con.execute(statement("silence"), {"countries": permits})
    con.execute(statement("shop_country"), {"country": country})
    return con


@contextmanager
def failures(label: str) -> Iterator[None]:
    """Turn DuckDB's failures into one clear error about a file; what DuckDB says may show data and is left out."""
    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException, OSError) as error:
        raise api.SourceError(
            f"{label} cannot be read to its end ({type(error).__name__})",
            next_step="Extract or copy the file again; check that hub may read it and that the disk is not full.",
        ) from None
