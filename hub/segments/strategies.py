"""A strategy made ready to run: its select checked, its values bound, its rule without the parts left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import Enum
from hashlib import sha256
from importlib.metadata import packages_distributions
from io import RawIOBase
from typing import Any

from hub.api import FACTS, ColumnValue, Condition, HubError, Percentile, PluginError, Segment
from hub.catalog import (
    FACT_COLUMNS,
    MORE_MEMORY,
    canonical_tables,
    is_out_of_memory,
    overwritten,
    safe_error,
    tables_behind,
)
from hub.segments.check import Statement
from hub.segments.definitions import Definition
from hub.segments.reading import CatalogReader, SharedSession, bound_values
from hub.segments.session import SessionLike
from hub.segments.statements import Query, known_values, predicate, temporary_table, value_at_rank


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a condition demands, with the setting's value; ``people`` counts the values behind a percentile."""

    condition: Condition
    bound: Any
    percentile: Percentile | None = None
    people: int | None = None

    def sql(self, number: int, as_of: datetime) -> Query:
        """Return the condition as SQL, its bound under a name of its own."""
        return predicate(self.condition, self.bound, f"hub_bound_{number}", as_of)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A strategy ready to run on one session; ``refused`` says why it gives no answer.

    ``parts`` are the parts of its base, ``rest`` the base's select without them; ``kept_as`` is the table that keeps
    the base's answer where it is kept, ``shared`` says that other segments of the run ask for the same one.
    """

    name: str
    strategy: Segment[Any]
    statement: Statement
    values: Mapping[str, Any]
    rule: tuple[Threshold, ...]
    table: Any = None
    notes: tuple[str, ...] = ()
    refused: str | None = None
    parts: Mapping[str, Statement] = field(default_factory=dict)
    rest: Statement | None = None
    digest: str = ""
    kept_as: str = ""
    shared: bool = False

    @property
    def reads_facts_only(self) -> bool:
        """Tell whether the base is nothing but the facts."""
        return self.statement.sql == FACTS.sql

    @property
    def query(self) -> Query:
        """Return the select with the values of the parameters that it names."""
        if self.reads_facts_only:
            return Query("facts")
        # The line break ends a comment that the select may end with.
        return Query(f"({self.statement.sql}\n)", self._bound(self.statement))

    def query_of_part(self, part: str) -> Query:
        """Return the select of a part of the base."""
        return Query(self.parts[part].sql, self._bound(self.parts[part]))

    def over_parts(self, kept: Mapping[str, str]) -> Query:
        """Return the select with what is kept of its parts, a select each, in their place."""
        if not kept:
            return self.query
        return Query(self.strategy.base.reading(kept), self._bound(self.rest or self.statement))

    def _bound(self, statement: Statement) -> dict[str, Any]:
        return {name: self.values[name] for name in statement.parameters}

    @property
    def reads(self) -> frozenset[str]:
        """Return the canonical tables that the answer rests on; whether a cart is open depends on orders."""
        tables = canonical_tables(self.statement.tables)
        if "facts" in self.statement.tables:
            columns = self.fact_columns
            tables |= tables_behind(None if columns is None else columns & FACT_COLUMNS)
        return tables | {"orders"} if "carts" in tables else tables

    @property
    def no_past(self) -> tuple[str, ...]:
        """Return in words what membership rests on that is only known as it is today."""
        own = overwritten(
            self.statement.tables - {"facts"}, None if self.statement.open_ended else self.statement.columns
        )
        facts = overwritten({"facts"} & self.statement.tables, self._fact_columns(()))
        return tuple(dict.fromkeys((*own, *facts)))

    @property
    def fact_columns(self) -> frozenset[str] | None:
        """Return the columns of facts that are needed; None means all."""
        return self._fact_columns(self.strategy.evidence)

    def _fact_columns(self, evidence: Iterable[str]) -> frozenset[str] | None:
        if "facts" not in self.statement.tables:
            return frozenset()
        if self.statement.open_ended:
            return None
        rule = {limit.condition.column for limit in self.rule}
        rule |= {limit.percentile.column for limit in self.rule if limit.percentile is not None}
        rule |= {limit.bound.column for limit in self.rule if isinstance(limit.bound, ColumnValue)}
        return self.statement.columns | rule | frozenset(evidence)


def compile_strategy(shared: SharedSession, definition: Definition) -> Compiled:
    """Check a definition's select, run its ``prepare``, and settle its rule.

    Raises:
        PluginError: the strategy breaks the contract.
    """
    strategy = definition.strategy
    if strategy is None:
        raise definition.error or PluginError(f"segment {definition.name!r} is a combination, not a strategy")
    session = shared.session
    own = [table.name for table in strategy.tables]
    statement = shared.check(strategy.sql or strategy.base.whole, own)
    prepared = strategy.prepare(CatalogReader(shared, own), session.as_of)
    settings = {name: _plain(value) for name, value in definition.settings.items()}
    values = settings | {"as_of": session.as_of} | dict(prepared.parameters)
    rule: tuple[Threshold, ...] = ()
    if prepared.refused is None:
        bound_values(statement, values)
        rule = () if strategy.sql else tuple(_rule(strategy, values))
    notes, refused = tuple(prepared.notes), prepared.refused
    digest = "" if prepared.table is None else _digest(prepared.table)
    ready = Compiled(definition.name, strategy, statement, values, rule, prepared.table, notes, refused, digest=digest)
    if refused is None and not strategy.sql:
        kept_as = "facts" if ready.reads_facts_only else _kept_name("base", session, ready.query, digest)
        ready = replace(ready, kept_as=kept_as)
    if strategy.sql or not strategy.base.parts:
        return ready
    parts = {name: shared.check(sql, own) for name, sql in strategy.base.parts.items()}
    return replace(ready, parts=parts, rest=shared.check(strategy.base.sql, [*own, *parts]))


def _plain(value: Any) -> Any:
    """Turn a setting into what DuckDB can bind."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _rule(strategy: Segment[Any], values: Mapping[str, Any]) -> Iterable[Threshold]:
    """Yield the conditions that count, with their settings filled in."""
    for condition in strategy.rule:
        if not _counts(condition, values):
            continue
        bound = condition.bound
        if isinstance(bound, Percentile):
            percent = _filled(bound.percent, values)
            if percent is not None:
                yield Threshold(condition, None, replace(bound, percent=percent))
            continue
        filled = _filled(bound, values)
        if filled is None and _names_setting(bound):
            continue
        yield Threshold(condition, filled)


