"""A failure, as users see it: one line, the next step, an exit code."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hub.errors import UNEXPECTED_STEP, ConfigError, HubError, PluginError, RefusedError, SourceError, unexpected

_EXIT_CODES: tuple[tuple[type[HubError], int], ...] = (
    (ConfigError, 2),
    (SourceError, 3),
    (RefusedError, 3),
    (PluginError, 4),
)
"""Every other failure is 1; a run that is skipped because another one works is no failure and does not come here."""


def exit_code(error: BaseException) -> int:
    """Return the exit code that a failure ends hub with."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


@contextmanager
def tell_faults() -> Iterator[None]:
    """Show on standard error also where failures come from that do not end the command."""
    log, handler = logging.getLogger("hub"), logging.StreamHandler(sys.stderr)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)


def report_failure(error: Exception, *, debug: bool) -> int:
    """Write a failure to standard error and return the exit code."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    lines = str(error).splitlines() if isinstance(error, HubError) else [_unexpected(error)]
    for line in lines:
        sys.stderr.write(f"error: {line}\n")
    next_step = error.next_step if isinstance(error, HubError) else UNEXPECTED_STEP
    if next_step:
        sys.stderr.write(f"next: {next_step}\n")
    return exit_code(error)


def _unexpected(error: Exception) -> str:
    """Say what the system refused, and of which file, else where hub failed."""
    if isinstance(error, OSError) and error.strerror:
        file = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{file}"
    return unexpected(error)
