"""One run per client at a time: a lock on the client's folder that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hub.errors import BusyError

FILE = "lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the client's folder for as long as the block runs.

    Raises:
        BusyError: another process holds it; the message names its process id.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        # Closing frees the lock; the file stays, since removing it would let two holders lock two files.
        os.close(descriptor)


def holder(folder: Path) -> int | None:
    """Return the process id that holds the folder, or None when nobody does."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _written(descriptor)
        named = f"process {pid}" if pid else "another process"
        raise BusyError(
            f"{named} is working on {folder.name}", next_step="Wait until it has ended, or end it."
        ) from None


def _written(descriptor: int) -> int | None:
    with suppress(ValueError):
        return int(os.pread(descriptor, 32, 0))
    return None
