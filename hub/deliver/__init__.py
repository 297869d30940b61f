"""Send the difference to a destination: batches, pace, retries, receipts; the ledger knows every step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from hub.deliver.delivery import Delivery
from hub.deliver.isolation import ACCIDENTS, BROKE, isolated
from hub.deliver.receipts import settle
from hub.deliver.replacing import Replacing
from hub.deliver.telling import as_kept, id_text
from hub.deliver.work import Policy, Tally, Work
from hub.ledger import Ledger


def deliver(
    work: Work,
    ledger: Ledger,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    stop: threading.Event,
    *,
    policy: Policy | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Send one sync's difference and return the numbers; what the destination did wrong is in ``Tally.error``.

    ``sleep`` should return at once when ``stop`` is set. ``progress`` is told how many members each batch settled.

    Raises:
        HubError: the ledger cannot be written; the next run recovers what was on its way.
    """
    kind = Replacing if work.destination.can.replaces else Delivery
    chosen = policy or Policy()
    return kind(work, ledger, clock=clock, sleep=sleep, stop=stop, policy=chosen, progress=progress).run()


__all__ = ["ACCIDENTS", "BROKE", "Policy", "Tally", "Work", "as_kept", "deliver", "id_text", "isolated", "settle"]
