"""How the outcomes of one batch change the membership; runs inside the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Op
from hub.ledger import queries
from hub.ledger.packing import handle_of, listed, pack
from hub.ledger.records import Intent, Receipt, Settlement
from hub.ledger.times import to_micros

if TYPE_CHECKING:
    from hub.ledger.members import Membership

_SECOND = 1_000_000
_FIRST_LOOK = 5 * _SECOND


class Settler:
    """Write one settlement."""

    def __init__(self, ledger: Membership, batch: Intent | Receipt, result: Settlement, deadline: timedelta) -> None:
        self._ledger = ledger
        self._batch = batch
        self._result = result
        self._sql = queries.load("members")
        self._now = to_micros(ledger.clock())
        self._deadline = self._now + deadline // timedelta(microseconds=1)
        self._columns: dict[str, list[Any]] = {}
        self._audience = repeat(batch.audience_id)

    def write(self) -> None:
        """Write every group of outcomes by what the batch did."""
        {Op.ADD: self._added, Op.UPDATE: self._updated, Op.REMOVE: self._removed}[self._batch.op]()

    def _added(self) -> None:
        result, entered, sent = self._result, repeat(to_micros(self._batch.as_of)), repeat(self._now)
        done = result.delivered
        if done:
            columns = (self._pick("member_key", done), self._pick("attributes_hash", done), self._handles(done))
            self._write("add_delivered", self._audience, *columns, entered, sent, sent)
        for receipt, places in result.accepted.items():
            columns = (self._pick("member_key", places), self._pick("attributes_hash", places), self._handles(places))
            number = repeat(self._receipt(receipt, places))
            self._write("add_accepted", self._audience, *columns, entered, sent, number)
        if result.unknown:
            places, reasons = _split(result.unknown)
            columns = (self._pick("member_key", places), self._pick("attributes_hash", places), self._handles(places))
            self._write("add_unknown", self._audience, *columns, entered, sent, reasons)
        if result.rejected:
            places, reasons = _split(result.rejected)
            self._write(
                "add_refused",
                self._audience,
                self._pick("member_key", places),
                self._pick("data_hash", places),
                reasons,
            )
        self._add_failed()
        self._count_for_cap()

    def _add_failed(self) -> None:
        if not self._result.failed:
            return
        places, reasons = _split(self._result.failed)
        keys, entered = self._pick("member_key", places), repeat(to_micros(self._batch.as_of))
        due, now = repeat(self._due()), repeat(self._now)
        if self._result.maybe_sent:
            known = (self._pick("attributes_hash", places), self._handles(places))
            self._write("add_failed_sent", self._audience, keys, *known, entered, due, now, reasons)
        else:
            self._write("add_failed", self._audience, keys, entered, due, now, reasons)

    def _updated(self) -> None:
        result, sent = self._result, repeat(self._now)
        self._update(result.delivered, repeat(None), handles=True, delivered=True)
        rejected, why_rejected = _split(result.rejected)
        # The new hash is kept for a refused update, so that it is not tried again until the data changes.
        self._update(rejected, why_rejected)
        unknown, why_unknown = _split(result.unknown)
        self._update(unknown, why_unknown, forget_hash=self._batch.repeatable)
        for receipt, places in result.accepted.items():
            number = repeat(self._receipt(receipt, places))
            keys, hashes = self._pick("member_key", places), self._pick("attributes_hash", places)
            self._write("update_accepted", hashes, sent, number, self._audience, keys)
        if result.failed:
            places, reasons = _split(result.failed)
            keys = self._pick("member_key", places)
            self._write("update_failed", repeat(self._due()), sent, reasons, self._audience, keys)

    def _update(
        self,
        places: Sequence[int],
        reasons: Iterable[str | None],
        *,
        handles: bool = False,
        delivered: bool = False,
        forget_hash: bool = False,
    ) -> None:
        if not places:
            return
        hashes = repeat(None) if forget_hash else self._pick("attributes_hash", places)
        handle = self._handles(places) if handles else repeat(None)
        moment = repeat(self._now if delivered else None)
        keys = self._pick("member_key", places)
        self._write("update_settled", hashes, handle, repeat(self._now), reasons, moment, self._audience, keys)

    def _removed(self) -> None:
        result = self._result
        if result.delivered:
            self._ledger.remove_silently(self._batch.audience_id, self._pick("member_key", result.delivered))
        for receipt, places in result.accepted.items():
            number = repeat(self._receipt(receipt, places))
            self._write(
                "removal_accepted", repeat(self._deadline), number, self._audience, self._pick("member_key", places)
            )
        if result.unknown:
            places, reasons = _split(result.unknown)
            keys = self._pick("member_key", places)
            self._write("removal_unknown", repeat(self._due()), reasons, self._audience, keys)
        # A removal that the vendor refuses is tried again with growing pauses: a person who withdrew may be there.
        places, reasons = _split([*result.rejected, *result.failed])
        if places:
            keys = self._pick("member_key", places)
            self._write("removal_failed", repeat(self._due()), repeat(self._now), reasons, self._audience, keys)

    def _count_for_cap(self) -> None:
        if not self._batch.capped:
            return
        sent = [*self._result.delivered, *(place for place, _ in self._result.unknown)]
        sent += [place for places in self._result.accepted.values() for place in places]
        self._write("add_delivery", self._pick("member_key", sent), self._audience, repeat(self._now))

    def _receipt(self, receipt: str, places: Sequence[int]) -> int:
        batch = self._batch
        values = {
            "audience_id": batch.audience_id,
            "op": batch.op.value,
            "batch_key": batch.key,
            "receipt": receipt,
            "rows": pack(self._result.rows.take(pa.array(places, pa.int64()))),
            "members": len(places),
            "repeatable": batch.repeatable,
            "capped": batch.capped,
            "as_of": to_micros(batch.as_of),
            "now": self._now,
            "deadline": self._deadline,
            "look_at": self._now + _FIRST_LOOK,
        }
        made = self._ledger.execute(queries.load("receipts")["add_receipt"], values).lastrowid
        return int(made or 0)

    def _due(self) -> int:
        return self._now + int((self._result.retry_after or 0) * _SECOND)

    def _pick(self, name: str, places: Sequence[int]) -> list[Any]:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = listed(self._result.rows, name)
        return column if len(places) == len(column) else [column[place] for place in places]

    def _handles(self, places: Sequence[int]) -> Iterable[str]:
        remote_ids = self._pick("remote_id", places)
        if told := self._result.remote_ids:
            remote_ids = [told.get(place, known) for place, known in zip(places, remote_ids, strict=True)]
        email, phone, customer = (self._pick(name, places) for name in ("email", "phone", "customer_id"))
        return map(handle_of, email, phone, remote_ids, customer)

    def _write(self, query: str, *columns: Iterable[Any]) -> None:
        # The shortest column ends the rows: repeat() never does.
        self._ledger.execute_many(self._sql[query], zip(*columns, strict=False))


def _split(pairs: Collection[tuple[int, str]]) -> tuple[list[int], list[str]]:
    return [place for place, _ in pairs], [reason for _, reason in pairs]
