"""Try again at once, by hand, what failed."""

from __future__ import annotations

from hub.errors import BusyError
from hub.ledger.lock import hold
from hub.sync.numbers import RunNumbers
from hub.sync.run import RunOptions, run_client, skipped
from hub.sync.wiring import Wiring


def retry(wiring: Wiring, only: frozenset[str] | None, *, unknown: bool = False, refused: bool = False) -> RunNumbers:
    """Make what waits due now, and run the syncs on what was read last.

    ``unknown`` also tries members who may have got it already: what must not happen twice may then happen twice.
    ``refused`` also tries those whom the destination refused for good.
    """
    try:
        with hold(wiring.folder), wiring.open_ledger() as ledger:
            for audience in ledger.audiences():
                if only is None or audience.sync in only:
                    ledger.make_due(audience.audience_id, unknown=unknown, refused=refused)
    except BusyError as error:
        return skipped(wiring, error)
    return run_client(wiring, RunOptions("retry", pull=False, only=only))
