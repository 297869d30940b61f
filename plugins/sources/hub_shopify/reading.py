"""One read of one stream: in bulk the first time and now and then, by pages of what changed in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub import api
from hub_shopify.bulk import Bulk, DeniedJobError, LostJobError
from hub_shopify.operations import MOST_PAGED, Listing, instant
from hub_shopify.paging import Found, Node, Paging, digest_of, write_lines
from hub_shopify.replies import CostlyError
from hub_shopify.staging import DamagedFileError, Rows, Staging
from hub_shopify.state import Job, State, Window, earlier, moment

OVERLAP = timedelta(minutes=10)
"""So far each read looks back: a fresh change can be missing from a filtered list for minutes."""
VISIBLE = timedelta(days=60)
"""So far back orders are shown to an app without ``read_all_orders``."""
_FLUSH = 200
_MOST_SEEN = 5_000
_AGAIN = timedelta(days=1)
_RARE = timedelta(days=1)
StillThere = Callable[[Sequence[str]], set[str]]
"""Return which of some customers the shop still has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read: a stream and its list, until when, how often all again, whether orders of over 60 days show."""

    stream: str
    listing: Listing
    until: datetime
    reconcile: timedelta
    all_orders: bool


class Reading:
    """Read a stream from a state to an instant; ``state`` moves on with the pages."""

    def __init__(
        self, plan: Plan, state: State, *, bulk: Bulk, paging: Paging, staging: Staging, still_there: StillThere
    ) -> None:
        self.state = state
        self.notes: list[str] = []
        self._plan = plan
        self._listing = plan.listing
        self._until = plan.until
        self._bulk = bulk
        self._paging = paging
        self._staging = staging
        self._still_there = still_there
        self._known: dict[str, bool] = {}

    def pages(self) -> Iterator[api.Page]:
        """Yield everything the first time, then what changed, and everything again when that is due."""
        sees_more = self.state.start is not None and self._plan.all_orders
        if sees_more or self.state.selection != self._listing.selection:
            self.state = State(selection=self._listing.selection)
        job = self.state.job
        if self.state.since is None or (job is not None and job.since is not None):
            yield from self._in_bulk(job.since if job else None, wait=True)
        elif self._listing.recounts:
            yield from self._recount(self._plan.reconcile)
        if self.state.window is not None:
            yield from self._resume(self.state.window)
        yield from self._changes()

    def _recount(self, reconcile: timedelta) -> Iterator[api.Page]:
        """Read all again when it is due, without waiting for it: a later run finds the operation done.

        Where runs are so rare that it would be found too late, wait.
        """
        whole_at = moment(self.state.whole_at or self.state.since or instant(self._until))
        if self.state.job is None and whole_at + reconcile > self._until:
            return
        wait = moment(str(self.state.read_at or self.state.since)) + _RARE <= self._until
        try:
            yield from self._in_bulk(None, wait=wait)
        except LostJobError as error:
            self.state = replace(self.state, whole_at=earlier(instant(self._until), reconcile - _AGAIN))
            yield self._page(notes=(f"{error}; deletions in the shop are looked for again tomorrow",))

    def _in_bulk(self, since: str | None, *, wait: bool) -> Iterator[api.Page]:
        document = self._listing.bulk(moment(since) if since else None)
        while (job := self.state.job) is None:
            self.state = replace(self.state, job=self._bulk.begin(document, since))
            if self.state.job is None and not wait:
                return
            yield self._page()  # hub keeps the id, and sees whether somebody wants it to stop
        try:
            while (found := self._bulk.look(job)) is None:
                if not wait:
                    return
                yield self._page()
            yield from self._store(job, self._bulk.fetch(job, found), int(found["rootObjectCount"] or 0))
        except (LostJobError, DeniedJobError):
            self.state = replace(self.state, job=None)
            yield self._page()
            raise

    def _store(self, job: Job, path: Path, parents: int) -> Iterator[api.Page]:
        """Yield the rows of a bulk operation's result; only the last page says that it is read."""
        rows = people = emails = 0
        try:
            for part in self._staging.rows(path):
                rows, people, emails = rows + part.count, people + part.parents, emails + part.emails
                yield self._page(part, total=_total(rows, people, parents, self._staging.lines))
            hidden = self._plan.stream == "orders" and not self._plan.all_orders
            start = earlier(job.created_at, VISIBLE) if hidden else None
            self.state = self.state.bulk_read(job, self.state.start or start)
            if self._plan.stream == "customers" and people and not emails:
                self.notes.append("no customer shows an e-mail: `hub check` says why, and the ways out")
            if job.since is None:
                self._staging.keep_owners(path)
            remaining = self._remaining(path, start) if job.since is None else ()
            yield self._page(Rows(self._staging.empty()), remaining=remaining, total=rows)
        except DamagedFileError as error:
            self._bulk.forget()
            told = f"the result for {self._plan.stream} is damaged ({error}); it is fetched again"
            raise api.TransientError(told) from None
        self._bulk.forget()

    def _remaining(self, path: Path, start: str | None) -> list[api.Remaining]:
        """Return what is left of everything, as far back as the app sees."""
        if not self._listing.recounts:
            return []
        begun = moment(start) + timedelta(days=1) if start else None
        tables = ("customers", "consents") if self._plan.stream == "customers" else (self._plan.stream,)
        return [api.Remaining(table, self._staging.ids(path), since=begun) for table in tables]

    def _changes(self) -> Iterator[api.Page]:
        """Yield what changed since the last read, by pages; in bulk where it is more than pages show."""
        read = str(self.state.since)
        if moment(read) >= self._until:
            return
        window = Window(earlier(read, OVERLAP), instant(self._until), "", read)
        found = self._paging.page(window)
        total = self._paging.count(window) if found.after else len(found.nodes)
        if total > MOST_PAGED:
            yield from self._in_bulk(window.since, wait=True)
        else:
            yield from self._window(window, found, total)

    def _resume(self, window: Window) -> Iterator[api.Page]:
        """Go on with a window that a killed run left behind; begin anew where Shopify refuses its place."""
        self.state = replace(self.state, window=None)
        try:
            found = self._paging.page(window)
        except CostlyError:
            raise
        except api.SourceError:
            return
        yield from self._window(window, found, None)

    def _window(self, window: Window, found: Found, total: int | None) -> Iterator[api.Page]:
        """Yield the pages of a window, several of Shopify's to one of hub's."""
        seen: dict[str, tuple[str, str]] = {}
        waiting: list[Node] = []
        objects = rows = 0
        while True:
            fresh, window = self._look(found, window, seen)
            waiting += fresh
            objects += len(found.nodes)
            if found.after is None:
                break
            window = replace(window, after=found.after)
            if len(waiting) >= _FLUSH:
                self.state = replace(self.state, window=window)
                part = self._rows(waiting)
                rows, waiting = rows + part.count, []
                yield self._page(part, total=round(rows * total / objects) if total else None)
            found = self._paging.page(window)
        kept = _latest(seen, window.newest)
        self.state = replace(self.state, since=window.newest, seen=kept, window=None, read_at=window.until)
        part = self._rows(waiting)
        yield self._page(part, total=rows + part.count)

    def _look(self, found: Found, window: Window, seen: dict[str, tuple[str, str]]) -> tuple[list[Node], Window]:
        """Return the nodes that the last read had not, and the window with the newest change in it.

        A change after the window's end does not count: others as new are not in this list.
        """
        known, fresh = self.state.seen or {}, []
        for node in found.nodes:
            changed, digest = node["updatedAt"], digest_of(node)
            seen[node["id"]] = (changed, digest)
            if known.get(node["id"]) != digest:
                fresh.append(node)
            if moment(window.newest) < moment(changed) < moment(window.until):
                window = replace(window, newest=changed)
        return fresh, window

    def _rows(self, nodes: list[Node]) -> Rows:
        """Return nodes as rows, by the same way as a bulk operation's lines."""
        if not nodes:
            return Rows(self._staging.empty())
        path = self._bulk.path("page")
        try:
            [rows] = self._staging.rows(write_lines(nodes, self._listing, path), page=len(nodes) + 1)
        finally:
            path.unlink(missing_ok=True)
        return rows

    def _page(self, part: Rows | None = None, **more: Any) -> api.Page:
        """Make a page with the state as its cursor; without rows it brings nothing else."""
        gone = [api.Gone("customers", each, erased=True) for each in (part.erased if part else ())]
        merged = self._merged(part.moved) if part else []
        gone += [api.Gone("consents", each.customer_id) for each in merged]
        notes = [*more.pop("notes", ()), *self.notes]
        return api.Page(
            part.tables if part else {}, cursor=self.state.cursor(), gone=gone, merged=merged, notes=notes, **more
        )

    def _merged(self, moved: Sequence[tuple[str, str]]) -> list[api.Merged]:
        """Return the customers whose orders went to another and who are gone: Shopify tells of no merge otherwise."""
        into = dict(moved)
        there = self._still_there([gone for gone in into if gone not in self._known]) if into else set()
        self._known |= {gone: gone in there for gone in into if gone not in self._known}
        return [api.Merged(gone, kept) for gone, kept in into.items() if not self._known[gone]]


def _latest(seen: dict[str, tuple[str, str]], newest: str) -> dict[str, str] | None:
    """Return what the next read will look at again; nothing where that is too much to keep."""
    begun = moment(newest) - OVERLAP
    kept = {id_: digest for id_, (changed, digest) in seen.items() if moment(changed) >= begun}
    return kept if len(kept) <= _MOST_SEEN else None


def _total(rows: int, read: int, parents: int, lines: int) -> int:
    """Reckon how many rows there will be: lines are counted, and every other parent gives as many as those read."""
    parents = max(parents, read)
    return parents + lines if lines else round(rows * parents / max(read, 1))
