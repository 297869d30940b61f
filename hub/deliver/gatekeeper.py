"""The last look before sending: who withdrew, or got a mail from another sync, since the plan was made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from hub.deliver.batches import Part
from hub.deliver.work import Work
from hub.ledger import Ledger, NewBlock, StandingBlock

WITHDREW = "a block was recorded while the run went on"
CAPPED = "got something from another sync a short time ago"


class Gatekeeper:
    """Let members of a batch through, inside the transaction that writes its intent."""

    def __init__(self, work: Work, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._work = work
        self._ledger = ledger
        self._seen = work.seen_block
        self._barred: dict[str, str] = {}
        cap = work.destination.can.cap
        if cap is not None:
            keys = ledger.recent_deliveries(clock() - cap).column("member_key").to_pylist()
            self._bar(keys, CAPPED)

    @property
    def barred(self) -> Collection[str]:
        """Return the keys of addresses that must get nothing."""
        return self._barred.keys()

    def pass_on(
        self, part: Part, interrupt: Callable[[], None], hold_back: Callable[[Collection[str], str], None]
    ) -> Part:
        """Return the members that may still be sent, and tell of the others."""
        self.look(interrupt)
        if not self._barred:
            return part
        kept: list[int] = []
        held: dict[str, list[str]] = {}
        for place, member in enumerate(part.members):
            reason = self._barred.get(member.key)
            if reason is None:
                kept.append(place)
            else:
                held.setdefault(reason, []).append(member.key)
        for reason, keys in held.items():
            hold_back(keys, reason)
        return part if len(kept) == len(part) else part.take(kept)

    def look(self, interrupt: Callable[[], None]) -> None:
        """Take in the blocks that were written since the last look."""
        newest = self._ledger.highest_block()
        if newest == self._seen:
            return
        blocked = [block.address_key for block in self._ledger.blocks_since(self._seen) if self._concerns(block)]
        if blocked:
            interrupt()
            self._bar(blocked, WITHDREW)
        self._seen = newest

    def write(self, blocks: Collection[NewBlock]) -> None:
        """Write blocks that outcomes proved. They concern members that were just sent, so that no look is due."""
        if not blocks:
            return
        before = self._ledger.highest_block()
        self._ledger.add_blocks(blocks)
        if before == self._seen:
            self._seen = self._ledger.highest_block()

    def _bar(self, keys: Collection[str], reason: str) -> None:
        if keys:
            for key in {*keys, *self._work.related(keys)}:
                self._barred[key] = reason

    def _concerns(self, block: StandingBlock) -> bool:
        if block.reason == "erasure":
            return True
        return self._work.channel is not None and block.channel in {self._work.channel, "*"}
