"""Membership: who is in an audience, what is on its way, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa

from hub.api import Op
from hub.ledger import packing, queries
from hub.ledger.records import Intent, Receipt, Settlement
from hub.ledger.settling import Settler
from hub.ledger.states import LETTERS, MemberState
from hub.ledger.store import Store
from hub.ledger.times import from_micros, to_micros

_KEYS_AT_ONCE = 20_000


class Membership(Store):
    """The ledger's record of members."""

    def membership(self, audience_id: int, *, times: bool = False) -> pa.Table:
        """Return an audience's members whole, as ``membership_batches`` yields them."""
        return pa.Table.from_batches(self.membership_batches(audience_id, times=times), schema=_schema(times=times))

    def membership_batches(self, audience_id: int, *, times: bool = False) -> Iterator[pa.RecordBatch]:
        """Yield an audience's members: member_key, state, attributes_hash, data_hash, due_at, ordered by key.

        ``data_hash`` is set for members whom the destination refused. ``times`` adds entered_at, delivered_at (the
        first in this stay) and sent_at (the last that may have arrived). Times are naive UTC. Members that left are
        not in it.
        """
        sql = queries.load("members")["membership_times_chunk" if times else "membership_chunk"]
        schema = _schema(times=times)
        for _, packed_keys, states, hashes, data_hashes, due, *moments in self._chunks(sql, audience_id):
            keys = packing.texts(packed_keys)
            rare = [packing.rare_texts(data_hashes, keys), packing.rare_instants(due, keys)]
            columns = [keys, packing.states(states), packing.texts(hashes), *rare, *map(packing.instants, moments)]
            yield pa.record_batch(columns, schema=schema)

    def take_over(self, audience_id: int, remote_id: str, members: Iterable[tuple[str, str]]) -> int:
        """Note who is in an audience that hub did not fill, and return how many that are.

        ``members`` are keys and handles; of one key the first counts. The audience gets its remote id, and is
        thereby taken over, when all of them were noted.
        """
        sql, rest = queries.load("members")["take_over"], iter(members)
        while part := list(islice(rest, _KEYS_AT_ONCE)):
            with self.transaction():
                now = self._now()
                self.execute_many(sql, ((audience_id, key, handle, now) for key, handle in part))
        with self.transaction():
            values = {"audience_id": audience_id, "remote_id": remote_id}
            self.execute(queries.load("audiences")["audience_remote_id"], values)
        return sum(self.count_members(audience_id).values())

    def forgive(self, audience_id: int, keys: Sequence[str]) -> None:
        """Undo tombstones of members who were refused for a reason that is not theirs; they are due again."""
        with self.transaction():
            values = {"audience_id": audience_id, "keys": packing.keys_json(keys)}
            self.execute(queries.load("members")["forgive"], values)
            self.execute(queries.load("audiences")["audience_changed"], {"audience_id": audience_id})

    def make_due(self, audience_id: int, *, unknown: bool = False, refused: bool = False) -> int:
        """Let everybody who waits for another try be due now, and return how many that are.

        ``unknown`` also takes those who may have got it already, ``refused`` those the destination refused for good.
        """
        with self.transaction():
            values = {"audience_id": audience_id, "unknown": unknown, "refused": refused}
            if unknown:
                self.execute(queries.load("members")["take_back_deliveries"], {"audience_id": audience_id})
            changed = self.execute(queries.load("members")["make_due"], values).rowcount
            if changed:
                self.execute(queries.load("audiences")["audience_changed"], {"audience_id": audience_id})
        return changed

    def count_members(self, audience_id: int) -> dict[MemberState, int]:
        """Count an audience's members by state, without reading them."""
        rows = self._all(queries.load("members")["membership_counts"], {"audience_id": audience_id})
        return {LETTERS[letter]: count for letter, count in rows}

    def handles(self, audience_id: int, keys: Collection[str]) -> dict[str, dict[str, str]]:
        """Return for each member the ledger knows the identifiers its destination can find it by."""
        rows = self._by_keys("member_handles", audience_id, keys)
        return {key: packing.identifiers_in(handle) for key, handle, _ in rows}

    def standing(self, audience_id: int, keys: Collection[str]) -> dict[str, tuple[MemberState, str | None]]:
        """Return state and attributes' hash of those of the keys the ledger knows."""
        rows = self._by_keys("member_standing", audience_id, keys)
        return {key: (LETTERS[letter], digest) for key, letter, digest in rows}

    def last_deliveries(self, audience_id: int) -> pa.Table:
        """Return member_key and delivered_at: when each last got something from this audience, or may have."""
        chunks = self._chunks(queries.load("members")["last_deliveries_chunk"], audience_id)
        return _deliveries([(packing.texts(keys), packing.instants(times)) for _, keys, times in chunks])

    def recent_deliveries(self, since: datetime, audience_id: int | None = None) -> pa.Table:
        """Return member_key and delivered_at of deliveries that count for the cap, of one audience or of all."""
        known = {"since": to_micros(since), "audience_id": audience_id}
        rows = self._all(queries.load("members")["recent_deliveries"], known)
        keys = pa.array([key for key, _ in rows], pa.string())
        return _deliveries([(keys, pa.array([moment for _, moment in rows], pa.int64()).cast(pa.timestamp("us")))])

    def deliveries_after(self, number: int, since: datetime) -> list[tuple[int, str]]:
        """Return number and member_key of capped deliveries written after a number, oldest first."""
        return self._all(queries.load("members")["deliveries_after"], {"after": number, "since": to_micros(since)})

    def repeat_deliveries(self, deliveries: Iterable[tuple[int, str]]) -> None:
        """Count capped deliveries, by number, for other keys of whom they went to as well."""
        with self.transaction():
            self.execute_many(queries.load("members")["repeat_delivery"], deliveries)

    def write_intent(
        self,
        audience_id: int,
        op: Op,
        key: str,
        rows: pa.Table,
        *,
        run_id: str | None = None,
        repeatable: bool = True,
        capped: bool = False,
        as_of: datetime | None = None,
        whole: bool = False,
    ) -> Intent:
        """Note a batch that is about to be sent; ``rows`` as ``packing.ROWS`` says. Call inside a transaction.

        Where repeating is harmless only keys and identifiers are kept, unless ``whole``: a lost batch is sent again.
        """
        kept = rows if whole or not repeatable else rows.select(["member_key", *packing.HANDLE])
        values = {
            "run_id": run_id,
            "audience_id": audience_id,
            "op": op.value,
            "batch_key": key,
            "rows": packing.pack(kept),
            "members": rows.num_rows,
            "repeatable": repeatable,
            "capped": capped,
            "as_of": to_micros(as_of),
            "now": self._now(),
        }
        made = self.execute(queries.load("members")["write_intent"], values).lastrowid
        return Intent(int(made or 0), audience_id, op, key, repeatable, capped, as_of)

    def intent_rows(self, intent: Intent) -> pa.Table:
        """Return the rows of a batch that is on its way, as they were written ``whole``."""
        row = self._one(queries.load("members")["intent_rows"], {"intent_id": intent.intent_id})
        return packing.unpack(row[0])

    def settle(self, batch: Intent | Receipt, result: Settlement, *, deadline: timedelta) -> None:
        """Note in one transaction what became of a batch, and wipe what was kept of it.

        Accepted members wait for their receipt until ``deadline`` from now. Blocks are in force at once.
        """
        with self.transaction():
            if isinstance(batch, Receipt):
                self._end_receipt(batch)
            else:
                values = {"intent_id": batch.intent_id, "now": self._now()}
                self.execute(queries.load("members")["settle_intent"], values)
            Settler(self, batch, result, deadline).write()
            self.execute(queries.load("audiences")["audience_changed"], {"audience_id": batch.audience_id})

    def _end_receipt(self, receipt: Receipt) -> None:
        """Settle the receipt itself; who was removed while it was open is removed once more."""
        sql = queries.load("receipts")
        known = {"receipt_id": receipt.receipt_id}
        self.execute(sql["settle_receipt"], {**known, "now": self._now()})
        self.execute(sql["remove_again"], {**known, "audience_id": receipt.audience_id})

    def open_receipts(self, audience_id: int) -> list[Receipt]:
        """Return an audience's jobs that are not settled, oldest first."""
        rows = self._all(queries.load("receipts")["open_receipts"], {"audience_id": audience_id})
        return [
            Receipt(
                row[0], row[1], Op(row[2]), row[3], row[4], packing.unpack(row[5]), bool(row[7]), bool(row[8]),
                from_micros(row[9]), from_micros(row[11]), from_micros(row[12]), row[13],
            )
            for row in rows
        ]  # fmt: skip

    def count_receipts(self, audience_id: int) -> int:
        """Count an audience's jobs that are not settled."""
        return int(self._one(queries.load("receipts")["count_receipts"], {"audience_id": audience_id})[0])

    def still_waiting(self, receipt: Receipt) -> dict[str, MemberState]:
        """Return which members of a receipt still wait for it: accepted, or removed meanwhile."""
        keys = receipt.rows.column("member_key").to_pylist()
        found = self._by_keys("still_waiting", receipt.audience_id, keys, "receipts", receipt_id=receipt.receipt_id)
        return {key: LETTERS[letter] for key, letter in found}

    def look_later(self, receipt: Receipt, moment: datetime) -> None:
        """Note when to look at a receipt next."""
        values = {"receipt_id": receipt.receipt_id, "look_at": to_micros(moment)}
        with self.transaction():
            self.execute(queries.load("receipts")["look_later"], values)

    def remove_silently(self, audience_id: int, keys: Collection[str]) -> None:
        """Close members' stays without a call, where the destination cannot remove or holds them no longer."""
        with self.transaction():
            self._close(audience_id, list(keys))
            self.execute(queries.load("audiences")["audience_changed"], {"audience_id": audience_id})

    def _close(self, audience_id: int, keys: Sequence[str]) -> None:
        sql = queries.load("members")
        values = {"audience_id": audience_id, "keys": packing.keys_json(keys)}
        self.execute(sql["close_spells"], {**values, "now": self._now()})
        self.execute(sql["drop_members"], values)
        self.execute(sql["removal_waits_for_receipt"], values)

    def _by_keys(
        self, query: str, audience_id: int, keys: Collection[str], file: str = "members", **more: Any
    ) -> Iterator[Any]:
        listed = list(keys)
        for start in range(0, len(listed), _KEYS_AT_ONCE):
            part = packing.keys_json(listed[start : start + _KEYS_AT_ONCE])
            yield from self._all(queries.load(file)[query], {"audience_id": audience_id, "keys": part, **more})


def _schema(*, times: bool) -> pa.Schema:
    names = ["member_key", "state", "attributes_hash", "data_hash", "due_at"]
    names += ["entered_at", "delivered_at", "sent_at"] if times else []
    return pa.schema([(name, pa.timestamp("us") if name.endswith("_at") else pa.string()) for name in names])


def _deliveries(parts: Sequence[tuple[pa.Array, pa.Array]]) -> pa.Table:
    schema = pa.schema([("member_key", pa.string()), ("delivered_at", pa.timestamp("us"))])
    return pa.Table.from_batches([pa.record_batch(list(part), schema=schema) for part in parts], schema=schema)
