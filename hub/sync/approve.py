"""Let the next run deliver what guards hold."""

from __future__ import annotations

from hub.errors import ConfigError
from hub.ledger import HeldGuard
from hub.sync.wiring import Wiring


def approve(wiring: Wiring, name: str) -> list[HeldGuard]:
    """Approve what guards hold of a sync, or of a source whose table shrank, and return it; nothing is sent.

    A sync that waits because a source's table shrank is approved with that source.

    Raises:
        ConfigError: there is no sync or source of that name.
    """
    client = wiring.client
    known = [*client.syncs, *client.sources]
    if name not in known:
        raise ConfigError(f"there is no sync {name!r} in {client.id}; there are {', '.join(known) or 'none'}")
    names = [name, *client.sources] if name in client.syncs else [name]
    with wiring.open_ledger() as ledger:
        approved = [held for each in dict.fromkeys(names) for held in ledger.approve(each)]
        for held in approved:
            ledger.audit("approve", None, f"{held.sync}: {held.guard}, {held.size}")
    return approved
