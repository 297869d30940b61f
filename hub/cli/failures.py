"""A failure, as users see it: one line, the next step, an exit code."""

from __future__ import annotations

import sys
import traceback

from hub.errors import ConfigError, HubError, PluginError, RefusedError, SourceError

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


def report_failure(error: Exception, *, debug: bool) -> int:
    """Write a failure to standard error and return the exit code."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    lines = str(error).splitlines() if isinstance(error, HubError) else [_unexpected(error)]
    for line in lines:
        sys.stderr.write(f"error: {line}\n")
    next_step = (
        error.next_step if isinstance(error, HubError) else "Run it again with --debug and report what it shows."
    )
    if next_step:
        sys.stderr.write(f"next: {next_step}\n")
    return exit_code(error)


def _unexpected(error: Exception) -> str:
    """Name an error of hub's own making by its kind and place: its text might hold someone's data."""
    if isinstance(error, OSError) and error.strerror:
        file = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{file}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name} ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"hub failed unexpectedly: {type(error).__name__}{place}"
