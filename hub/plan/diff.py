"""The difference between who may be in an audience and who the ledger says is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hub.api import Op
from hub.consent.cleared import Cleared
from hub.plan.guards import Size
from hub.sql import load_queries

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# What consent decided because somebody said no; NO_CONSENT is the mere absence of a yes.
DEMANDING = ("SUPPRESSED", "OPTED_OUT", "INVALID_ADDRESS", "SALE_OPT_OUT", "ADS_STORAGE_DENIED")

# What a plan withholds somebody for whom consent cleared; no extension may use these for what is its own.
OWN_CODES = ("REFUSED", "STALE_SOURCE", "HOLDOUT", "COOLDOWN", "FREQUENCY_CAP")

QUERIES = load_queries("hub.plan")
_MEMBERSHIP = ("member_key", "state", "attributes_hash", "data_hash", "due_at", "sent_at")


@dataclass(frozen=True, slots=True)
class Judged:
    """Consent's answer about some persons: who is cleared, and the table of who is withheld (person_id, code)."""

    cleared: Cleared
    withheld: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """People whom something else than consent withholds: the reason's code, and the table of their person_id."""

    code: str
    people: str


@dataclass(frozen=True, slots=True)
class Holdout:
    """Which share of an audience is held out, stable by person.

    ``salt`` makes one audience's draw independent of another's, ``before`` has whom earlier runs held out
    (person_key), and ``redraw`` says that also members of the audience are drawn, since its settings changed.
    """

    share: float
    salt: str
    before: pa.Table
    redraw: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What is needed to compute one sync's difference.

    Attributes:
        number: position of the sync in its run; names the temporary tables.
        judged: consent's answer about the segment's members, attributes attached; None where the segment or
            one of its sources failed: then only removals that a record demands are computed.
        judge: asks consent about the persons of a table.
        membership: the audience's members by the ledger, as record batches.
        last_deliveries, recent_deliveries: member_key and delivered_at, of this audience and of all with a cap.
        repeatable, updates, refresh, cooldown, cap: what the destination can do and wants.
        mirror: members leave with the segment; otherwise only with their consent.
        holdout: who is held out.
        stale: the segment's data cannot rule out that a member bought: nobody is added.
        withheld: whom extensions withhold, of whatever audience.
    """

    number: int
    channel: str
    judged: Judged | None
    judge: Callable[[str], Judged]
    membership: Iterable[pa.RecordBatch]
    last_deliveries: pa.Table
    recent_deliveries: pa.Table
    now: datetime
    repeatable: bool = True
    updates: bool = True
    mirror: bool = True
    refresh: timedelta | None = None
    cooldown: timedelta | None = None
    cap: timedelta | None = None
    holdout: Holdout | None = None
    stale: bool = False
    withheld: Sequence[Withheld] = ()


@dataclass(slots=True)
class Difference:
    """What a sync would send: counts first, tables behind them.

    ``changes`` has (member_key, op, waits) of whoever does not stay as they are. ``withheld`` counts codes,
    ``withheld_table`` has (person_id, code); ``removals`` is the table of leaving members (member_key, demanded).
    ``settled`` says that the audience holds the cleared members as they are and nothing else, ``oldest`` when the one
    it was told of longest ago was sent (only where members are refreshed). Where that was known without judging
    anybody, there is neither ``cleared`` nor ``withheld_table``.
    """

    cleared: Cleared | None
    withheld: dict[str, int]
    withheld_table: str | None
    size: Size
    unchanged: int
    waits: int
    changes: str
    removals: str
    settled: bool = False
    oldest: datetime | None = None

    @property
    def is_judged(self) -> bool:
        """Tell whether consent answered about the segment's members, now or when the same was found."""
        return self.cleared is not None or self.settled

    @property
    def reached(self) -> int:
        """Return how many members are cleared."""
        if self.settled:
            return self.unchanged
        return 0 if self.cleared is None else len(self.cleared)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the names of the attributes that members carry, as the destination names them."""
        columns = self.cleared.columns if self.cleared else ()
        return tuple(name.removeprefix("a_") for name in columns if name.startswith("a_"))

    def select(self, op: str, most: int | None = None) -> Cleared | None:
        """Return the members to add or update who are due; with ``most``, so many of them taken at random."""
        if self.cleared is None:
            return None
        # Keys are hashes, so that their order has nothing to do with the people.
        some = "" if most is None else f" order by member_key limit {most}"
        return self.cleared.view(
            f"member_key in (select member_key from {self.changes} where op = '{op}' and not waits{some})"
        )


def prepare_tables(con: duckdb.DuckDBPyConnection, blocks: pa.Table) -> None:
    """Make the temporary tables that every difference of a session reads; the gate must be open."""
    _replace(con, "standing_blocks", blocks)
    con.execute(QUERIES["planned_deliveries"])


def diff(con: duckdb.DuckDBPyConnection, request: Request) -> Difference:
    """Compare cleared members with the audience's membership.

    ``prepare_tables`` comes first, once per session.
    """
    names = _names(request.number)
    _replace(con, "last_deliveries", request.last_deliveries)
    _replace(con, "recent_deliveries", request.recent_deliveries)
    _load_membership(con, request, names)
    cleared = _withhold(con, request, request.judged, names) if request.judged else None
    if cleared is None:
        _run(con, "nobody", names)
    else:
        names["cleared"] = cleared.table
    _run(
        con,
        "changes",
        {**names, "permitted": request.judged.cleared.table if request.judged else names["cleared"]},
        repeatable=request.repeatable,
        updates=request.updates,
        now=request.now,
        refresh=request.refresh,
    )
    _run(con, "leaving", names)
    _find_removals(con, request, names)
    return _difference(con, request, names, cleared)


def no_difference(con: duckdb.DuckDBPyConnection, number: int, judged: Judged) -> Difference:
    """Return the difference of members of whom it is known that the audience holds them as they are, and no others."""
    found = as_known(con, number, len(judged.cleared), _withheld(con, judged.withheld))
    return replace(found, cleared=judged.cleared, withheld_table=judged.withheld)


def as_known(con: duckdb.DuckDBPyConnection, number: int, members: int, withheld: dict[str, int]) -> Difference:
    """Return the same where nobody was judged, because it was found before that so many are held and withheld."""
    names = _names(number)
    for query in ("no_changes", "no_removals"):
        _run(con, query, names)
    return Difference(
        cleared=None,
        withheld=withheld,
        withheld_table=None,
        size=Size(held=members, add=0, update=0, removals=0, demanded=0),
        unchanged=members,
        waits=0,
        changes=names["changes"],
        removals=names["removals"],
        settled=True,
    )


def without(cleared: Cleared, withheld: Withheld) -> Cleared:
    """Return those of the members who are not withheld."""
    return cleared.where(f"person_id not in (select person_id from {withheld.people})")


def entries(con: duckdb.DuckDBPyConnection, difference: Difference) -> Iterator[tuple[str, str, str | None]]:
    """Yield (operation, member_key, payload hash) of everything a sync would send, ordered."""
    table = (
        difference.cleared.table
        if difference.cleared and not difference.settled
        else "(select null as member_key, null as attributes_hash where false)"
    )
    sql = QUERIES["entries"].format(changes=difference.changes, cleared=table, removals=difference.removals)
    yield from con.execute(sql).fetchall()


def due(con: duckdb.DuckDBPyConnection, difference: Difference) -> dict[Op, int]:
    """Return how many members are due for each operation, where there are some."""
    rows = con.execute(QUERIES["counts"].format(changes=difference.changes)).fetchall()
    counts = {Op(op): number - waiting for op, number, waiting in rows if op != "leave"}
    counts[Op.REMOVE] = difference.size.removals + difference.size.demanded
    return {op: number for op, number in counts.items() if number}


def some_leaving(con: duckdb.DuckDBPyConnection, difference: Difference, most: int) -> list[str]:
    """Return the keys of some of the members who would be removed, taken at random."""
    rows = con.execute(QUERIES["some_leaving"].format(removals=difference.removals), {"most": most}).fetchall()
    return [key for (key,) in rows]


def restrict(con: duckdb.DuckDBPyConnection, difference: Difference, wanted: str) -> None:
    """Leave out additions and updates of members who are not in a table (member_key), and count again."""
    con.execute(QUERIES["restrict"].format(changes=difference.changes, wanted=wanted))
    rows = con.execute(QUERIES["counts"].format(changes=difference.changes)).fetchall()
    counts = {op: (number, waiting) for op, number, waiting in rows}
    (add, waiting_add), (update, waiting_update) = (counts.get(op, (0, 0)) for op in ("add", "update"))
    difference.size = replace(difference.size, add=add, update=update)
    difference.waits = waiting_add + waiting_update


def _replace(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Make a temporary table of an Arrow table, replacing one of that name."""
    con.register("replacement", table)
    con.execute(f"create or replace temporary table {name} as select * from replacement")
    con.unregister("replacement")


