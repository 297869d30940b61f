"""What goes wrong with a catalog, in words that users may read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hub.errors import HubError

MORE_MEMORY = "Set a larger memory_limit in hub.toml, or make room on the disk it spills to."
_RAN_OUT = "the catalog ran out of memory"
_DAMAGED = re.compile(r"not a valid DuckDB database file|Could not read enough bytes|Corrupt database file")
_QUOTE_VALUES = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)


class CatalogFailedError(HubError):
    """Memory or disk do not suffice for a catalog, or its file is damaged."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether DuckDB lacked memory; while an answer is read in batches, Arrow hands that on as an OSError."""
    return isinstance(error, duckdb.OutOfMemoryException) or (
        _is_of_arrow(error) and str(error).startswith("Out of Memory Error")
    )


def safe_text(error: BaseException) -> str:
    """Return what an error of somebody's plugin or SQL says, safe to show: without addresses, phones and values."""
    from hub.http import redactor  # noqa: PLC0415  # brings httpx, which many commands do not need

    if is_out_of_memory(error):
        return _RAN_OUT
    if isinstance(error, _QUOTE_VALUES) or (_is_of_arrow(error) and " Error: " in str(error)):
        return "what DuckDB says of it may quote the data, and is not told here"
    return redactor(())(str(error))


def safe_error(error: BaseException) -> str:
    """Return the same with the kind of error before it; a ``HubError``, which is written for users, stands as it is."""
    return str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {safe_text(error)}"


@contextmanager
def plain_failures(path: Path = Path("catalog.duckdb")) -> Iterator[None]:
    """Say in words that memory or disk do not suffice for a catalog, or that its file is damaged.

    Raises:
        CatalogFailedError: what was done in the context ran out of memory, or could not read or write the file.
    """
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if is_out_of_memory(error):
            raise CatalogFailedError(_RAN_OUT, next_step=MORE_MEMORY) from error
        first = str(error).partition("\n")[0]
        if _DAMAGED.search(first):
            raise CatalogFailedError(
                f"the catalog {path} is damaged",
                next_step=f"Delete that file, which is safe, then run `hub pull {path.parent.name or 'CLIENT'}`.",
            ) from error
        if first.startswith("IO Error"):
            raise CatalogFailedError(
                f"the catalog cannot be read or written: {first}",
                next_step="Make room on the disk and run it again; deleting catalog.duckdb is safe.",
            ) from error
        raise


def _is_of_arrow(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno is None
