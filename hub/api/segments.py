"""Segment strategies: who belongs together, and why.

A strategy is a pure function of catalog, settings and ``as_of``. Mostly it is data: a *base* (a select with
one row per person) and a *rule* (conditions on the base's columns that must all hold). hub puts the query
together, runs equal bases once, and explains any person by the condition that decided.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from hub.api.settings import Config
from hub.api.tables import Table

SegmentConfigT = TypeVar("SegmentConfigT", bound=Config)
AnswerT = TypeVar("AnswerT")


class Test(StrEnum):
    """How a condition compares a column with its bound."""

    AT_LEAST = ">="
    AT_MOST = "<="
    MORE_THAN = ">"
    LESS_THAN = "<"
    EQUALS = "="
    WITHIN = "within"
    NOT_WITHIN = "not within"
    IS = "is"
    ONE_OF = "one of"
    HAS_ANY = "has any of"
    HAS_ALL = "has all of"
    HAS_NONE = "has none of"
    BEGINS_WITH = "begins with one of"


@dataclass(frozen=True, slots=True)
class Percentile:
    """The value at a percentile of a column over the base, by nearest rank.

    With n values sorted ascending it is the value at rank ``max(1, ceil(percent / 100 * n))``; missing
    values do not count. ``percent`` is a number from 0 to 100 or the name of a setting (``"$percentile"``).
    """

    column: str
    percent: float | str


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """The value of another column of the base, for a bound that differs from person to person."""

    column: str


Bound = Any
"""A value, the name of a setting (``"$min_spend"``), a Percentile or a ColumnValue."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule; made by ``at_least`` and its sisters.

    A condition whose setting is None is left out; so is one whose ``unless`` setting is not None, and one whose
    ``when`` names a setting and a value that it does not have. A missing value in the column is "insufficient data":
    the person is out, with that reason. Texts are compared with lists of texts whatever their case.
    """

    column: str
    test: Test
    bound: Bound
    unless: str | None = None
    when: tuple[str, Any] | None = None


_When = tuple[str, Any] | None


def at_least(column: str, bound: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand ``column >= bound``."""
    return Condition(column, Test.AT_LEAST, bound, unless, when)


