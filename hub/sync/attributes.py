"""Attributes: what a destination is told about a member besides the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.catalog import FACT_COLUMNS
from hub.config.models import SyncSettings, as_column
from hub.config.problems import suggest
from hub.consent.cleared import Cleared
from hub.errors import ConfigError
from hub.segments import SegmentResult
from hub.sql import digest_of, quoted

if TYPE_CHECKING:
    import duckdb

PEOPLE_COLUMNS = frozenset(
    [
        "first_name",
        "last_name",
        "country",
        "region",
        "city",
        "postcode",
        "locale",
        "birth_date",
        "gender",
        "tags",
        "created_at",
        "customer_id",
    ]
)
_ADDRESSES = {"email": "c.email", "phone": "c.phone"}


@dataclass(frozen=True, slots=True)
class Attributes:
    """Theirs = ours, each found in the segment's evidence, else the facts, else the person's profile."""

    columns: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, settings: SyncSettings, result: SegmentResult, usable: Sequence[str] | None = None) -> Attributes:
        """Find the attributes that a sync sends: those it names, else the segment's evidence and the given name.

        Where the destination can use some attributes only, others are a mistake, and a sync that names none sends
        the country: what it cannot use must not make it write again when it changes.

        Raises:
            ConfigError: a column that nothing has, or an attribute of no use, with the ones there are.
        """
        named = settings.attributes or {name: name for name in _unnamed(result, usable)}
        if usable is not None and (useless := sorted(named.keys() - set(usable))):
            raise ConfigError(
                f"{settings.destination} can do nothing with the attribute {useless[0]!r}; "
                f"{suggest(useless[0], usable)}",
                next_step="Take it out of the sync's attributes, or correct the name on its left.",
            )
        return cls(tuple((theirs, _alias(ours, result, theirs), ours) for theirs, ours in named.items()))

    @property
    def reads_facts(self) -> bool:
        """Tell whether a column comes from the facts."""
        return any(alias == "f" for _, alias, _ in self.columns)


def _unnamed(result: SegmentResult, usable: Sequence[str] | None) -> tuple[str, ...]:
    if usable is None:
        known = {as_column(name) for name in result.evidence}
        return result.evidence if as_column("first_name") in known else (*result.evidence, "first_name")
    return tuple(name for name in ("country",) if name in usable)


def fingerprint(cleared: Cleared, attributes: Attributes, segment_table: str) -> str:
    """Return what tells these members and their attributes from any others, without making a table of them."""
    names = "|".join(theirs for theirs, _, _ in attributes.columns)
    columns = ", ".join(f"{alias}.{quoted(ours)}" for _, alias, ours in attributes.columns)
    return f"{cleared.digest(columns, _joins(attributes, segment_table))} {names}"


def digest_of_segment(con: duckdb.DuckDBPyConnection, attributes: Attributes, segment_table: str) -> str:
    """Return what tells a segment's members and what it says of them from any others."""
    columns = ["person_id", *(quoted(ours) for _, alias, ours in attributes.columns if alias == "s")]
    [(digest,)] = con.execute(f"select {digest_of(', '.join(columns))} from {segment_table}").fetchall()
    return f"{digest} {attributes.columns}"


def attach(cleared: Cleared, attributes: Attributes, segment_table: str) -> Cleared:
    """Attach attributes (columns ``a_…``) and the hash of all that is sent about a member.

    The hash covers identifiers and attributes; the data hash, which decides whether a refused member is worth
    another try, is the same.
    """
    values = [(theirs, f"{alias}.{quoted(ours)}") for theirs, alias, ours in attributes.columns]
    columns = [f"{value} as {quoted(f'a_{theirs}')}" for theirs, value in values]
    told = ", ".join(f"{_text(name)}: {value}" for name, value in [*_ADDRESSES.items(), *_apart(values)])
    digest = f"md5(cast({{{told}}} as varchar))"
    columns += [f"{digest} as attributes_hash", f"{digest} as data_hash"]
    return cleared.attach(", ".join(columns), _joins(attributes, segment_table))


def _apart(values: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return the attributes under names that no address has. Who changes a name changes every member's hash."""
    addresses = {as_column(name) for name in _ADDRESSES}
    if addresses.isdisjoint(as_column(theirs) for theirs, _ in values):
        return values
    return [(f"a_{theirs}", value) for theirs, value in values]


def _text(value: str) -> str:
    """Return a text in single quotes."""
    return "'" + value.replace("'", "''") + "'"


def _joins(attributes: Attributes, segment_table: str) -> str:
    """Join what the attributes are found in, and nothing else."""
    tables = {"s": segment_table, "p": "people", "f": "facts"}
    used = {alias for _, alias, _ in attributes.columns}
    return " ".join(f"left join {tables[alias]} as {alias} using (person_id)" for alias in tables if alias in used)


def _alias(ours: str, result: SegmentResult, theirs: str) -> str:
    if ours in result.evidence:
        return "s"
    if ours in PEOPLE_COLUMNS:
        return "p"
    if ours in FACT_COLUMNS:
        return "f"
    known = sorted({*result.evidence, *FACT_COLUMNS, *PEOPLE_COLUMNS})
    raise ConfigError(f"attribute {theirs!r}: nothing has a column {ours!r}; there are {', '.join(known)}")
