"""Runs, and what an interrupted one left behind."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from itertools import repeat
from typing import Any

from hub.api import Op
from hub.ledger import queries
from hub.ledger.packing import HANDLE, handle_of, keys_json, unpack
from hub.ledger.records import Run
from hub.ledger.store import Store
from hub.ledger.times import from_micros, to_micros

_DAY = 86_400_000_000
_KEEP_INTENTS = 30 * _DAY
_KEEP_DELIVERIES = 400 * _DAY


class Runs(Store):
    """The ledger's record of executions."""

    def start_run(self, command: str, as_of: datetime | None = None, *, run_id: str | None = None) -> str:
        """Begin a run and return its id, after settling what an interrupted run left open.

        The caller holds the client's lock, so that a run without an end is one whose process died.
        """
        sql = queries.load("runs")
        made = run_id or secrets.token_hex(8)
        with self.transaction():
            self.recover()
            values = {"run_id": made, "command": command, "as_of": to_micros(as_of), "now": self._now()}
            self.execute(sql["start_run"], values)
        return made

    def set_run_as_of(self, run_id: str, as_of: datetime) -> None:
        """Note the instant a run is computed for, once its pull has ended."""
        self.execute(queries.load("runs")["set_run_as_of"], {"run_id": run_id, "as_of": to_micros(as_of)})

    def end_run(self, run_id: str, status: str, report: Mapping[str, Any]) -> None:
        """Finish a run with its state and its report (JSON data without addresses)."""
        now = self._now()
        members = queries.load("members")
        with self.transaction():
            values = {"run_id": run_id, "status": status, "report": json.dumps(report, default=str), "now": now}
            self.execute(queries.load("runs")["end_run"], values)
            self.execute(members["drop_intents"], {"before": now - _KEEP_INTENTS})
            self.execute(members["drop_deliveries"], {"before": now - _KEEP_DELIVERIES})
        self.flush()

    def runs(self, limit: int = 20) -> list[Run]:
        """Return the newest runs, newest first."""
        return [_run(row) for row in self._all(queries.load("runs")["list_runs"], {"limit": limit})]

    def segment_sizes(self, before: datetime) -> dict[str, dict[datetime, int]]:
        """Return per segment its members in each run computed for an instant before the given one, oldest first."""
        sizes: dict[str, dict[datetime, int]] = {}
        for as_of, name, members in self._all(queries.load("runs")["segment_sizes"], {"before": to_micros(before)}):
            instant = from_micros(as_of)
            if instant is not None:
                sizes.setdefault(name, {})[instant] = int(members)
        return sizes

    def run(self, run_id: str) -> Run | None:
        """Return one run, or None."""
        row = self._one(queries.load("runs")["one_run"], {"run_id": run_id})
        return _run(row) if row else None

    def began_before(self, run_id: str) -> datetime | None:
        """Return when the run before this one began, as the clock was then."""
        row = self._one(queries.load("runs")["began_before"], {"run_id": run_id})
        return from_micros(row[0]) if row else None

    def recover(self) -> int:
        """Settle what a dead process left open, and return how many batches that were.

        Members being added become unknown, since they may have been sent; updates are due again where repeating
        is harmless and count as done where it is not; removals are sent again.
        """
        sql = queries.load("runs")
        with self.transaction():
            report = json.dumps({"interrupted": True})
            self.execute(sql["interrupt_runs"], {"now": self._now(), "report": report})
            intents = self._all(sql["open_intents"])
            for intent in intents:
                self._recover(intent)
        return len(intents)

    def _recover(self, intent: Any) -> None:
        intent_id, audience_id, op, blob, repeatable, capped, as_of, sent_at = intent
        sql = queries.load("runs")
        rows = unpack(blob).to_pydict()
        keys = rows["member_key"]
        hashes = repeat(None, len(keys)) if repeatable else rows["attributes_hash"]
        if op == Op.ADD:
            handles = map(handle_of, *(rows[name] for name in HANDLE))
            columns = (repeat(audience_id), keys, hashes, handles, repeat(as_of), repeat(sent_at))
            self.execute_many(sql["recover_added"], zip(*columns, strict=False))
        elif op == Op.UPDATE:
            self.execute_many(
                sql["recover_updated"], zip(hashes, repeat(sent_at), repeat(audience_id), keys, strict=False)
            )
        else:
            self.execute(sql["recover_removed"], {"audience_id": audience_id, "keys": keys_json(keys)})
        members = queries.load("members")
        if capped and op == Op.ADD:
            self.execute_many(members["add_delivery"], zip(keys, repeat(audience_id), repeat(sent_at), strict=False))
        self.execute(members["settle_intent"], {"intent_id": intent_id, "now": self._now()})
        self.execute(queries.load("audiences")["audience_changed"], {"audience_id": audience_id})


def _run(row: Any) -> Run:
    run_id, command, as_of, started_at, ended_at, status, report = row
    return Run(
        run_id,
        command,
        from_micros(as_of),
        from_micros(started_at),
        from_micros(ended_at),
        status,
        json.loads(report) if report else None,
    )