def _counts(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Tell whether the settings leave a condition in the rule."""
    if condition.unless is not None and _setting(condition.unless.removeprefix("$"), values) is not None:
        return False
    return condition.when is None or bool(_setting(condition.when[0], values) == condition.when[1])


def _names_setting(bound: Any) -> bool:
    return isinstance(bound, str) and bound.startswith("$")


def _filled(bound: Any, values: Mapping[str, Any]) -> Any:
    return _setting(bound.removeprefix("$"), values) if _names_setting(bound) else bound


def _setting(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise PluginError(f"the rule names the setting {name!r}, which does not exist")
    return values[name]


def fact_columns(compiled: Iterable[Compiled]) -> frozenset[str] | None:
    """Return the columns of facts that some strategies need together; None means all."""
    needed: set[str] = set()
    for each in compiled:
        columns = each.fact_columns
        if columns is None:
            return None
        needed |= columns
    return frozenset(needed)


def keep_base(session: SessionLike, compiled: Compiled) -> str:
    """Return the table with the base's answer, computed by the first segment that asks for it.

    The table is named after the select, the values that it names and what was prepared for it: equal bases find the
    same one. So do equal parts of bases that are not equal.
    """
    if not compiled.reads_facts_only:
        answer = _over_kept_parts(session, compiled)
        execute(session, temporary_table(compiled.kept_as, answer, replace=False), compiled.table)
    return compiled.kept_as


def base_and_rule(session: SessionLike, compiled: Compiled) -> tuple[Query, tuple[Threshold, ...]]:
    """Return what to select the members from, and by which rule.

    A base that nobody else asks for, and that no percentile is taken of, is not kept: of it only the members are
    written.
    """
    if compiled.shared or compiled.reads_facts_only or any(limit.percentile for limit in compiled.rule):
        base = keep_base(session, compiled)
        return Query(f'"{base}"'), settle_rule(session, compiled, base)
    answer = _over_kept_parts(session, compiled)
    return Query(f"({answer.sql}\n)", answer.values), compiled.rule


def _over_kept_parts(session: SessionLike, compiled: Compiled) -> Query:
    kept = {}
    for part, statement in compiled.parts.items():
        query = compiled.query_of_part(part)
        table = _kept_name("part", session, query, compiled.digest if "prepared" in statement.tables else "")
        execute(session, temporary_table(table, query, replace=False), compiled.table)
        kept[part] = f"select * from {table}"
    return compiled.over_parts(kept)


def _kept_name(kind: str, session: SessionLike, query: Query, prepared: str) -> str:
    text = repr((query.sql, sorted(query.values.items(), key=lambda item: item[0]), session.as_of, prepared))
    return f"{kind}_{sha256(text.encode()).hexdigest()[:16]}"


class _Digest(RawIOBase):
    """A file of which nothing is kept but its digest."""

    def __init__(self) -> None:
        self.sha = sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha.update(data)
        return len(data)


def _digest(table: Any) -> str:
    """Return a digest of an Arrow table's schema and values."""
    import pyarrow as pa  # noqa: PLC0415  # heavy, and few strategies bring a table

    file = _Digest()
    with pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return file.sha.hexdigest()


def execute(session: SessionLike, query: Query, prepared: Any = None) -> list[tuple[Any, ...]]:
    """Run a query and return its rows; ``prepared`` is an Arrow table that it may read under that name."""
    if prepared is None:
        return session.con.execute(query.sql, query.values).fetchall()
    session.con.register("prepared", prepared)
    try:
        return session.con.execute(query.sql, query.values).fetchall()
    finally:
        session.con.unregister("prepared")


def settle_rule(session: SessionLike, compiled: Compiled, table: str) -> tuple[Threshold, ...]:
    """Return the rule with every percentile replaced by its value over the base."""
    return tuple(
        limit if limit.percentile is None else _value_at(session, table, limit, limit.percentile)
        for limit in compiled.rule
    )


def _value_at(session: SessionLike, table: str, limit: Threshold, percentile: Percentile) -> Threshold:
    """Find a percentile by nearest rank: rank max(1, ceil(percent / 100 * n)) of the n values that are known."""
    count = int(execute(session, known_values(table, [percentile.column]))[0][1])
    if count == 0:
        return replace(limit, bound=None, people=0)
    percent = Decimal(str(percentile.percent))
    if not 0 <= percent <= 100:
        raise PluginError(f"a percentile must lie between 0 and 100, not {percent}")
    # Decimal, because 0.07 * 100 is more than 7 in floating point and the rank would be off by one.
    rank = max(1, int((percent * count / 100).to_integral_value(ROUND_CEILING)))
    value = execute(session, value_at_rank(table, percentile.column, rank, count))[0][0]
    return replace(limit, bound=value, people=count)


def described(definition: Definition, error: Exception) -> PluginError:
    """Put segment, strategy and distribution before what went wrong."""
    if definition.strategy is None:
        return PluginError(f"segment {definition.name!r}: {error}", next_step=_next_step(error))
    kind = type(definition.strategy)
    package = kind.__module__.partition(".")[0]
    distribution = next(iter(packages_distributions().get(package, ())), package)
    return PluginError(
        f"segment {definition.name!r}: strategy {kind.name!r} of {distribution} failed: {safe_error(error)}",
        next_step=_next_step(error),
    )


def _next_step(error: Exception) -> str | None:
    if isinstance(error, HubError):
        return error.next_step
    if is_out_of_memory(error):
        return MORE_MEMORY
    return "Correct what it reads or how; `hub --debug segments preview` shows the whole error, values included."
