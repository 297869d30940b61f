"""Why one person is, or is not, in a segment: the condition that decided, with what it saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from hub.api import ColumnValue, PluginError, Test
from hub.segments.check import Checker
from hub.segments.definitions import Definition, in_order
from hub.segments.freshness import missing_tables, short_history, stale_orders
from hub.segments.narrowing import left_out
from hub.segments.run import MAX_LAG, compile_all, isolated, prepare_facts, run_segments
from hub.segments.sentences import Observed, Verdict, sentence
from hub.segments.session import SessionLike
from hub.segments.statements import Query, one_person
from hub.segments.strategies import Compiled, Threshold, keep_base, settle_rule
from hub.segments.words import written


@dataclass(frozen=True, slots=True)
class Explanation:
    """A person's place in a segment.

    Attributes:
        member: whether the person is in; None where the segment has no answer.
        reason: what decided, in words.
        conditions: the rule's conditions in order, each with what it saw.
        evidence: the values that a sync could send.
        branches: for a combination, the explanations of what it is made of.
        decided_by: for a combination, the operand that decided.
        notes: what the data could not say.
    """

    segment: str
    member: bool | None
    reason: str
    conditions: tuple[Observed, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    branches: tuple[Explanation, ...] = ()
    decided_by: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def deciding(self) -> Observed | None:
        """Return the first condition that failed, or the last one where all passed; a combination asks its branch."""
        if self.decided_by is not None:
            return next(branch.deciding for branch in self.branches if branch.segment == self.decided_by)
        failed = (each for each in self.conditions if each.verdict is not Verdict.PASSED)
        return next(failed, self.conditions[-1] if self.conditions else None)


def explain(
    session: SessionLike,
    definitions: Iterable[Definition],
    name: str,
    person_id: int,
    *,
    max_lag: timedelta = MAX_LAG,
) -> Explanation:
    """Explain why a person is in the named segment or not; combinations branch by branch, priority last.

    Raises:
        ConfigError: an unknown segment, or segments made of each other in a circle.
    """
    known = tuple(definitions)
    chosen = in_order(known, [name])
    compiled = compile_all(session, chosen)
    prepare_facts(session, [each for each in compiled.values() if isinstance(each, Compiled)])
    told: dict[str, Explanation] = {}
    for definition in chosen:
        ready = compiled.get(definition.name)
        if ready is None:
            told[definition.name] = _combination(definition, told)
        elif isinstance(ready, Compiled):
            told[definition.name] = _strategy(session, definition, ready, person_id, max_lag)
        else:
            told[definition.name] = Explanation(definition.name, None, str(ready))
        if told[definition.name].member and definition.limit is not None:
            run_segments(session, known, [definition.name], max_lag=max_lag)
        told[definition.name] = _narrowed(session, definition, told[definition.name], person_id)
    asked = next(definition for definition in chosen if definition.name == name)
    return _after_earlier(told[name], [told[each] for each in asked.earlier])


def _narrowed(session: SessionLike, definition: Definition, told: Explanation, person_id: int) -> Explanation:
    """Return the explanation after sample and limit."""
    reason = left_out(session, definition, person_id, told.evidence) if told.member else None
    return told if reason is None else replace(told, member=False, reason=reason, conditions=(), evidence={})


def _after_earlier(told: Explanation, earlier: Sequence[Explanation]) -> Explanation:
    """Return the explanation after priority: the first segment of the list that has the person keeps them."""
    for each in earlier:
        if told.member and each.member is not False:
            first = f"in {each.segment}" if each.member else f"{each.segment} has no answer, and it"
            reason = f"{first}, which comes first in the priority list: {each.reason}"
            member = False if each.member else None
            return replace(
                told, member=member, reason=reason, conditions=(), evidence={}, branches=(*told.branches, each),
                decided_by=each.segment,
            )  # fmt: skip
    return told


def _strategy(
    session: SessionLike, definition: Definition, compiled: Compiled, person_id: int, max_lag: timedelta
) -> Explanation:
    made = isolated(definition, lambda: _explained(session, definition, compiled, person_id, max_lag))
    return made if isinstance(made, Explanation) else Explanation(definition.name, None, str(made))


def _explained(
    session: SessionLike, definition: Definition, compiled: Compiled, person_id: int, max_lag: timedelta
) -> Explanation:
    strategy = compiled.strategy
    if compiled.refused is not None:
        return Explanation(definition.name, None, compiled.refused, notes=compiled.notes)
    missing = missing_tables(session, strategy)
    if missing:
        return Explanation(definition.name, False, f"no source gives {' or '.join(missing)}")
    stale = stale_orders(session, strategy, max_lag)
    notes = (*((stale,) if stale else ()), *short_history(session, strategy, definition.settings), *compiled.notes)
    if strategy.sql:
        return _by_own_select(session, compiled, person_id, notes)
    return _by_rule(session, compiled, person_id, notes)


def _by_rule(session: SessionLike, compiled: Compiled, person_id: int, notes: tuple[str, ...]) -> Explanation:
    source, rule = _source(session, compiled)
    tests = [limit.sql(number, session.as_of) for number, limit in enumerate(rule)]
    row = _row(session, one_person(source, person_id, tests), compiled.table)
    if row is None:
        return Explanation(compiled.name, False, _absence(compiled), notes=notes)
    observed = tuple(_observed(session, compiled, limit, row, number) for number, limit in enumerate(rule))
    failed = [each for each in observed if each.verdict is not Verdict.PASSED]
    reason = "; ".join(sentence(each) for each in (failed[:1] or observed)) or "no condition is set"
    evidence = {} if failed else {name: row[name] for name in compiled.strategy.evidence}
    return Explanation(compiled.name, not failed, reason, observed, evidence, notes=notes)


def _source(session: SessionLike, compiled: Compiled) -> tuple[Query, tuple[Threshold, ...]]:
    """Return where the person's row is; only a percentile needs everybody's."""
    if not any(limit.percentile for limit in compiled.rule):
        return compiled.query, compiled.rule
    base = keep_base(session, compiled)
    return Query(f'"{base}"'), settle_rule(session, compiled, base)


def _row(session: SessionLike, query: Query, prepared: Any) -> dict[str, Any] | None:
    rows = _rows(session, query, prepared)
    if len(rows) > 1:
        raise PluginError(f"the select gives the person {len(rows)} times; it must have one row per person")
    return rows[0] if rows else None


def _rows(session: SessionLike, query: Query, prepared: Any) -> list[dict[str, Any]]:
    if prepared is not None:
        session.con.register("prepared", prepared)
    try:
        answer = session.con.execute(query.sql, query.values)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    finally:
        if prepared is not None:
            session.con.unregister("prepared")


def _observed(session: SessionLike, compiled: Compiled, limit: Threshold, row: dict[str, Any], number: int) -> Observed:
    condition = limit.condition
    value = row[condition.column]
    threshold = row[limit.bound.column] if isinstance(limit.bound, ColumnValue) else limit.bound
    verdict = Verdict.PASSED if row[f"hub_test_{number}"] else Verdict.FAILED
    if condition.test is not Test.IS and (value is None or row[f"hub_test_{number}"] is None):
        verdict = Verdict.INSUFFICIENT_DATA
    return Observed(
        condition.column,
        value,
        condition.test,
        threshold,
        verdict,
        session.as_of,
        compiled.strategy.base.units.get(condition.column),
        None if limit.percentile is None else limit.percentile.percent,  # type: ignore[arg-type]  # filled in by the rule
        limit.people,
        None if condition.column in compiled.strategy.base.ever else _window(compiled),
    )


def _window(compiled: Compiled) -> timedelta | None:
    """Return the one length of time that the base itself looks back over, if there is one."""
    found = [compiled.values[name] for name in compiled.statement.parameters]
    lengths = [value for value in found if isinstance(value, timedelta)]
    return lengths[0] if len(lengths) == 1 else None


def _absence(compiled: Compiled) -> str:
    words = {name: written(value) for name, value in compiled.values.items()}
    return compiled.strategy.base.absent.format_map(words)


def _by_own_select(session: SessionLike, compiled: Compiled, person_id: int, notes: tuple[str, ...]) -> Explanation:
    row = _row(session, one_person(compiled.query, person_id), compiled.table)
    said = _said(session, compiled, person_id)
    evidence = {} if row is None else {name: row[name] for name in compiled.strategy.evidence}
    failed = [text for text, passed in said if not passed]
    chosen = failed[:1] if row is None and failed else [text for text, _passed in said]
    default = "the strategy's select has the person" if row else "the strategy's select does not have the person"
    return Explanation(compiled.name, row is not None, "; ".join(chosen) or default, evidence=evidence, notes=notes)


def _said(session: SessionLike, compiled: Compiled, person_id: int) -> list[tuple[str, bool | None]]:
    """Run ``explain_sql``: a row per condition with what it says (``condition``) and whether it holds (``passed``)."""
    sql = compiled.strategy.explain_sql
    if sql is None:
        return []
    own = [table.name for table in compiled.strategy.tables]
    statement = Checker(session.con).read(sql, own)
    values = dict(compiled.values) | {"person_id": person_id}
    unknown = sorted(statement.parameters - set(values))
    if unknown:
        raise PluginError(f"explain_sql names ${unknown[0]}, which is no setting")
    bound = {name: values[name] for name in statement.parameters}
    rows = _rows(session, Query(statement.sql, bound), compiled.table)
    return [(str(row["condition"]), row["passed"]) for row in rows]


def _combination(definition: Definition, told: dict[str, Explanation]) -> Explanation:
    branches = tuple(told[name] for name in definition.operands)
    notes = tuple(dict.fromkeys(note for branch in branches for note in branch.notes))
    unanswered = next((branch for branch in branches if branch.member is None), None)
    if unanswered is not None:
        reason = f"{unanswered.segment} has no answer: {unanswered.reason}"
        return Explanation(definition.name, None, reason, branches=branches, decided_by=unanswered.segment)
    member, decided_by, reason = _decision(definition, told)
    evidence: dict[str, Any] = {}
    if member:
        for name in (*definition.all, *definition.any):
            evidence = told[name].evidence | evidence
    return Explanation(definition.name, member, reason, (), evidence, branches, decided_by, notes)


def _decision(definition: Definition, told: dict[str, Explanation]) -> tuple[bool, str | None, str]:
    """Find the branch that decided: the first that keeps the person out, else the one that lets them in."""
    for name in definition.all:
        if not told[name].member:
            return False, name, f"not in {name}: {told[name].reason}"
    open_doors: Sequence[str] = [name for name in definition.any if told[name].member]
    if definition.any and not open_doors:
        each = "; ".join(f"{name}: {told[name].reason}" for name in definition.any)
        return False, definition.any[0], f"in none of {', '.join(definition.any)}: {each}"
    for name in definition.none:
        if told[name].member:
            return False, name, f"in {name}, which is left out: {told[name].reason}"
    entered = [*definition.all, *open_doors[:1]]
    reasons = [f"in {name}: {told[name].reason}" for name in entered]
    reasons += [f"not in {', '.join(definition.none)}"] if definition.none else []
    return True, entered[0] if entered else None, "; ".join(reasons)
