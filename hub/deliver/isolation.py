"""Whatever a plugin does wrong, as an error that names it and tells nobody's address."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hub.api import HubError, PluginError, TransientError
from hub.catalog import safe_text
from hub.errors import ErrorT, hide_addresses

ACCIDENTS = (Exception, SystemExit)
"""What a plugin may raise without meaning an error of hub's; one that calls ``sys.exit`` must not end the run."""

BROKE = "Report it to the plugin's author; hub plugins info names the distribution."
"""The next step where a plugin broke the contract."""

LONGEST_WAIT = 86_400.0
_REPORT = "Report it to the plugin's author; the traceback is shown with --debug."


@contextmanager
def isolated(named: str, method: str) -> Iterator[None]:
    """Make a PluginError of whatever a plugin's method raises by accident.

    Raises:
        HubError: raised on purpose, it stays what it is, without addresses.
    """
    try:
        yield
    except HubError as error:
        told_safely(error)
        raise
    except ACCIDENTS as error:
        raise broken(named, method, error) from error


def broken(named: str, method: str, error: BaseException) -> PluginError:
    """Return the error of a plugin that raised something in one of its methods."""
    text = f"{named} raised {type(error).__name__} in {method}: {safe_text(error)}"
    return PluginError(text, next_step=_REPORT)


def told_safely(error: ErrorT) -> ErrorT:
    """Return an error of a plugin's without addresses, and with a wait that hub can keep."""
    if isinstance(error, TransientError):
        error.retry_after = wait_of(error.retry_after)
    return hide_addresses(error)


def wait_of(told: Any) -> float | None:
    """Return the seconds that a plugin asks to wait: also of a header's text, a day at most; None if it is no time."""
    try:
        seconds = math.nan if isinstance(told, bool) else float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None
