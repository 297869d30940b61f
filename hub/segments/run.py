"""Run segments at one instant: each into a temporary table of its members and their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from hub.api import PluginError, Segment
from hub.catalog import FACT_COLUMNS
from hub.segments.definitions import Definition, in_order
from hub.segments.freshness import missing_tables, short_history, stale_orders
from hub.segments.narrowing import narrowed, settled
from hub.segments.reading import SharedSession
from hub.segments.result import STALE_SOURCE, SegmentResult
from hub.segments.session import SessionLike
from hub.segments.statements import (
    PERSON,
    Operand,
    Query,
    combination,
    different_people,
    known_of_some,
    known_people,
    known_values,
    members,
    quoted,
    temporary_table,
)
from hub.segments.strategies import (
    Compiled,
    base_and_rule,
    compile_strategy,
    described,
    execute,
    fact_columns,
    keep_base,
)
from hub.segments.words import label

MAX_LAG = timedelta(hours=1)
SOME = 1000
"""How many people are asked first whether a column is known."""
AT_ONCE = 8
"""How many strategies prepare at a time."""

T = TypeVar("T")


def run_segments(
    session: SessionLike,
    definitions: Iterable[Definition],
    wanted: Iterable[str] | None = None,
    *,
    max_lag: timedelta = MAX_LAG,
    facts: Iterable[str] = (),
) -> dict[str, SegmentResult]:
    """Compute the wanted segments, and all that they depend on.

    ``facts`` are columns that somebody else will read afterwards: named here, the facts are computed once. A strategy
    that fails gives a result with its ``error``; only the combinations that need it fail with it.

    Raises:
        ConfigError: an unknown segment, or segments made of each other in a circle.
    """
    chosen = in_order(definitions, wanted)
    compiled = compile_all(session, chosen)
    prepare_facts(session, [each for each in compiled.values() if isinstance(each, Compiled)], facts)
    results: dict[str, SegmentResult] = {}
    for definition in chosen:
        results[definition.name] = _result(session, definition, compiled, results, max_lag)
    return {definition.name: settled(session, definition, results) for definition in chosen}


def compile_all(session: SessionLike, chosen: Iterable[Definition]) -> dict[str, Compiled | PluginError]:
    """Make every strategy ready to run; one that cannot be is there with its error."""
    own = [each for each in chosen if each.strategy is not None or each.error is not None]
    ready = _side_by_side(SharedSession(session), own)
    asked = Counter(each.kept_as for each in ready.values() if isinstance(each, Compiled))
    return {
        name: replace(each, shared=asked[each.kept_as] > 1) if isinstance(each, Compiled) else each
        for name, each in ready.items()
    }


def _side_by_side(shared: SharedSession, definitions: Sequence[Definition]) -> dict[str, Compiled | PluginError]:
    """Compile definitions, those that prepare something side by side: while one computes, another asks the catalog."""

    def work(definition: Definition) -> Compiled | PluginError:
        return isolated(definition, partial(compile_strategy, shared, definition))

    preparing = [each for each in definitions if each.strategy is not None and _prepares(each.strategy)]
    if len(preparing) < 2:
        return {each.name: work(each) for each in definitions}
    with ThreadPoolExecutor(min(len(preparing), AT_ONCE)) as pool:
        begun = {each.name: pool.submit(work, each) for each in preparing}
        return {each.name: begun[each.name].result() if each.name in begun else work(each) for each in definitions}


def _prepares(strategy: Segment[Any]) -> bool:
    return type(strategy).prepare is not Segment.prepare


def prepare_facts(session: SessionLike, compiled: Sequence[Compiled], also: Iterable[str] = ()) -> None:
    """Have the facts made that these strategies read, and some others, once for all of them."""
    reading = [each for each in compiled if "facts" in each.statement.tables]
    others = frozenset(also)
    if reading or others:
        columns = fact_columns(reading)
        session.prepare_facts(None if columns is None else sorted((columns & FACT_COLUMNS) | others))


def isolated(definition: Definition, work: Callable[[], T]) -> T | PluginError:
    """Do a plugin's work; return what went wrong instead of raising it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the one place where a strategy's fault is kept from the others
        failure = described(definition, error)
        failure.__cause__ = error
        return failure


def _result(
    session: SessionLike,
    definition: Definition,
    compiled: dict[str, Compiled | PluginError],
    results: dict[str, SegmentResult],
    max_lag: timedelta,
) -> SegmentResult:
    ready = compiled.get(definition.name)
    if isinstance(ready, PluginError):
        made: SegmentResult | PluginError = ready
    else:
        made = isolated(definition, lambda: _computed(session, definition, ready, results, max_lag))
    if isinstance(made, SegmentResult):
        return made
    return SegmentResult(definition.name, None, 0, settings=definition.settings, error=made)


def _computed(
    session: SessionLike,
    definition: Definition,
    compiled: Compiled | None,
    results: dict[str, SegmentResult],
    max_lag: timedelta,
) -> SegmentResult:
    if compiled is None:
        return narrowed(session, definition, _run_combination(session, definition, results))
    return narrowed(session, definition, _run_strategy(session, definition, compiled, max_lag))


