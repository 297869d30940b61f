"""What fails in one part of a run: that part's failure, or the run's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from hub.api import Destination
from hub.catalog import plain_failures
from hub.consent.rules import PURPOSES
from hub.deliver import BROKE, isolated
from hub.errors import UNEXPECTED_STEP, ConfigError, HubError, PluginError, unexpected
from hub.plugins.contract import capability_problems

if TYPE_CHECKING:
    from hub.sync.wiring import Wiring

_log = logging.getLogger(__name__)


class Unserved(Destination[Any]):
    """Stands in a sync for a destination that cannot say how it serves: nothing goes, and what is due stays due."""

    def __init__(self, behind: Destination[Any], error: HubError) -> None:
        super().__init__(connection=behind.connection, config=behind.config, shop=behind.shop, remember=behind.remember)
        self.can, self.error = behind.can, error


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


def named_destination(wiring: Wiring, name: str) -> str:
    """Return connection, plugin and distribution of a destination as an error names them."""
    plugin = wiring.client.destinations[name].plugin
    return f"destination {name} (plugin {plugin}, {wiring.plugins.entry('destination', plugin).origin})"


def serve(wiring: Wiring, behind: Destination[Any], purpose: Callable[[], str]) -> tuple[str, Destination[Any]]:
    """Return a sync's purpose and the destination as it serves that; an ``Unserved`` where its plugin cannot say.

    Raises:
        ConfigError: the plugin says that a setting is wrong.
    """
    named, told = named_destination(wiring, behind.connection), ""
    try:
        with isolated(named, "purpose"):
            told = purpose()
        if told not in PURPOSES:
            raise PluginError(
                f"{named} serves the purpose {told!r}, which hub does not know; there are {', '.join(PURPOSES)}",
                next_step="Correct the plugin's purpose, or set `purpose` of the sync.",
            )
        return told, _served(behind, told, named)
    except ConfigError:
        raise
    except HubError as error:
        return told if told in PURPOSES else PURPOSES[0], Unserved(behind, error)


def _served(behind: Destination[Any], purpose: str, named: str) -> Destination[Any]:
    with isolated(named, "serving"):
        served: Any = behind.serving(purpose)
    if not isinstance(served, Destination):
        what = f"serving returned {type(served).__name__}, which is no api.Destination"
        raise PluginError(f"{named} broke the contract: {what}", next_step=BROKE)
    with isolated(named, "cooldown"):
        can, rest = cast("Any", served.can), cast("Any", served.cooldown)
    problems = capability_problems(can)
    if not (rest is None or isinstance(rest, timedelta)):
        problems.append(f"its cooldown is {type(rest).__name__}, not a datetime.timedelta")
    if problems:
        raise PluginError(f"{named} broke the contract: {'; '.join(problems)}", next_step=BROKE)
    return served