def _names(number: int) -> dict[str, str]:
    kinds = ("membership", "changes", "leaving", "persons", "removals", "cleared")
    return {kind: f"plan_{kind}_{number}" for kind in kinds}


def _run(con: duckdb.DuckDBPyConnection, query: str, names: dict[str, str], **parameters: Any) -> list[tuple[Any, ...]]:
    return con.execute(QUERIES[query].format_map(names), parameters or None).fetchall()


def _load_membership(con: duckdb.DuckDBPyConnection, request: Request, names: dict[str, str]) -> None:
    _run(con, "membership", names)
    for batch in request.membership:
        con.register("membership_batch", batch)
        columns = ", ".join(column for column in _MEMBERSHIP if column in batch.schema.names)
        _run(con, "fill_membership", names | {"batch": "membership_batch", "columns": columns})
        con.unregister("membership_batch")


def _withhold(con: duckdb.DuckDBPyConnection, request: Request, judged: Judged, names: dict[str, str]) -> Cleared:
    """Take out who may be contacted and yet is not: by extensions, then tombstones, holdouts, pauses and caps."""
    cleared, withheld = judged.cleared, judged.withheld
    for each in request.withheld:
        tables = {"withheld": withheld, "cleared": cleared.table, "people": each.people}
        _run(con, "withhold", tables, code=each.code)
        cleared = without(cleared, each)
    steps: list[tuple[str, dict[str, Any]]] = [("withhold_refused", {})]
    if request.stale:
        steps.append(("withhold_stale", {}))
    if request.holdout:
        _replace(con, "held_out", request.holdout.before)
        drawn = {"salt": request.holdout.salt, "share": request.holdout.share, "redraw": request.holdout.redraw}
        steps.append(("withhold_holdout", drawn))
    if request.cooldown:
        steps.append(("withhold_cooldown", {"now": request.now, "cooldown": request.cooldown}))
    if request.cap:
        steps.append(("withhold_cap", {}))
    for step, parameters in steps:
        found = f"plan_{step}_{request.number}"
        select = QUERIES[step].format_map(names | {"cleared": cleared.table})
        con.execute(f"create temporary table {found} as {select}", parameters or None)
        if con.execute(f"select count(*) from {found}").fetchall()[0][0]:
            cleared = cleared.where(f"person_id not in (select person_id from {found})")
            con.execute(f"insert into {withheld} by name select person_id, code from {found}")
    return cleared


