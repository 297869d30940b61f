"""Opt-outs that reading again could not tell: they become blocks of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from hub.catalog import OptOut
from hub.keys import keyed_hash
from hub.ledger import Ledger, NewBlock


def keep_opt_outs(ledger: Ledger, key: bytes, opt_outs: Sequence[OptOut]) -> None:
    """Write opt-outs as blocks; ``key`` is the client's."""
    ledger.add_blocks(
        NewBlock(
            keyed_hash(key, each.address),
            each.channel,
            each.reason,
            each.recorded_at if each.recorded_at.tzinfo else each.recorded_at.replace(tzinfo=UTC),
            each.origin,
        )
        for each in opt_outs
    )
