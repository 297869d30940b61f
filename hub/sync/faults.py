"""What fails in one part of a run: that part's failure, or the run's."""

from __future__ import annotations

import logging

from hub.catalog import plain_failures
from hub.errors import UNEXPECTED_STEP, HubError, PluginError, unexpected

_log = logging.getLogger(__name__)


def failure_of_one(error: Exception) -> HubError:
    """Return the failure of one part of a run, for its siblings to go on; ``--debug`` shows where it came from.

    What concerns the whole run is raised: settings, memory, disk, the catalog's file, the ledger.
    """
    if isinstance(error, PluginError):
        return error
    try:
        with plain_failures():
            raise error
    except (HubError, OSError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  # whatever else it is, the siblings go on
        _log.debug("a part of the run failed", exc_info=error)
        return HubError(unexpected(error), next_step=UNEXPECTED_STEP)
