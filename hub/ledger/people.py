"""What the ledger knows about persons: withheld, held out, delivered; and how it forgets them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.ledger import packing, queries
from hub.ledger.records import NewBlock, PersonState, Spell
from hub.ledger.states import LETTERS
from hub.ledger.store import Store
from hub.ledger.times import from_micros


class People(Store):
    """The ledger's record of persons, by keyed hash."""

    def record_withheld(self, audience_id: int, table: pa.Table) -> None:
        """Note who is withheld and why (person_key, code), writing only what differs from the last time."""
        sql = queries.load("people")
        rows = _sorted(table, "person_key", "code")
        digest = _digest(rows)
        if self._one(sql["withheld_digest"], {"audience_id": audience_id})[0] == digest:
            return
        chunks = list(self._chunks(sql["withheld_rows"], audience_id))
        old_keys = pa.chunked_array([packing.texts(keys) for _, keys, _ in chunks], pa.string())
        old_codes = pa.chunked_array([packing.texts(codes) for _, _, codes in chunks], pa.string())
        keys, codes = rows.column("person_key"), rows.column("code")
        news = pc.invert(pc.is_in(_joined(keys, codes), value_set=_joined(old_keys, old_codes)))
        gone = old_keys.filter(pc.invert(pc.is_in(old_keys, value_set=keys))).to_pylist()
        changed = rows.filter(news).to_pydict()
        with self.transaction():
            columns = (repeat(audience_id), changed["person_key"], changed["code"], repeat(self._now()))
            self.execute_many(sql["withhold"], zip(*columns, strict=False))
            self.execute(sql["release"], {"audience_id": audience_id, "keys": json.dumps(gone)})
            self.execute(sql["set_withheld_digest"], {"audience_id": audience_id, "digest": digest})

    def withheld_counts(self, audience_id: int) -> dict[str, int]:
        """Count who is withheld from an audience, by reason code."""
        return dict(self._all(queries.load("people")["withheld_counts"], {"audience_id": audience_id}))

    def record_holdouts(self, audience_id: int, table: pa.Table) -> None:
        """Note who is held out now (person_key): who is new enters, who is missing has left."""
        sql = queries.load("people")
        rows = _sorted(table, "person_key")
        digest = _digest(rows)
        if self._one(sql["holdout_digest"], {"audience_id": audience_id})[0] == digest:
            return
        now_out = set(rows.column("person_key").to_pylist())
        with self.transaction():
            known = {key for (key,) in self._all(sql["holdouts_standing"], {"audience_id": audience_id})}
            entered = zip(repeat(audience_id), sorted(now_out - known), repeat(self._now()), strict=False)
            self.execute_many(sql["hold_out"], entered)
            gone = {"audience_id": audience_id, "keys": json.dumps(sorted(known - now_out)), "now": self._now()}
            self.execute(sql["end_holdout"], gone)
            self.execute(sql["set_holdout_digest"], {"audience_id": audience_id, "digest": digest})

    def person_state(self, keys: Collection[str]) -> PersonState:
        """Return everything the ledger knows about a person, given all their address keys."""
        sql = queries.load("people")
        known = {"keys": json.dumps(sorted(keys))}
        rows = [*self._all(sql["state_membership"], known), *self._all(sql["state_spells"], known)]
        return PersonState(
            spells=tuple(_spell(row) for row in rows),
            withheld=tuple((s, code, from_micros(since)) for s, code, since in self._all(sql["state_withheld"], known)),
            holdouts=tuple(
                (s, from_micros(entered), from_micros(left))
                for s, entered, left in self._all(sql["state_holdouts"], known)
            ),
            blocks=tuple(
                (NewBlock(key, channel, reason, from_micros(recorded), origin), from_micros(lifted))
                for _, key, channel, reason, recorded, origin, lifted in self._all(
                    queries.load("blocks")["blocks_of"], known
                )
            ),
        )

    def spells(self, audience_id: int) -> pa.Table:
        """Return an audience's ended stays: member_key, entered_at, delivered_at, left_at (naive UTC)."""
        rows = self._all(queries.load("people")["spells_of_audience"], {"audience_id": audience_id})
        return _table(rows, ("member_key", "entered_at", "delivered_at", "left_at"))

    def holdouts(self, audience_id: int) -> pa.Table:
        """Return who was held out when: person_key, entered_at, left_at (naive UTC, null while it lasts)."""
        rows = self._all(queries.load("people")["holdouts_of_audience"], {"audience_id": audience_id})
        return _table(rows, ("person_key", "entered_at", "left_at"))

    def erase(self, keys: Collection[str]) -> list[Spell]:
        """Remove every row and identifier of a person from the file; blocks and audit entries stay.

        Returns the stays in audiences that may still hold the person: remove them there first, since afterwards the
        ledger can no longer name the person to a destination.
        """
        sql = queries.load("people")
        known = {"keys": json.dumps(sorted(keys))}
        with self.transaction():
            spells = [_spell(row) for row in self._all(sql["state_membership"], known)]
            for query in ("membership", "spells", "withheld", "holdouts", "deliveries"):
                self.execute(sql[f"erase_{query}"], known)
            self.execute(sql["forget_digests"])
            self._erase_batches(frozenset(keys))
        self.flush()
        return [spell for spell in spells if spell.state.may_be_held]

    def _erase_batches(self, keys: frozenset[str]) -> None:
        sql = queries.load("people")
        for place, number, blob in self._all(sql["open_rows"]):
            rows = packing.unpack(blob)
            kept = rows.filter(pc.invert(pc.is_in(rows.column("member_key"), value_set=pa.array(sorted(keys)))))
            if kept.num_rows < rows.num_rows:
                query = "rewrite_intent" if place == "intents" else "rewrite_receipt"
                self.execute(sql[query], {"rows": packing.pack(kept), "members": kept.num_rows, "id": number})


def _sorted(table: pa.Table, *names: str) -> pa.Table:
    schema = pa.schema([(name, pa.string()) for name in names])
    return table.select(list(names)).cast(schema).sort_by(names[0]).combine_chunks()


def _joined(keys: Any, codes: Any) -> Any:
    return pc.binary_join_element_wise(keys, codes, "|")


def _digest(rows: pa.Table) -> str:
    digest = hashlib.sha256()
    for name in rows.column_names:
        column = rows.column(name)
        for chunk in column.chunks:
            for buffer in chunk.buffers()[1:]:
                digest.update(buffer or b"")
        digest.update(f"{name}:{len(column)}".encode())
    return digest.hexdigest()


def _table(rows: Sequence[Any], names: Sequence[str]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    made = [pa.array(columns[0], pa.string())]
    made += [pa.array(column, pa.int64()).cast(pa.timestamp("us")) for column in columns[1:]]
    return pa.table(made, names=list(names))


def _spell(row: Any) -> Spell:
    audience_id, sync, destination, name, key, letter, entered, delivered, sent, left, reason = row
    moments = (from_micros(entered), from_micros(delivered), from_micros(sent), from_micros(left))
    return Spell(audience_id, sync, destination, name, key, LETTERS[letter], *moments, reason)
