"""What goes wrong with a catalog, in words that users may read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from hub.errors import HubError

_OUT_OF_MEMORY = "Out of Memory Error"
_WITHOUT_VALUES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.IOException)


def said(error: Exception) -> str:
    """Return what an error of somebody's plugin or SQL says, without the addresses and phones that it may quote."""
    from hub.http import redactor  # noqa: PLC0415  # brings httpx, which many commands do not need

    if isinstance(error, duckdb.OutOfMemoryException):
        return "memory does not suffice: set a larger memory_limit in hub.toml"
    if isinstance(error, duckdb.Error) and not isinstance(error, _WITHOUT_VALUES):
        return "it met a value in the data that is not told here"
    return redactor(())(str(error))


def told(error: Exception) -> str:
    """Return the same with the kind of error before it; what hub or a plugin said on purpose stands as it is."""
    return str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {said(error)}"


@contextmanager
def plain_failures() -> Iterator[None]:
    """Say in words that memory or disk do not suffice for a catalog.

    Raises:
        HubError: what was done in the context ran out of memory, or could not read or write the file.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException, OSError) as error:
        # While an answer is read in batches, Arrow hands on what DuckDB says as an error of its own.
        first = str(error).partition("\n")[0]
        if first.startswith(_OUT_OF_MEMORY):
            raise HubError(
                "the catalog ran out of memory",
                next_step="Set a larger memory_limit in hub.toml, or make room on the disk it spills to.",
            ) from error
        if first.startswith("IO Error"):
            raise HubError(
                f"the catalog cannot be read or written: {first}",
                next_step="Make room on the disk and run it again; deleting catalog.duckdb is safe.",
            ) from error
        raise