def at_most(column: str, bound: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand ``column <= bound``."""
    return Condition(column, Test.AT_MOST, bound, unless, when)


def more_than(column: str, bound: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand ``column > bound``."""
    return Condition(column, Test.MORE_THAN, bound, unless, when)


def less_than(column: str, bound: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand ``column < bound``."""
    return Condition(column, Test.LESS_THAN, bound, unless, when)


def equals(column: str, bound: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand ``column = bound``."""
    return Condition(column, Test.EQUALS, bound, unless, when)


def within(column: str, window: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a time in the half-open window ``as_of - window < column <= as_of``."""
    return Condition(column, Test.WITHIN, window, unless, when)


def not_within(column: str, window: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a time at or before ``as_of - window``."""
    return Condition(column, Test.NOT_WITHIN, window, unless, when)


def one_of(column: str, texts: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a text that is one of a list."""
    return Condition(column, Test.ONE_OF, texts, unless, when)


def has_any(column: str, texts: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a list of texts that shares at least one with another list."""
    return Condition(column, Test.HAS_ANY, texts, unless, when)


def has_all(column: str, texts: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a list of texts that holds all of another list."""
    return Condition(column, Test.HAS_ALL, texts, unless, when)


def has_none(column: str, texts: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a list of texts that shares none with another list."""
    return Condition(column, Test.HAS_NONE, texts, unless, when)


def begins_with(column: str, texts: Bound, *, unless: str | None = None, when: _When = None) -> Condition:
    """Demand a text that begins with one of a list."""
    return Condition(column, Test.BEGINS_WITH, texts, unless, when)


def percentile(column: str, percent: float | str) -> Percentile:
    """Name the value at a percentile of the base, by nearest rank."""
    return Percentile(column, percent)


def column_value(column: str) -> ColumnValue:
    """Name another column of the base, whose value for the same person is the bound."""
    return ColumnValue(column)


@dataclass(frozen=True, slots=True)
class Base:
    """A select with one row per person.

    ``sql`` reads canonical tables, ``people`` and ``facts``; settings and ``as_of`` are bound by name
    (``$window``, ``$as_of``; durations are intervals). It yields ``person_id`` and the columns that rules and
    evidence use. ``absent`` says in words what it means not to be in it; ``{window}`` is filled in.
    ``units`` says per column what a value is (``money``, ``orders``, ``time``), for explanations; ``ever`` names
    columns that look back further than the base's one window. ``parts`` are selects that ``sql`` reads by name as
    if they stood in a ``with`` before it. Each is computed once for all segments whose bases have it with equal
    values: what depends on fewer settings than the rest belongs into one. A part does not read another one.
    """

    name: str
    sql: str
    absent: str
    units: dict[str, str] = field(default_factory=dict)
    ever: tuple[str, ...] = ()
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """Return the select with its parts in it."""
        return self.reading(self.parts)

    def reading(self, parts: Mapping[str, str]) -> str:
        """Return the select with these selects in the place of its parts."""
        if not parts:
            return self.sql
        told = ",\n".join(f'"{name}" as (\n{sql}\n)' for name, sql in parts.items())
        return f"with {told}\nselect * from (\n{self.sql}\n) as base"


FACTS = Base("facts", "select * from facts", "not known to the shop")
"""The default base: every person's facts."""

BOUGHT_IN_WINDOW = """
select
    person_id, count(*) as orders, sum(net)::decimal(18, 2) as spend,
    count(*) filter (where discounted) as discounted_orders,
    count(*) filter (where discounted) / count(*) as discounted_share,
    round((coalesce(sum(discount), 0) / nullif(sum(net) + coalesce(sum(discount), 0), 0))::double, 4)
        as discount_share_of_value,
    max(placed_at) as last_order_at
from purchases
where placed_at > $as_of - $window and placed_at <= $as_of
group by person_id
"""
"""A part for bases over what people bought in a setting ``window``, a row per buyer; computed once for all of them."""


class Need(StrEnum):
    """What must be true of the data for a strategy's answer to be right."""

    ORDERS = "orders"
    ORDER_LINES = "order_lines"
    CARTS = "carts"
    EVENTS = "events"
    ENGAGEMENT = "engagement"
    TRAITS = "traits"
    ORDERS_AS_FRESH_AS_CARTS = "orders as fresh as carts"


class Reader(Protocol):
    """A read-only look at the catalog as of the run, for ``prepare``.

    ``timezone`` is the shop's IANA time zone, for seasons and ages.
    """

    @property
    def timezone(self) -> str:
        """Return the shop's IANA time zone, such as ``Europe/Copenhagen``."""

    def table(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        """Return the answer to a select as an Arrow table; strategies that ask the same share it."""

    def once(self, work: Callable[..., AnswerT], *arguments: Hashable) -> AnswerT:
        """Return ``work(catalog, *arguments)``, done once for all strategies that ask for it with equal arguments.

        For what costs more than a select and is the same for several strategies, such as a fitted model. ``work`` is
        a function of a module, so that it is the same one each time, and pure in catalog and arguments.
        """


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``prepare`` adds to the select: further parameters and an Arrow table named ``prepared``.

    A parameter with the name of a setting takes its place. Segments whose selects, parameters and tables are equal
    share one base. ``notes`` are sentences for the user: what was fitted, what
    the data could not say. ``refused`` says why there is no answer, such as too few people to rank: the segment and
    what is made of it then have none, and audiences stay as they are.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    table: Any = None
    notes: tuple[str, ...] = ()
    refused: str | None = None


class Segment(Generic[SegmentConfigT]):
    """Compute one segment.

    A subclass declares ``name``, ``version`` (raised when the meaning changes), ``Config``, and either
    ``base`` with ``rule`` or ``sql``. ``evidence`` names the columns that say why someone is in; a sync may
    send them as attributes. ``needs`` names the tables without which the answer would be wrong;
    ``windows`` the settings that look back, so that a window longer than the history is said. Where any of these
    depends on the settings, ``__init__`` sets it anew. A ``starter`` that needs no setting stands in the file of
    every new client.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Config: ClassVar[type[Config]]
    starter: ClassVar[bool] = True
    tables: ClassVar[tuple[Table, ...]] = ()
    base: Base = FACTS
    rule: tuple[Condition, ...] = ()
    sql: str | None = None
    explain_sql: str | None = None
    evidence: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    windows: tuple[str, ...] = ()

    def __init__(self, config: SegmentConfigT) -> None:
        self.config = config

    def prepare(self, catalog: Reader, as_of: datetime) -> Prepared:
        """Compute what SQL cannot say (a fitted model, frozen cut points); pure in catalog and ``as_of``.

        Strategies of a run prepare side by side, each in a thread; the catalog answers one at a time.
        """
        return Prepared()