def _find_removals(con: duckdb.DuckDBPyConnection, request: Request, names: dict[str, str]) -> None:
    if not _run(con, "somebody_leaves", names):
        _run(con, "no_removals", names)
        return
    _run(con, "leaving_persons", names)
    judged = request.judge(names["persons"])
    tables = names | {"withheld": judged.withheld, "permitted": judged.cleared.table}
    _run(
        con,
        "removals",
        tables,
        demanding=list(DEMANDING),
        channel=request.channel,
        mirror=request.mirror,
        only_demanded=request.judged is None,
    )


def _difference(
    con: duckdb.DuckDBPyConnection, request: Request, names: dict[str, str], cleared: Cleared | None
) -> Difference:
    counts = {op: (number, waiting) for op, number, waiting in _run(con, "counts", names)}
    ((removed, demanded),) = _run(con, "removal_counts", names)
    ((held, rows, waiting, oldest),) = _run(con, "held_count", names)
    add, waiting_add = counts.get("add", (0, 0))
    update, waiting_update = counts.get("update", (0, 0))
    withheld_table = request.judged.withheld if request.judged else None
    members = len(cleared) if cleared else 0
    # Whom a pause or a cap keeps out is cleared, and may come in as soon as it ends.
    permitted = len(request.judged.cleared) if request.judged else 0
    return Difference(
        cleared=cleared,
        withheld=_withheld(con, withheld_table) if withheld_table else {},
        withheld_table=withheld_table,
        size=Size(held=held, add=add, update=update, removals=removed - demanded, demanded=demanded),
        unchanged=members - add - update,
        waits=waiting_add + waiting_update,
        changes=names["changes"],
        removals=names["removals"],
        settled=bool(request.judged) and not counts and not waiting and rows == members == permitted,
        oldest=oldest,
    )


def _withheld(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    return dict(con.execute(f"select code, count(*) from {table} group by 1 order by 1").fetchall())
