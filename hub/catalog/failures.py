"""What a machine that is too small does to a catalog, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from hub.errors import HubError

_OUT_OF_MEMORY = "Out of Memory Error"


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
                "the catalog ran out of memory; nothing more was sent",
                next_step="Set a larger memory_limit in hub.toml, or make room on the disk it spills to.",
            ) from error
        if first.startswith("IO Error"):
            raise HubError(
                f"the catalog cannot be read or written: {first}",
                next_step="Make room on the disk and run it again; deleting catalog.duckdb is safe.",
            ) from error
        raise
