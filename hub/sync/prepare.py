"""From a catalog session to what each sync would send: segments, consent, attributes, difference, guards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.api import Destination, Op
from hub.catalog import FACT_COLUMNS
from hub.config.models import SyncSettings
from hub.consent.cleared import Cleared
from hub.consent.gate import Gate
from hub.consent.rules import PURPOSES
from hub.consent.verdict import Verdict
from hub.errors import ConfigError, HubError, PluginError, hide_addresses
from hub.ledger import Audience, Ledger, MemberState
from hub.plan.diff import (
    Difference,
    Holdout,
    Judged,
    Request,
    Withheld,
    as_known,
    diff,
    no_difference,
    prepare_tables,
    without,
)
from hub.plan.guards import Guard, Held
from hub.segments import SegmentResult, run_segments
from hub.sync.adopt import adopt
from hub.sync.attributes import PEOPLE_COLUMNS, Attributes, attach, digest_of_segment, fingerprint
from hub.sync.faults import Unserved, failure_of_one, serve
from hub.sync.holding import Holder
from hub.sync.numbers import SegmentNumbers, Status, SyncNumbers, Trouble, unknown_text
from hub.sync.retired import purpose_of, settings_of
from hub.sync.target import PreparedSync, Target
from hub.sync.unread import Unread
from hub.sync.wiring import Wiring
from hub.sync.withholding import Withholder, parameters

if TYPE_CHECKING:
    from hub.catalog import Session

_RETIRED_FROM, _FAILED_FROM = 10_000, 20_000
"""Where the numbers of audiences without a sync, and of syncs that failed, begin in the names of temporary tables."""

_NO_DELIVERIES = pa.table({"member_key": pa.array([], pa.string()), "delivered_at": pa.array([], pa.timestamp("us"))})


@dataclass(slots=True)
class Preparation:
    """Computes every sync of a run on one catalog session.

    ``unread`` is what sources failed to give, ``unheard`` the channels on which nobody may be added because a
    destination's opt-outs could not be read for too long; ``barred`` is why nobody may be added at all.
    """

    wiring: Wiring
    session: Session
    ledger: Ledger
    unread: Sequence[Unread]
    unheard: Mapping[str, str]
    force: bool = False
    barred: str | None = None
    _gate: Gate | None = None
    _seen_block: int = 0
    _results: dict[str, SegmentResult] = field(default_factory=dict)
    withholder: Withholder = field(init=False)
    holder: Holder = field(init=False)

    def __post_init__(self) -> None:
        self.withholder = Withholder(self.wiring.plugins.extensions, self.session)
        # What a look at another instant finds is not what the next run would do: nothing to approve.
        approvable = self.session.as_of == self.session.now
        self.holder = Holder(self.wiring, self.ledger, self.unheard, self.force, approvable)

    def segments(self, wanted: Iterable[str] | None = None) -> list[SegmentNumbers]:
        """Compute the segments and return their numbers in the order of the file."""
        self._results = run_segments(
            self.session,
            self.wiring.definitions,
            wanted,
            max_lag=self.wiring.client.guards.max_lag,
            facts=self._attribute_facts(),
        )
        order = [name for name in self.wiring.client.segments if name in self._results]
        return [_segment_numbers(self._results[name]) for name in order]

    def syncs(
        self, chosen: Mapping[str, SyncSettings], destinations: Mapping[str, Destination[Any]]
    ) -> list[PreparedSync]:
        """Compute what each chosen sync would send."""
        self._open_gate()
        return [
            self._one(number, self._target(name, settings, destinations[settings.destination]))
            for number, (name, settings) in enumerate(chosen.items())
        ]

    def retired(
        self, audiences: Sequence[Audience], destinations: Mapping[str, Destination[Any]]
    ) -> list[PreparedSync]:
        """Compute which members of audiences without a sync a record demands to remove."""
        self._open_gate()
        return [
            self._ended(number, audience, destinations[audience.destination])
            for number, audience in enumerate(audiences)
        ]

    def cleared_now(self, target: Target) -> Cleared | None:
        """Return who is in a sync's segment, cleared on this session and not withheld by an extension.

        None where the segment failed; nobody where a check that withholds did.
        """
        result = self._results[target.settings.segment]
        if not result.delivers or not result.table:
            return None
        cleared = self._judge(result.table, target).cleared
        try:
            return reduce(without, self._withheld(target), cleared)
        except PluginError:
            return cleared.where("false")

    def _open_gate(self) -> Gate:
        """Open the consent gate of this run, once."""
        if self._gate is None:
            con, client, blocks = self.session.con, self.wiring.client, self.ledger.blocks()
            self._seen_block = blocks.seen
            self._gate = Gate(
                con,
                settings=client.consent,
                country=client.country,
                as_of=self.session.as_of,
                now=self.session.now,
                blocks=blocks.table,
            )
            prepare_tables(con, blocks.table)
        return self._gate

    def _attribute_facts(self) -> list[str]:
        used = {ours for sync in self.wiring.client.syncs.values() for ours in sync.attributes.values()}
        return sorted((used & FACT_COLUMNS) - PEOPLE_COLUMNS)

    def _target(self, name: str, settings: SyncSettings, destination: Destination[Any]) -> Target:
        if settings.purpose and settings.purpose not in PURPOSES:
            known = ", ".join(sorted(PURPOSES))
            raise ConfigError(f"syncs.{name}: there is no purpose {settings.purpose!r}; there are {known}")
        purpose, served = serve(self.wiring, destination, lambda: settings.purpose or destination.purpose)
        if purpose == "own_shop":
            self._refuse_own_shop(name, settings, destination)
        audience = self.ledger.audience(name, settings.destination, settings.audience_name)
        return Target(name, settings, served, audience, purpose, self.wiring.definition_digest(name, purpose))

    def _refuse_own_shop(self, name: str, settings: SyncSettings, destination: Destination[Any]) -> None:
        """Refuse what asks nobody for consent outside the shop, and inside to write what is read as proof of it."""
        if destination.can.purpose != "own_shop":
            raise ConfigError(
                f"syncs.{name}: the purpose own_shop asks nobody for consent, and {settings.destination} is not in the "
                "shop itself",
                next_step="Set the purpose that people consented to, or take `purpose` out.",
            )
        proofs = {each.tag.casefold() for each in self.wiring.client.consent.sources if each.tag}
        if settings.audience_name.strip().casefold() in proofs:
            raise ConfigError(
                f"syncs.{name}: the tag {settings.audience_name!r} proves consent in this shop ([[consent.from]]), so "
                "hub must not set it",
                next_step="Give the sync another `audience`.",
            )

    def _one(self, number: int, target: Target) -> PreparedSync:
        """Compute one sync, after reading who is in the audience that it takes over; without that nothing is sent."""
        if isinstance(target.destination, Unserved):
            return self._failed(number, target, target.destination.error)
        known_by = self.wiring.known_by(target.audience.destination, target.destination.can)
        try:
            note = adopt(self.ledger, target, known_by, self.wiring.key)
        except ConfigError:
            raise
        except HubError as error:
            return self._failed(number, target, error)
        try:
            sync = self._sync(number, target, self._withheld(target))
        except Exception as error:  # noqa: BLE001  # one sync's failure keeps no other from its removals
            return self._failed(number, target, failure_of_one(error))
        sync.numbers.notes += [note] if note else []
        return sync

    def _failed(self, number: int, target: Target, error: HubError) -> PreparedSync:
        """Return a sync of which nothing goes but removals that a record demands."""
        sync = self._prepared(target, self._difference(_FAILED_FROM + number, target, None, stale=False), 0)
        sync.numbers.status, sync.numbers.trouble = Status.FAILED, Trouble.of(hide_addresses(error))
        return sync

    def _withheld(self, target: Target) -> list[Withheld]:
        """Ask extensions whom they withhold from a sync. Raises PluginError where one cannot be asked."""
        audience = target.audience
        asked = parameters(self.wiring.client.id, target.name, audience.destination, audience.name, target.purpose)
        return self.withholder.people(asked)

    def _sync(self, number: int, target: Target, withheld: Sequence[Withheld]) -> PreparedSync:
        result = self._results[target.settings.segment]
        unread = self._unread(result)
        hints: Sequence[str] = ()
        if result.delivers and result.table and unread is None:
            mark = self._standing_mark(target, result)
            known = self.ledger.told_of_settled(target.audience.audience_id, mark) if mark else None
            if known is not None:
                members, counts, hints = json.loads(known)
                difference = as_known(self.session.con, number, members, counts)
            else:
                verdict = self._clear(result.table, target)
                hints = verdict.hints
                judged = Judged(verdict.cleared, verdict.withheld)
                difference = self._compare(number, target, result, judged, withheld)
        else:
            mark = known = None
            difference = self._difference(number, target, None, stale=result.stale)
        sync = self._prepared(target, difference, result.members)
        sync.numbers.notes += hints
        if mark and known is None and difference.settled:
            sync.to_remember = mark, json.dumps([difference.unchanged, difference.withheld, list(hints)])
        if result.error is not None:
            sync.numbers.status, sync.numbers.trouble = Status.FAILED, Trouble.of(result.error)
        elif unread is not None:
            self.holder.hold(sync, Held(Guard.SOURCE, unread.why, 0), unread.next_step)
        elif result.refused is not None:
            step = f"change the settings of segment {target.settings.segment}, or wait for more data"
            self.holder.hold(sync, Held(Guard.SEGMENT, result.refused, result.members), step)
        else:
            self.holder.watch(sync)
        self._note_planned(sync)
        return sync

    def _ended(self, number: int, audience: Audience, destination: Destination[Any]) -> PreparedSync:
        purpose, served = serve(self.wiring, destination, lambda: purpose_of(audience, self.wiring.client, destination))
        target = Target(audience.sync, settings_of(audience), served, audience, purpose, audience.definition or "")
        if isinstance(served, Unserved):
            return self._failed(_RETIRED_FROM + number, target, served.error)
        difference = self._difference(_RETIRED_FROM + number, target, None, stale=False)
        return self._prepared(target, difference, 0)

    def _unread(self, result: SegmentResult) -> Unread | None:
        """Return why the data that a sync reads cannot be believed, or None.

        Besides the segment's own tables every sync reads who people are, what they consented to and what extensions
        withhold them for.
        """
        if self.barred is not None:
            return Unread(self.barred, f"correct what failed, then run `hub sync {self.wiring.named}`")
        read = result.reads | self.withholder.reads | {"customers", "consents"}
        return next((each for each in self.unread if each.touches(read)), None)

    def _judge(self, table: str, target: Target) -> Judged:
        """Ask consent about the persons of a table."""
        verdict = self._clear(table, target)
        return Judged(verdict.cleared, verdict.withheld)

    def _clear(self, table: str, target: Target) -> Verdict:
        known_by = self.wiring.known_by(target.audience.destination, target.destination.can)
        return self._open_gate().clear(table, purpose=target.purpose, identify_by=known_by)

    def _compare(
        self, number: int, target: Target, result: SegmentResult, judged: Judged, withheld: Sequence[Withheld]
    ) -> Difference:
        """Attach what the destination is to know and compare with the audience.

        An audience that was found to hold exactly these members, and did not change since, is not read again.
        """
        attributes = Attributes.of(target.settings, result, target.destination.can.attributes)
        if attributes.reads_facts:
            self.session.prepare_facts(self._attribute_facts())
        table = str(result.table)
        mark = self._mark(target, judged.cleared, attributes, table)
        if mark and self.ledger.is_settled(target.audience.audience_id, mark):
            return no_difference(self.session.con, number, judged)
        told = attach(judged.cleared, attributes, table)
        judged.cleared.release()
        judged = replace(judged, cleared=told)
        difference = self._difference(number, target, judged, stale=result.stale, withheld=withheld)
        if mark and difference.settled:
            refresh = target.destination.can.refresh_after
            until = difference.oldest + refresh if refresh and difference.oldest else None
            self.ledger.set_settled(target.audience, mark, until.replace(tzinfo=UTC) if until else None)
        return difference

    def _mark(self, target: Target, cleared: Cleared, attributes: Attributes, table: str) -> str | None:
        """Return what the difference follows from beside the ledger, or None.

        Who is held out, or withheld by an extension, is found by the difference.
        """
        if target.settings.holdout or self.withholder.is_active:
            return None
        return f"{fingerprint(cleared, attributes, table)} {Op.UPDATE in target.destination.can.ops}"

    def _standing_mark(self, target: Target, result: SegmentResult) -> str | None:
        """Return what stands for everything that the difference follows from beside the ledger, or None.

        It holds as long as the catalog was not merged anew, so that nothing is read of the members but the segment's
        own table: consent's stored verdicts and the people's own columns are what they were.
        """
        attributes = Attributes.of(target.settings, result, target.destination.can.attributes)
        if target.settings.holdout or self.withholder.is_active or attributes.reads_facts:
            return None
        known_by = self.wiring.known_by(target.audience.destination, target.destination.can)
        standing = self._open_gate().standing(str(result.table), purpose=target.purpose, identify_by=known_by)
        if standing is None:
            return None
        shown = digest_of_segment(self.session.con, attributes, str(result.table))
        return f"{standing} {shown} {Op.UPDATE in target.destination.can.ops}"

    def _difference(
        self, number: int, target: Target, judged: Judged | None, *, stale: bool, withheld: Sequence[Withheld] = ()
    ) -> Difference:
        con, can, now = self.session.con, target.destination.can, self.session.now
        cooldown = target.settings.cooldown or target.destination.cooldown
        audience = target.audience.audience_id
        request = Request(
            number=number,
            channel=target.channel,
            judged=judged,
            judge=lambda table: self._judge(table, target),
            membership=self.ledger.membership_batches(audience, times=can.refresh_after is not None),
            last_deliveries=self._last_deliveries(audience, cooldown),
            recent_deliveries=self._recent_deliveries(can.cap),
            now=now,
            repeatable=can.repeatable,
            updates=Op.UPDATE in can.ops,
            mirror=target.settings.mode == "mirror",
            refresh=can.refresh_after,
            cooldown=cooldown,
            cap=can.cap,
            holdout=self._holdout(target),
            stale=stale,
            withheld=withheld,
        )
        return diff(con, request)

    def _holdout(self, target: Target) -> Holdout | None:
        share, audience = target.settings.holdout, target.audience
        if not share:
            return None
        salt = f"{audience.destination}/{audience.name}"
        return Holdout(share, salt, self.ledger.holdouts(audience.audience_id), redraw=target.is_redefined)

    def _last_deliveries(self, audience_id: int, cooldown: timedelta | None) -> pa.Table:
        """Return what the audience's members got, and the accounts of those who were mailed."""
        if cooldown is None:
            return _NO_DELIVERIES
        counted = self.ledger.recent_deliveries((self.session.now - cooldown).replace(tzinfo=UTC), audience_id)
        return pa.concat_tables([self.ledger.last_deliveries(audience_id), counted])

    def _recent_deliveries(self, cap: timedelta | None) -> pa.Table:
        if cap is None:
            return _NO_DELIVERIES
        return self.ledger.recent_deliveries((self.session.now - cap).replace(tzinfo=UTC))

    def _prepared(self, target: Target, difference: Difference, members: int) -> PreparedSync:
        size = difference.size
        numbers = SyncNumbers(
            target.name,
            target.settings.segment,
            target.settings.destination,
            target.audience.name,
            members=members,
            withheld=difference.withheld,
            cleared=difference.reached,
            add=size.add,
            update=size.update,
            remove=size.removals + size.demanded,
            unchanged=difference.unchanged,
        )
        if not difference.is_judged:
            # Nobody was judged: no members to tell of, and whoever is in stays but for what a record demands.
            numbers.members, numbers.unchanged = 0, size.held - size.demanded
        numbers.notes += self._unknown(target)
        return PreparedSync(target, difference, numbers, self._seen_block)

    def _unknown(self, target: Target) -> list[str]:
        """Say how many may have got what must not happen twice, since nobody but a human may decide to repeat it."""
        if target.destination.can.repeatable:
            return []
        count = self.ledger.count_members(target.audience.audience_id).get(MemberState.UNKNOWN, 0)
        return [unknown_text(self.wiring.named, target.name, count)] if count else []

    def _note_planned(self, sync: PreparedSync) -> None:
        """Remember whom this sync is about to mail, so that a later one with a cap leaves them alone."""
        additions = sync.difference.select(Op.ADD) if sync.target.destination.can.cap and sync.may_add else None
        if additions is not None:
            self.session.con.execute(f"insert into planned_deliveries select person_id from {additions.table}")


def _segment_numbers(result: SegmentResult) -> SegmentNumbers:
    trouble = Trouble.of(result.error) if result.error is not None else None
    return SegmentNumbers(result.name, result.members, list(result.notes), trouble)
