"""Pull: what the sources have, into the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pyarrow.compute as pc

from hub.api import Page, Reach, Source
from hub.catalog import Reading, safe_error
from hub.deliver import ACCIDENTS, BROKE, isolated
from hub.errors import (
    AuthError,
    ConfigError,
    HubError,
    PluginError,
    SourceError,
    TransientError,
    hide_addresses,
    without_addresses,
)
from hub.ledger import Freshness, Ledger
from hub.plan.guards import Guard
from hub.sync.numbers import SourceNumbers, Status, Trouble
from hub.sync.opt_outs import keep_opt_outs
from hub.sync.wiring import Wiring

if TYPE_CHECKING:
    from hub.catalog import Matches, OptOut, StreamReport, Writer

_FEW_TO_JUDGE = 20


class InterruptedRun(HubError):
    """Somebody asked the run to stop; what was done is recorded."""


@dataclass(slots=True)
class Pulled:
    """What a pull got: numbers per source, and what the user should know."""

    sources: list[SourceNumbers] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Puller:
    """Reads the sources of one client into its catalog, one stream after the other."""

    wiring: Wiring
    ledger: Ledger
    writer: Writer
    force: bool = False
    _erased: list[str] = field(default_factory=list)

    def pull(self, sources: Mapping[str, Source[Any]]) -> Pulled:
        """Read every source; one that fails does not keep the others from being read."""
        pulled = Pulled([self._pull_source(name, source) for name, source in sources.items()])
        self.wiring.around.progress("people and identities", 0, None)
        if self._erased:
            # Erased at the other side: their blocks are written, what is held about them goes now.
            self.writer.erase(self._erased)
        if self.writer.has_dropped:
            # Rows that were read and dropped leave their bytes behind: whoever was erased must not be in the file.
            self.writer.erase(())
        report = self.writer.rebuild()
        by_name = {numbers.name: numbers for numbers in pulled.sources}
        for matches in report.matches:
            if matches.source in by_name:
                by_name[matches.source].notes += match_notes(matches)
        for till in report.tills:
            pulled.notes.append(
                f"a customer of {till.system} has {till.emails} e-mails (a till?): it joins nobody's orders together"
            )
        return pulled

    def _pull_source(self, name: str, source: Source[Any]) -> SourceNumbers:
        numbers, whole = SourceNumbers(name), []
        for stream in source.streams:
            try:
                self._pull_stream(name, source, stream, numbers)
                whole.append(stream)
            except (SourceError, AuthError, TransientError, PluginError) as error:
                self._fail(numbers, Trouble.of(error))
            except HubError:
                raise
            except ACCIDENTS as error:  # a plugin's fault: this source failed, the others are read
                broken = PluginError(f"{self._plugin(name)} broke while reading {stream}: {safe_error(error)}")
                self._fail(numbers, Trouble.of(broken))
        reaches = self._reaches(name, source, numbers)
        trouble = numbers.trouble.text if numbers.trouble else None
        system = self.wiring.system_of(self.wiring.client.sources[name])
        self.writer.set_reading(Reading(name, tuple(whole), trouble), system)
        self._note_freshness(name, reaches, numbers)
        return numbers

    def _fail(self, numbers: SourceNumbers, trouble: Trouble) -> None:
        numbers.status = Status.FAILED
        numbers.trouble = numbers.trouble or trouble

    def _pull_stream(self, name: str, source: Source[Any], stream: str, numbers: SourceNumbers) -> None:
        settings = self.wiring.client.sources[name]
        guards = self.wiring.client.guards_with(settings.guards)
        report = self.writer.load(
            name,
            self.wiring.system_of(settings),
            stream,
            source.streams[stream],
            self._pages(name, source, stream),
            guards=guards,
            accept_shrink=dict.fromkeys(source.streams[stream].tables, 0) if self.force else self._approved(name),
            erasures=_erasures(self.ledger),
            on_blocks=self._write_blocks,
            progress=partial(self.wiring.around.progress, f"{name}: {stream}"),
        )
        for table in dict.fromkeys((*report.read, *report.rejected)):
            read, rejected = report.read.get(table, 0), report.rejected.get(table, 0)
            numbers.tables[table] = {"read": read, "rejected": rejected}
            if rejected > guards.max_rejected * read:
                numbers.notes.append(
                    f"{rejected:,} of {read:,} rows of {table} cannot be used: see `hub rejected {self.wiring.named}`"
                )
        if report.dropped:
            numbers.notes.append(f"{report.dropped} rows of people who were erased were dropped")
        numbers.notes += [without_addresses(str(note)) for note in report.notes]
        self._set_reach(name, source, report)
        self._judge_shrink(name, source.streams[stream].tables, report, numbers)
        self._erased.extend(report.erased)

    def _pages(self, name: str, source: Source[Any], stream: str) -> Iterator[Page]:
        around = self.wiring.around
        for page in self._read(name, source, stream):
            if around.stop.is_set():
                raise InterruptedRun("stopped while reading", next_step="run it again: it continues where it stopped")
            yield page

    def _read(self, name: str, source: Source[Any], stream: str) -> Iterator[Page]:
        try:
            yield from source.read(stream, self.writer.cursor(name, stream), self.wiring.around.clock())
        except HubError as error:
            raise _of_source(error) from error

    def _set_reach(self, name: str, source: Source[Any], report: StreamReport) -> None:
        if report.pages and report.read:
            self.writer.set_reach(name, {table: self._reach(name, source, table) for table in report.read})

    def _reach(self, name: str, source: Source[Any], table: str) -> Reach:
        """Ask a source how far a table reaches. Raises what fails the source: PluginError where it breaks."""
        try:
            with isolated(self._plugin(name), "reach"):
                reach: Any = source.reach(table)
        except HubError as error:
            raise _of_source(error) from error
        times = (reach.start, reach.fresh_until) if isinstance(reach, Reach) else ("",)
        if not all(each is None or isinstance(each, datetime) for each in times):
            raise PluginError(
                f"{self._plugin(name)} broke the contract: reach of {table} is no api.Reach with datetimes",
                next_step=BROKE,
            )
        return cast("Reach", reach)

    def _reaches(self, name: str, source: Source[Any], numbers: SourceNumbers) -> dict[str, Reach]:
        """Return how far the tables that were read reach; where the source cannot say, it failed."""
        reaches: dict[str, Reach] = {}
        for table in numbers.tables:
            try:
                reaches[table] = self._reach(name, source, table)
            except ConfigError:
                raise
            except HubError as error:
                self._fail(numbers, Trouble.of(error))
        return reaches

    def _judge_shrink(self, name: str, tables: Sequence[str], report: StreamReport, numbers: SourceNumbers) -> None:
        """Hold a snapshot that lost too much, until somebody approves its size."""
        if report.changed:
            for table in tables:
                self.ledger.release(name, _shrink_guard(table))
        for shrink in report.shrunk:
            text = f"{shrink.table} shrank from {shrink.before:,} to {shrink.after:,} rows; the old content stands"
            step = f"if that is right, run `hub approve {self.wiring.named} {name}`; otherwise export it again"
            self.ledger.hold(name, _shrink_guard(shrink.table), shrink.after, detail=text)
            self._fail(numbers, Trouble(text, step))

    def _approved(self, name: str) -> dict[str, int]:
        """Return the tables whose shrinking somebody approved, with the rows approved."""
        prefix = f"{Guard.SOURCE.value}:"
        return {
            held.guard.removeprefix(prefix): held.size
            for held in self.ledger.held(name)
            if held.approved_at is not None and held.guard.startswith(prefix)
        }

    def _write_blocks(self, opt_outs: Sequence[OptOut]) -> None:
        """Write refusals that reading again could not tell, before the page that tells them is stored."""
        keep_opt_outs(self.ledger, self.wiring.key, opt_outs)

    def _note_freshness(self, name: str, reaches: Mapping[str, Reach], numbers: SourceNumbers) -> None:
        """Tell the ledger how far every table reaches, since status reads the ledger alone."""
        now, status = self.wiring.around.clock(), numbers.status.value
        for record in self.ledger.freshness():
            if record.source == name and record.table not in reaches:
                self.ledger.set_freshness(replace(record, status=status, read_at=now))
        for table, reach in reaches.items():
            counts = numbers.tables[table]
            start, until = (_aware(each) if each else None for each in (reach.start, reach.fresh_until))
            self.ledger.set_freshness(
                Freshness(name, table, start, until, counts["read"], counts["rejected"], status, now)
            )

    def _plugin(self, source: str) -> str:
        return str(self.wiring.plugins.entry("source", self.wiring.client.sources[source].plugin))


def match_notes(matches: Matches) -> Iterator[str]:
    """Say how much of what analytics saw is somebody's, and what to look at where little is."""
    found = [
        (matches.known_transactions, matches.transactions, "transactions are orders of the shop"),
        (matches.known_user_ids, matches.user_ids, "customer ids are the shop's"),
    ]
    parts = [f"{known:,} of {count:,} {what}" for known, count, what in found if count]
    parts.append(f"{matches.known_visitors:,} of {matches.visitors:,} browsers are its customers'")
    yield ", ".join(parts)
    if any(count >= _FEW_TO_JUDGE and known * 2 < count for known, count, _ in found):
        yield (
            "less than half was found in the shop: is `system` the same as that of the source of the orders, and does "
            "the tag send the order's number or id as transaction_id and the customer's id as user_id?"
        )
    if matches.withheld:
        yield (
            f"{matches.withheld:,} of {matches.events:,} events have no consent to analytics: counted, and attributed "
            "to nobody"
        )


def _of_source(error: HubError) -> HubError:
    """Return what a source raised as its own failure, without addresses; a wrong setting stays the run's."""
    hide_addresses(error)
    if isinstance(error, AuthError | ConfigError | PluginError | SourceError | TransientError):
        return error
    return SourceError(str(error), next_step=error.next_step)


def _shrink_guard(table: str) -> str:
    return f"{Guard.SOURCE.value}:{table}"


def _erasures(ledger: Ledger) -> Any:
    table = ledger.blocks().table
    return table.filter(pc.equal(table["reason"], "erasure")).select(["address_key", "recorded_at"])


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