def _run_strategy(
    session: SessionLike, definition: Definition, compiled: Compiled, max_lag: timedelta
) -> SegmentResult:
    strategy = compiled.strategy
    missing = missing_tables(session, strategy)
    stale = None if missing else stale_orders(session, strategy, max_lag)
    notes = [f"no source gives {table}, so nobody can be in this segment" for table in missing]
    notes += [stale] if stale else []
    notes += [*short_history(session, strategy, definition.settings), *compiled.notes]
    table: str | None = definition.table
    count = 0
    if compiled.refused is not None:
        table = None
        notes.append(compiled.refused)
    elif missing:
        execute(session, _empty(definition, compiled), compiled.table)
    else:
        _select_members(session, definition, compiled)
        # The facts have each person once, whatever the rule leaves of them.
        count = _size(session, definition) if compiled.reads_facts_only else _count(session, definition)
        notes += [] if count or strategy.sql else _never_known(session, compiled)
    return SegmentResult(
        definition.name,
        table,
        count,
        tuple(strategy.evidence),
        tuple(notes),
        f"{strategy.name} {strategy.version}",
        definition.settings,
        (STALE_SOURCE,) if stale else (),
        reads=compiled.reads,
        refused=compiled.refused,
        no_past=compiled.no_past,
    )


def _empty(definition: Definition, compiled: Compiled) -> Query:
    source = members(compiled.query, compiled.strategy.evidence, (), none=True)
    return temporary_table(definition.table, source)


def _select_members(session: SessionLike, definition: Definition, compiled: Compiled) -> None:
    source, rule = (compiled.query, ()) if compiled.strategy.sql else base_and_rule(session, compiled)
    conditions = [limit.sql(number, session.as_of) for number, limit in enumerate(rule)]
    chosen = members(source, compiled.strategy.evidence, conditions)
    execute(session, temporary_table(definition.table, chosen), compiled.table)


def _count(session: SessionLike, definition: Definition) -> int:
    """Count the members, each of whom must be there once."""
    rows, known, least, most = execute(session, known_people(definition.table))[0]
    if known != rows:
        raise PluginError("the select gives rows without a person_id")
    people = _different(session, definition.table, rows, least, most)
    if people != rows:
        raise PluginError(f"the select gives {rows - people} people more than once; it must have one row per person")
    return int(rows)


def _different(session: SessionLike, table: str, rows: int, least: Any, most: Any) -> int:
    """Count the different persons of a table: by bits where those take no more room than the rows."""
    if rows and isinstance(least, int) and most - least < 64 * rows:
        query = different_people(table, least, most)
    else:
        query = Query(f"select count(distinct {PERSON}) from {quoted(table)}")
    return int(execute(session, query)[0][0])


def _size(session: SessionLike, definition: Definition) -> int:
    return int(execute(session, known_values(definition.table, []))[0][0])


def _never_known(session: SessionLike, compiled: Compiled) -> list[str]:
    """Name the columns of the rule that are missing for everybody, where nobody is a member."""
    columns = list(dict.fromkeys(limit.condition.column for limit in compiled.rule))
    if all(execute(session, known_of_some(compiled.query, columns, SOME), compiled.table)[0]):
        return []
    base = keep_base(session, compiled)
    rows, *known = execute(session, known_values(base, columns))[0]
    names = [label(column) for column, count in zip(columns, known, strict=True) if rows and not count]
    return [f"{name} is not known for anybody, so nobody is in this segment" for name in names]


def _run_combination(session: SessionLike, definition: Definition, results: dict[str, SegmentResult]) -> SegmentResult:
    for name in definition.operands:
        failed = results[name].error
        if failed is not None:
            raise PluginError(f"it is made of segment {name!r}, which failed: {failed}", next_step=failed.next_step)
    parts = [results[name] for name in definition.operands]
    without = next((part for part in parts if part.table is None), None)
    if without is not None:
        refused = f"it is made of segment {without.name!r}, which has no answer: {without.refused}"
        return SegmentResult(definition.name, None, 0, notes=(refused,), refused=refused)
    needed = [_operand(results[name]) for name in dict.fromkeys(definition.all)]
    alternatives = [_operand(results[name]) for name in dict.fromkeys(definition.any)]
    barred = [_operand(results[name]).table for name in dict.fromkeys(definition.none)]
    execute(session, temporary_table(definition.table, combination(needed, alternatives, barred)))
    return SegmentResult(
        definition.name,
        definition.table,
        _count(session, definition),
        tuple(dict.fromkeys(column for operand in (*needed, *alternatives) for column in operand.evidence)),
        tuple(dict.fromkeys(note for part in parts for note in _notes_of(part))),
        _composed(definition, results),
        codes=tuple(dict.fromkeys(code for part in parts for code in part.codes)),
        reads=frozenset().union(*(part.reads for part in parts)),
        no_past=tuple(dict.fromkeys(words for part in parts for words in part.no_past)),
    )


def _operand(result: SegmentResult) -> Operand:
    return Operand(result.table or "", result.evidence)


def _notes_of(part: SegmentResult) -> list[str]:
    """Return an operand's notes, each with the name of the strategy's segment that it is about."""
    combined = not part.settings and part.version.startswith(("all(", "any(", "none("))
    return [note if combined else f"{part.name}: {note}" for note in part.notes]


def _composed(definition: Definition, results: dict[str, SegmentResult]) -> str:
    kinds = (("all", definition.all), ("any", definition.any), ("none", definition.none))
    return " ".join(f"{kind}({', '.join(results[name].version for name in names)})" for kind, names in kinds if names)
