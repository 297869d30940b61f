"""The main job for one client: listen, pull, segments, consent, plan, deliver, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from hub.api import Destination, Run
from hub.config.models import SyncSettings
from hub.errors import BusyError, ConfigError, HubError, RefusedError
from hub.ledger import Audience, Ledger
from hub.ledger.lock import hold
from hub.sync.delivery import Delivery
from hub.sync.forecast import foresee
from hub.sync.hooks import Hooks
from hub.sync.lines import close_line
from hub.sync.listen import listen
from hub.sync.numbers import RunNumbers, Status, Trouble, format_time
from hub.sync.prepare import Preparation
from hub.sync.pull import InterruptedRun, Pulled, Puller
from hub.sync.retired import Retired, purpose_of, retire_missing
from hub.sync.target import PreparedSync
from hub.sync.unread import find_unread
from hub.sync.verdicts import StoredVerdicts
from hub.sync.wiring import Wiring

if TYPE_CHECKING:
    from hub.catalog import Session


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is to do.

    Attributes:
        command: what the user called; kept with the run.
        pull, deliver: read the sources first; send the difference.
        as_of: the instant to compute for (naive UTC); default: the instant after the pull.
        force: let every guard through, by hand.
        only: the syncs to do; None: all that are switched on.
        ask: asked about a sync that a guard holds, on a terminal; true lets it through.
        inspect: called with everything computed, before anything is sent (plan files).
    """

    command: str
    pull: bool = True
    deliver: bool = True
    as_of: datetime | None = None
    force: bool = False
    only: frozenset[str] | None = None
    ask: Callable[[PreparedSync], bool] | None = None
    inspect: Callable[[Prepared], None] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a run computed: its session, ledger and syncs."""

    wiring: Wiring
    run_id: str
    session: Session
    ledger: Ledger
    preparation: Preparation
    syncs: list[PreparedSync]
    numbers: RunNumbers


def run_client(wiring: Wiring, options: RunOptions) -> RunNumbers:
    """Do the main job for one client and return its numbers.

    A client that another process works on is skipped.

    Raises:
        ConfigError: a setting or secret is missing or wrong, or the instant is still to come; nothing was started.
    """
    _refuse_future(wiring, options)
    try:
        with hold(wiring.folder), wiring.open_ledger() as ledger:
            return _Run(wiring, options, ledger).run()
    except BusyError as error:
        return skipped(wiring, error)


def pull_client(wiring: Wiring, *, force: bool = False) -> RunNumbers:
    """Read the sources of one client; a busy client is skipped."""
    try:
        with hold(wiring.folder), wiring.open_ledger() as ledger:
            return _Run(wiring, RunOptions("pull", deliver=False, force=force), ledger).pull()
    except BusyError as error:
        return skipped(wiring, error)


def _refuse_future(wiring: Wiring, options: RunOptions) -> None:
    """Refuse to deliver, or to write a plan to deliver, for an instant still to come: no run before it could send."""
    as_of, now = options.as_of, wiring.around.now()
    looks = not options.deliver and options.inspect is None
    if as_of is None or as_of <= now or looks or wiring.stand_ins is not None:
        return
    then = format_time(as_of)
    raise ConfigError(
        f"{options.command} cannot be for {then}, which is still to come: it is {format_time(now)}",
        next_step=f"plan and deliver without --as-of; `hub plan {wiring.client.id} --as-of {then}` looks ahead",
    )


def skipped(wiring: Wiring, error: BusyError) -> RunNumbers:
    """Return the numbers of a run that left the client to whoever works on it."""
    return RunNumbers(wiring.client.id, "", status=Status.SKIPPED, trouble=Trouble.of(error))


class _Run:
    """One execution; its parts share what it was asked and what it found."""

    def __init__(self, wiring: Wiring, options: RunOptions, ledger: Ledger) -> None:
        self.wiring, self.options, self.ledger = wiring, options, ledger
        self.around = wiring.around
        self.barred: str | None = None
        self._began = False

    def run(self) -> RunNumbers:
        """Make every connection, so that a mistake in the wiring stops the run before it starts; then do it."""
        retired = retire_missing(self.wiring, self.ledger)
        try:
            with self._connections(retired.audiences) as (sources, destinations):
                return self._recorded(lambda numbers: self._do(numbers, sources, destinations, retired))
        except HubError as error:
            if not self._began:
                self._record_unstarted(error)
            raise

    def pull(self) -> RunNumbers:
        """Read the sources and do nothing else."""
        with closing_all(self.wiring.sources(self.ledger)) as sources:
            return self._recorded(lambda numbers: self._note_pull(numbers, self._pull(sources)))

    def _recorded(self, work: Callable[[RunNumbers], None]) -> RunNumbers:
        """Do the work as a run that the ledger knows, however it ends."""
        self._began = True
        run_id = self.ledger.start_run(self.options.command)
        numbers = RunNumbers(self.wiring.client.id, run_id)
        hooks = self._hooks(run_id)
        try:
            self.barred = hooks.begin(numbers)
            work(numbers)
            if self.around.stop.is_set():
                raise InterruptedRun(
                    "the run was asked to stop; what was under way is recorded",
                    next_step="run it again: it continues where it stopped",
                )
        except (ConfigError, RefusedError) as error:
            numbers.status, numbers.trouble = Status.REFUSED, Trouble.of(error)
            self._end(numbers, hooks)
            raise
        except HubError as error:
            numbers.notes += [self.barred] if self.barred else []
            numbers.status, numbers.trouble = Status.FAILED, Trouble.of(error)
        except BaseException as error:
            numbers.status = Status.FAILED
            # Who interrupts a second time wants out, and waits for nobody.
            self._end(numbers, None if isinstance(error, KeyboardInterrupt) else hooks)
            raise
        numbers.settle(delivered=self.options.deliver)
        self._end(numbers, hooks)
        return numbers

    def _record_unstarted(self, error: HubError) -> None:
        """Keep a run that a mistake in the wiring stopped before it began, so that somebody is told of it later."""
        run_id = self.ledger.start_run(self.options.command)
        numbers = RunNumbers(self.wiring.client.id, run_id, status=Status.REFUSED, trouble=Trouble.of(error))
        self.ledger.end_run(run_id, numbers.status.value, numbers.as_json())

    def _hooks(self, run_id: str) -> Hooks:
        wiring, options = self.wiring, self.options
        told = Run(
            client=wiring.client.id,
            run_id=run_id,
            command=options.command,
            delivers=options.deliver,
            sandbox=wiring.stand_ins is not None,
            workspace=wiring.workspace.folder,
        )
        return Hooks(wiring.plugins.extensions, told)

    @staticmethod
    def _note_pull(numbers: RunNumbers, pulled: Pulled) -> None:
        numbers.sources = pulled.sources
        numbers.notes += pulled.notes

    def _do(
        self,
        numbers: RunNumbers,
        sources: Mapping[str, Any],
        destinations: Mapping[str, Destination[Any]],
        retired: Retired,
    ) -> None:
        heard = listen(self.wiring, self.ledger, destinations)
        numbers.notes += [*heard.notes, *retired.notes]
        self._note_pull(numbers, self._pull(sources))
        now = self.around.now()
        if self.options.as_of is not None and self.options.as_of < now:
            numbers.notes.append(
                "computed for the past: permissions count only if recorded by then, withdrawals whenever they came; "
                "tags, refunds and lifetime values are as of the last pull"
            )
        numbers.as_of = self.options.as_of or now
        self.ledger.set_run_as_of(numbers.run_id, numbers.as_of.replace(tzinfo=UTC))
        verdicts = self._verdicts(retired, destinations)
        with self.wiring.catalog.session(numbers.as_of, now, derive=verdicts) as session:
            preparation = Preparation(
                *(self.wiring, session, self.ledger, find_unread(session, sources, self.wiring.named), heard.unheard),
                force=self.options.force,
                barred=self.barred,
            )
            chosen = self._chosen()
            numbers.segments = preparation.segments()
            prepared = preparation.syncs(chosen, destinations)
            ended = preparation.retired(retired.audiences, destinations)
            numbers.syncs = [sync.numbers for sync in prepared]
            numbers.retired = [sync.numbers for sync in ended]
            numbers.codes = preparation.withholder.meanings({code for sync in numbers.syncs for code in sync.withheld})
            everything = Prepared(self.wiring, numbers.run_id, session, self.ledger, preparation, prepared, numbers)
            if self.options.inspect:
                self.options.inspect(everything)
            if not self.options.deliver:
                foresee(session.con, self.ledger, [*ended, *prepared])
            else:
                Delivery(everything, self.options.ask).deliver([*ended, *prepared])
                for sync in prepared:
                    self.ledger.set_last_run(sync.name, sync.numbers.status.value)

    def _verdicts(self, retired: Retired, destinations: Mapping[str, Destination[Any]]) -> StoredVerdicts:
        """Say what this run will ask of consent, so that it is decided once for everybody."""
        wanted: set[tuple[str, tuple[str, ...]]] = set()

        def ask(name: str, purpose: Callable[[], str]) -> None:
            # A plugin that cannot say what it is for fails its own syncs, where they are prepared.
            with suppress(Exception):
                wanted.add((purpose(), self.wiring.known_by(name, destinations[name].can)))

        for sync in self._chosen().values():
            ask(sync.destination, partial(_purpose_of, sync, destinations[sync.destination]))
        for each in retired.audiences:
            ask(each.destination, partial(purpose_of, each, self.wiring.client, destinations[each.destination]))
        client = self.wiring.client
        return StoredVerdicts(client.consent, client.country, frozenset(wanted))

    def _pull(self, sources: Mapping[str, Any]) -> Pulled:
        catalog = self.wiring.catalog
        if not self.options.pull and catalog.is_readable:
            return Pulled()
        with catalog.writer(self.around.clock()) as writer:
            return Puller(self.wiring, self.ledger, writer, self.options.force).pull(sources)

    def _chosen(self) -> dict[str, SyncSettings]:
        syncs = {name: sync for name, sync in self.wiring.client.syncs.items() if sync.enabled}
        if self.options.only is None:
            return syncs
        return {name: sync for name, sync in syncs.items() if name in self.options.only}

    @contextmanager
    def _connections(self, retired: Sequence[Audience]) -> Iterator[tuple[dict[str, Any], dict[str, Destination[Any]]]]:
        with closing_all(self.wiring.sources(self.ledger)) as sources, closing_all({}) as destinations:
            kept = {sync.destination for sync in self._chosen().values()}
            kept |= {audience.destination for audience in retired}
            for name in sorted(kept):
                destinations[name] = self.wiring.destination(name, self.ledger)
            yield sources, destinations

    def _end(self, numbers: RunNumbers, hooks: Hooks | None) -> None:
        if hooks is not None:
            hooks.end(numbers)
        self.ledger.end_run(numbers.run_id, numbers.status.value, numbers.as_json())


def _purpose_of(sync: SyncSettings, destination: Destination[Any]) -> str:
    return sync.purpose or destination.purpose


@contextmanager
def closing_all(connections: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Close every connection in the dictionary at the end, also those added meanwhile."""
    try:
        yield connections
    finally:
        for connection in connections.values():
            close_line(connection)
