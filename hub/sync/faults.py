"""What fails in one part of a run: that part's failure, or the run's."""

from __future__ import annotations

import logging

import duckdb

from hub.errors import UNEXPECTED_STEP, HubError, PluginError, unexpected

_OF_THE_RUN = (HubError, OSError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException)
_log = logging.getLogger(__name__)


def failure_of_one(error: Exception) -> HubError:
    """Return the failure of one part of a run, for its siblings to go on; ``--debug`` shows where it came from.

    Raises the error itself where it is the whole run's: settings, memory, disk, ledger.
    """
    if isinstance(error, PluginError):
        return error
    if isinstance(error, _OF_THE_RUN):
        raise error
    _log.debug("a part of the run failed", exc_info=error)
    return HubError(unexpected(error), next_step=UNEXPECTED_STEP)
