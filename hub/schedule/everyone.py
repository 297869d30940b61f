"""Run what is due for every client; one client's failure changes nothing for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hub.config import Client, Workspace, load_client
from hub.errors import ConfigError, HubError
from hub.ledger import Ledger
from hub.plugins import Plugins
from hub.schedule.clock import due
from hub.sync.numbers import CONFIGURATION_EXIT_CODE, RunNumbers, Status, Trouble
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Everyone:
    """All clients of a workspace. ``whatever`` runs everything, due or not."""

    workspace: Workspace
    plugins: Plugins
    around: Surroundings
    whatever: bool = False

    def run(self, options: Callable[[Client, frozenset[str]], RunOptions]) -> Iterator[RunNumbers]:
        """Yield the numbers of every client that had something due, as each run ends."""
        for client_id in self.workspace.clients:
            if self.around.stop.is_set():
                return
            numbers = self._run_one(client_id, options)
            if numbers is not None:
                yield numbers

    def _run_one(self, client_id: str, options: Callable[[Client, frozenset[str]], RunOptions]) -> RunNumbers | None:
        try:
            client = load_client(self.workspace, client_id)
            names = self.due(client)
            if not names:
                return None
            wiring = Wiring(self.workspace, client, self.plugins, self.around)
            return run_client(wiring, options(client, names))
        except ConfigError as error:
            return failed(client_id, error, CONFIGURATION_EXIT_CODE)
        except HubError as error:
            return failed(client_id, error, 1)
        except Exception as error:  # noqa: BLE001  # one client's fault must not keep the others from their run
            return failed(client_id, HubError(f"hub failed unexpectedly: {type(error).__name__}"), 1)

    def due(self, client: Client) -> frozenset[str]:
        """Return the names of a client's syncs that are due now."""
        live = {name: sync for name, sync in client.syncs.items() if sync.enabled}
        if self.whatever:
            return frozenset(live)
        with Ledger.open(client.open_state(), self.around.clock) as ledger:
            last = ledger.last_runs()
        now = self.around.clock()
        return frozenset(
            name
            for name, sync in live.items()
            if due(sync.schedule, last[name].last_run_at if name in last else None, now, client.tz)
        )


def failed(client_id: str, error: HubError, code: int) -> RunNumbers:
    """Return the numbers of a run of which nothing came."""
    numbers = RunNumbers(client_id, "", status=Status.FAILED, trouble=Trouble.of(error))
    numbers.exit_code = code
    return numbers
