"""Send what was prepared, sync by sync, and note what became of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.api import Op
from hub.catalog import plain_failures
from hub.consent.rules import CHANNELS
from hub.deliver import BROKE, Tally, Work, deliver, id_text, isolated, settle
from hub.errors import AuthError, HubError, PluginError
from hub.ledger import Audience
from hub.plan.diff import QUERIES
from hub.plan.guards import LETTING_IN, Guard, Held
from hub.sync.faults import Unserved, named_destination
from hub.sync.numbers import Status, Trouble
from hub.sync.target import PreparedSync, Target

if TYPE_CHECKING:
    from hub.sync.run import Prepared

_KEYS_AT_ONCE = 20_000
_COUNTED_BACK = timedelta(days=31)
"""How far back what was mailed is counted for accounts where no run did it: after an upgrade, or a kill."""
_INSTANT = "%Y-%m-%d %H:%M:%S UTC"


class Delivery:
    """Delivers the syncs of one run. ``ask`` may let a held one through, on a terminal."""

    def __init__(self, run: Prepared, ask: Callable[[PreparedSync], bool] | None) -> None:
        self.run, self.ask = run, ask
        self.around, self.ledger = run.wiring.around, run.ledger
        self.con = run.session.con
        self.as_of = run.session.as_of.replace(tzinfo=UTC)
        self.stopped: dict[str, str] = {}

    def deliver(self, syncs: Sequence[PreparedSync]) -> None:
        """Deliver every sync; one that fails does not keep the others from being delivered."""
        for sync in syncs:
            try:
                with plain_failures():
                    self._deliver(sync)
            except HubError as error:
                self._fail(sync, error)

    def _deliver(self, sync: PreparedSync) -> None:
        if isinstance(sync.target.destination, Unserved):
            self._count(sync, Tally())
            return
        if last := self._later_run(sync):
            self._refuse_old(sync, last)
        elif sync.held and self.ask and sync.numbers.guards and self.ask(sync):
            sync.let_through += sync.held
            sync.held.clear()
            sync.numbers.guards.clear()
            sync.numbers.status = Status.OK
        self._note_let_through(sync)
        tally = self._send(sync)
        if sync.target.destination.can.cap is not None:
            self._count_for_accounts()
        if tally is not None:
            self._count(sync, tally)
        self._note(sync)

    def _note_let_through(self, sync: PreparedSync) -> None:
        """Note as approved what was let through by hand, so that what this run cannot finish goes on as well."""
        if not sync.may_add:
            return
        for held in sync.let_through:
            if held.guard in LETTING_IN:
                self.ledger.hold(sync.name, held.guard, held.size, about=sync.target.definition, detail=held.text)
                self.ledger.approve(sync.name, held.guard)

    def _later_run(self, sync: PreparedSync) -> datetime | None:
        """Return the instant of the audience's last run if it is later, so that sending would undo what is newer."""
        run, last = self.run, sync.target.audience.last_as_of
        if last is None or self.as_of >= last or run.wiring.stand_ins is not None:
            return None
        by_hand = run.preparation.force and run.session.as_of == run.session.now
        return None if by_hand and self._believes_clock(sync) else last

    def _believes_clock(self, sync: PreparedSync) -> bool:
        """Tell whether it may be the last run's instant that is wrong, and not the clock.

        Where a clock goes back between two runs nobody can tell which of the two was right. What is harmless twice may
        go all the same; a mail waits for one more run, when somebody has read that the clock went back.
        """
        before = self.ledger.began_before(self.run.run_id)
        return sync.target.destination.can.repeatable or before is None or before <= self.as_of

    def _refuse_old(self, sync: PreparedSync, last: datetime) -> None:
        text = f"computed for {self.as_of:{_INSTANT}}, before the audience's last run ({last:{_INSTANT}})"
        step = "leave out --as-of, or check the machine's clock"
        if self.run.session.as_of == self.run.session.now:
            text += ", which is still to come"
            again = f"`hub sync {self.run.wiring.named} --only {sync.name} --force`"
            step = f"check the machine's clock; if it is right now and was wrong then, run {again}"
        sync.numbers.trouble = Trouble(text, step)
        sync.numbers.status = Status.REFUSED
        sync.held.append(Held(Guard.OLD, text, 0))

    def _send(self, sync: PreparedSync) -> Tally | None:
        if self.around.stop.is_set():
            self._fail(sync, HubError("stopped before this sync began", next_step="run it again: it continues"))
            return None
        looked = self._settle(sync)
        if looked.connection_stopped:
            self._stop_connection(sync, looked.error)
        if looked.connection_stopped or not self._due(sync):
            return Tally(error=looked.error)
        if reason := self.stopped.get(sync.target.settings.destination):
            self._fail(sync, HubError(f"the connection stopped earlier in this run: {reason}"))
            return Tally()
        audience = self._ensured(sync)
        tally = deliver(
            self._work(sync, audience),
            self.ledger,
            clock=self.around.clock,
            sleep=self.around.sleep,
            stop=self.around.stop,
        )
        if tally.connection_stopped:
            self._stop_connection(sync, tally.error or tally.stopped)
        tally.error = tally.error or looked.error
        return tally

    def _stop_connection(self, sync: PreparedSync, reason: object) -> None:
        self.stopped[sync.target.settings.destination] = str(reason)

    def _settle(self, sync: PreparedSync) -> Tally:
        """Look at the jobs that earlier runs left open; what they came to is told apart from this run's changes."""
        numbers = sync.numbers
        tally = settle(
            self.ledger,
            sync.target.destination,
            sync.target.audience,
            clock=self.around.clock,
            sleep=self.around.sleep,
            stop=self.around.stop,
            channel=CHANNELS.get(sync.target.purpose),
            plugin=self._named(sync),
        )
        numbers.calls += tally.calls
        numbers.reads += tally.reads
        numbers.settled = {
            name: count for name in ("delivered", "rejected", "unknown", "failed") if (count := getattr(tally, name))
        }
        return tally

    def _count_for_accounts(self) -> None:
        """Count what was mailed for the shop's accounts too: who changes the address there is the same person."""
        memory = self.ledger.memory("")
        since = self.around.clock() - _COUNTED_BACK
        mailed = self.ledger.deliveries_after(memory.get("counted_for_accounts") or 0, since)
        if not mailed:
            return
        numbers, keys = zip(*mailed, strict=True)
        self.con.register("mailed", pa.table({"number": numbers, "member_key": keys}))
        self.ledger.repeat_deliveries(self.con.execute(QUERIES["accounts"]).fetchall())
        self.con.unregister("mailed")
        memory.set("counted_for_accounts", numbers[-1])

    def _due(self, sync: PreparedSync) -> int:
        """Return how many changes may go now."""
        size = sync.difference.size
        removals = size.demanded + (0 if sync.is_held else size.removals)
        return removals + (size.add + size.update - sync.difference.waits if sync.may_add else 0)

    def _work(self, sync: PreparedSync, audience: Audience) -> Work:
        difference, destination = sync.difference, sync.target.destination
        adds = sync.may_add
        return Work(
            audience=audience,
            destination=destination,
            as_of=self.as_of,
            run_id=self.run.run_id,
            additions=difference.select(Op.ADD) if adds else None,
            updates=difference.select(Op.UPDATE) if adds else None,
            removals=self._removals(sync),
            everyone=difference.cleared if adds and destination.can.replaces else None,
            channel=CHANNELS.get(sync.target.purpose),
            seen_block=sync.seen_block,
            related=self._related,
            limiter=self.run.wiring.limiters.get(("destination", sync.target.settings.destination)),
            plugin=self._plugin(sync),
        )

    def _plugin(self, sync: PreparedSync) -> str:
        wiring = self.run.wiring
        plugin = wiring.client.destinations[sync.target.settings.destination].plugin
        return f"{plugin}, {wiring.plugins.entry('destination', plugin).origin}"

    def _named(self, sync: PreparedSync) -> str:
        return named_destination(self.run.wiring, sync.target.settings.destination)

    def _ensured(self, sync: PreparedSync) -> Audience:
        """Return the audience, ready to be filled; where that fails, removals that a record demands go all the same."""
        if sync.may_add:
            try:
                self._ensure(sync.target, self._named(sync), sync.difference.attributes)
            except AuthError as error:
                self._stop_connection(sync, error)
                raise
            except HubError as error:
                self._fail(sync, error)
        return self.ledger.audience_by_id(sync.target.audience.audience_id)

    def _ensure(self, target: Target, named: str, attributes: Sequence[str]) -> None:
        """Find or create the audience at the destination, the first time something is added to it."""
        audience, destination = target.audience, target.destination
        if audience.remote_id is None:
            with isolated(named, "ensure_audience"):
                told = target.settings.audience_id or destination.ensure_audience(audience.name)
                remote = id_text("audience's id", told)
            if not remote:
                raise PluginError(f"{named} broke the contract: ensure_audience gave no id", next_step=BROKE)
            self.ledger.set_remote_id(audience.audience_id, remote)
        if audience.definition != target.definition:
            with isolated(named, "prepare"):
                destination.prepare(attributes)

    def _removals(self, sync: PreparedSync) -> Iterator[list[str]]:
        where = " where demanded" if sync.is_held else ""
        relation = self.con.sql(f"select member_key from {sync.difference.removals}{where}")
        for batch in relation.to_arrow_table().to_batches(_KEYS_AT_ONCE):
            yield batch.column(0).to_pylist()

    def _related(self, keys: Collection[str]) -> set[str]:
        rows = self.con.execute(QUERIES["related"], {"keys": list(keys)}).fetchall()
        return {key for (key,) in rows} | set(keys)

    def _count(self, sync: PreparedSync, tally: Tally) -> None:
        numbers = sync.numbers
        for name in ("delivered", "accepted", "rejected", "unknown", "failed", "calls", "reads"):
            setattr(numbers, name, getattr(numbers, name) + getattr(tally, name))
        numbers.held_back = (
            numbers.add
            + numbers.update
            + numbers.remove
            - (numbers.delivered + numbers.accepted + numbers.rejected + numbers.unknown + numbers.failed)
        )
        if tally.error is not None:
            self._fail(sync, tally.error)
        elif tally.stopped:
            self._fail(sync, HubError(tally.stopped, next_step="run it again: it continues where it stopped"))
        elif numbers.status is Status.OK and (numbers.rejected or numbers.unknown or numbers.failed):
            numbers.status = Status.PARTIAL
        for key, reason in tally.rejects[:5]:
            what = " was refused" if tally.rejected else ""
            numbers.notes.append(f"member {key[:8]}…{what}: {reason}")

    def _note(self, sync: PreparedSync) -> None:
        """Write down what explains the audience later: who is withheld, held out, and by which definition."""
        difference, target = sync.difference, sync.target
        audience_id = target.audience.audience_id
        if target.audience.purpose != target.purpose:
            self.ledger.set_purpose(audience_id, target.purpose)
        if difference.withheld_table is not None:
            names = {"withheld": difference.withheld_table}
            self.ledger.record_withheld(
                audience_id, self.con.sql(QUERIES["withheld_people"].format(**names)).to_arrow_table()
            )
            self.ledger.record_holdouts(audience_id, self.con.sql(QUERIES["holdouts"].format(**names)).to_arrow_table())
        if not sync.may_add:
            return
        if not self._keep_approval(sync):
            self.ledger.release(sync.name)
        if target.audience.definition is not None or difference.size.touched:
            self.ledger.set_definition(audience_id, target.definition)
        # Outside the sandbox an older instant comes this far only where the last one was wrong.
        self.ledger.set_last_as_of(audience_id, self.as_of, back=self.run.wiring.stand_ins is None)
        if sync.to_remember is not None:
            self.ledger.remember_settled(target.audience, *sync.to_remember)

    def _keep_approval(self, sync: PreparedSync) -> bool:
        """Keep an approval as long as some of those it let in wait for a passing reason, such as a limit per day."""
        numbers, target = sync.numbers, sync.target
        audience_id = target.audience.audience_id
        left = min(numbers.add, numbers.failed + numbers.held_back) + numbers.settled.get("failed", 0)
        if not left and not self.ledger.count_receipts(audience_id):
            return False
        return self.ledger.keep_for_rest(sync.name, LETTING_IN, left, target.definition, audience_id)

    def _fail(self, sync: PreparedSync, error: HubError) -> None:
        numbers = sync.numbers
        if numbers.status is not Status.REFUSED:
            numbers.status = Status.FAILED
        numbers.trouble = numbers.trouble or Trouble.of(error)
        settled = numbers.delivered + numbers.accepted + numbers.rejected + numbers.unknown + numbers.failed
        numbers.held_back = numbers.add + numbers.update + numbers.remove - settled
