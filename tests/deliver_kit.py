"""What the tests of ledger and delivery share: cleared members, a clock, destinations that behave and misbehave."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from hub import api
from hub.consent import cleared as consent
from hub.deliver import Policy, Tally, Work, deliver, settle
from hub.ledger import Audience, Ledger, MemberState

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE


class Clock:
    """Time that moves when someone sleeps."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


class Keeper(api.Destination[Any]):
    """A destination that keeps what it is given, and records every push."""

    name = "keeper"
    can = api.Capabilities(ops={ADD: api.Limit(3), UPDATE: api.Limit(3), REMOVE: api.Limit(3)})

    def __init__(self, connection: str = "keeper", can: api.Capabilities | None = None) -> None:
        super().__init__(connection=connection, config=None, shop=None, remember=None)  # type: ignore[arg-type]
        if can is not None:
            self.can = can
        self.held: dict[str, Mapping[str, Any]] = {}
        self.batches: list[api.Batch] = []

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        self.batches.append(batch)
        for member in batch:
            yield self.take(batch.op, member)

    def take(self, op: api.Op, member: api.Member) -> api.Outcome:
        if op is REMOVE:
            self.held.pop(member.key, None)
        else:
            self.held[member.key] = dict(member.attributes)
        return member.delivered()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    @property
    def pushed(self) -> list[str]:
        return [member.key for batch in self.batches for member in batch]


def can(**changes: Any) -> api.Capabilities:
    """Make capabilities like the Keeper's, with changes."""
    return api.Capabilities(**{"ops": Keeper.can.ops, **changes})


def member_row(key: str, **values: Any) -> dict[str, Any]:
    """Make a row as the gate and the plan hand it over."""
    made = {"member_key": key, "email": f"{key}@example.com", "phone": None}
    return made | {"attributes_hash": f"a-{key}", "data_hash": f"d-{key}"} | values


@dataclass
class World:
    """One client's ledger, one audience at one destination, and the session that members are read from."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    stop: threading.Event = field(default_factory=threading.Event)
    policy: Policy = field(default_factory=lambda: Policy(random=lambda: 0.5))

    def __post_init__(self) -> None:
        self.con = duckdb.connect()
        self.ledger = Ledger.open(self.folder, self.clock)
        self.run_id = self.ledger.start_run("sync")
        self._tables = 0

    def audience(self, destination: Keeper, name: str = "Everyone") -> Audience:
        return self.ledger.audience(f"{destination.connection}-sync", destination.connection, name)

    def cleared(self, rows: Iterable[str | dict[str, Any]], attributes: Sequence[str] = ()) -> consent.Cleared:
        """Make cleared members without the gate.

        Delivery accepts only what the gate cleared; its key is borrowed here, and nowhere else, because what is tested
        begins behind the gate.
        """
        self._tables += 1
        named = f"members_{self._tables}"
        text = pa.string()
        names = ["member_key", "email", "phone", "attributes_hash", "data_hash", *attributes]
        made = [member_row(row) if isinstance(row, str) else row for row in rows]
        columns = {
            name: pa.array([row.get(name) for row in made], None if name in attributes else text) for name in names
        }
        self.con.register(f"{named}_rows", pa.table(columns))
        self.con.execute(f"create temporary table {named} as select * from {named}_rows")
        return consent.Cleared(self.con, named, "email_marketing", consent._GATE)

    def deliver(
        self,
        destination: Keeper,
        *,
        add: Iterable[str | dict[str, Any]] = (),
        update: Iterable[str | dict[str, Any]] = (),
        remove: Collection[str] = (),
        everyone: Iterable[str | dict[str, Any]] | None = None,
        attributes: Sequence[str] = (),
        **more: Any,
    ) -> Tally:
        additions, updates = list(add), list(update)
        work = Work(
            self.audience(destination),
            destination,
            self.clock(),
            self.run_id,
            additions=self.cleared(additions, attributes) if additions else None,
            updates=self.cleared(updates, attributes) if updates else None,
            removals=[list(remove)] if remove else [],
            everyone=None if everyone is None else self.cleared(everyone, attributes),
            **{"seen_block": self.ledger.highest_block(), **more},
        )
        return deliver(work, self.ledger, self.clock, self.clock.sleep, self.stop, policy=self.policy)

    def settle(self, destination: Keeper, **more: Any) -> Tally:
        return settle(
            self.ledger,
            destination,
            self.audience(destination),
            clock=self.clock,
            sleep=self.clock.sleep,
            stop=self.stop,
            policy=self.policy,
            **more,
        )

    def states(self, destination: Keeper) -> dict[str, MemberState]:
        """Return what the ledger says of every member of the audience."""
        table = self.ledger.membership(self.audience(destination).audience_id)
        return {row["member_key"]: MemberState(row["state"]) for row in table.to_pylist()}

    def restart(self) -> None:
        """Let the process die and another begin."""
        self.ledger.close()
        self.ledger = Ledger.open(self.folder, self.clock)
        self.run_id = self.ledger.start_run("sync")

    def close(self) -> None:
        self.ledger.close()
        self.con.close()
