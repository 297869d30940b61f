"""The ledger's SQL: named blocks by file, and the steps of its schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from hub.sql import load_queries


def load(name: str) -> Mapping[str, str]:
    """Return the named blocks of one file."""
    return load_queries("hub.ledger", f"sql/{name}.sql")


@cache
def versions() -> tuple[tuple[int, str], ...]:
    """Return the steps that bring a ledger's schema up to date, oldest first."""
    folder = files("hub.ledger").joinpath("sql", "versions")
    steps = (entry for entry in folder.iterdir() if entry.name[:4].isdigit())
    return tuple(sorted((int(entry.name[:4]), entry.read_text("utf-8")) for entry in steps))
