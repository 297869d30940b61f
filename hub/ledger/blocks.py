"""Blocks: recorded reasons not to contact an address."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

import pyarrow as pa

from hub.ledger import queries
from hub.ledger.records import Blocks, NewBlock, StandingBlock
from hub.ledger.store import Store
from hub.ledger.times import to_micros


class BlockList(Store):
    """The ledger's record of blocks, numbered in the order they were written."""

    def blocks(self) -> Blocks:
        """Return the standing blocks: address_key, channel, reason, recorded_at (naive UTC), origin."""
        sql = queries.load("blocks")
        # The number first: a block written in between is seen twice, and none is missed.
        seen = self.highest_block()
        rows = self._all(sql["standing_blocks"])
        keys, channels, reasons, times, origins, _ = zip(*rows, strict=True) if rows else ((),) * 6
        text = pa.string()
        columns = {
            "address_key": pa.array(keys, text),
            "channel": pa.array(channels, text),
            "reason": pa.array(reasons, text),
            "recorded_at": pa.array(times, pa.int64()).cast(pa.timestamp("us")),
            "origin": pa.array(origins, text),
        }
        return Blocks(pa.table(columns), seen)

    def highest_block(self) -> int:
        """Return the number of the newest block ever written."""
        row = self._one(queries.load("blocks")["highest_block"])
        return int(row[0])

    def blocks_since(self, number: int) -> list[StandingBlock]:
        """Return standing blocks written after a number, oldest first."""
        rows = self._all(queries.load("blocks")["blocks_since"], {"number": number})
        return [StandingBlock(*row) for row in rows]

    def add_blocks(self, blocks: Iterable[NewBlock]) -> int:
        """Write blocks and return how many are news; one that stands already with that time or a newer is not."""
        sql = queries.load("blocks")
        rows = [(b.address_key, b.channel, b.reason, to_micros(b.recorded_at), b.origin) for b in blocks]
        if not rows:
            return 0
        with self.transaction():
            before = self.highest_block()
            now = self._now()
            # One by one: a repeated address in one list must leave its newest statement, whatever the order.
            for row in rows:
                self.execute(sql["drop_older_block"], row[:4])
                self.execute(sql["add_block"], (*row, now))
            return len(self.blocks_since(before))

    def lift(self, address_key: str, channel: str, reasons: Collection[str] | None = None) -> bool:
        """Lift an address's standing blocks on a channel (of some reasons only), and tell whether there were any."""
        values = {
            "address_key": address_key,
            "channel": channel,
            "reasons": None if reasons is None else json.dumps(sorted(reasons)),
            "now": self._now(),
        }
        with self.transaction():
            return self.execute(queries.load("blocks")["lift_blocks"], values).rowcount > 0
