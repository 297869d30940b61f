"""Checks of extensions that may only withhold: their selects, read and run on a run's session."""

from __future__ import annotations

from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb

from hub.api import PluginError, Withholding
from hub.catalog import FACT_COLUMNS, MORE_MEMORY, canonical_tables, is_out_of_memory, safe_error, tables_behind
from hub.consent.rules import GROUNDS, rulebook
from hub.errors import HubError
from hub.plan.diff import OWN_CODES, Withheld
from hub.plugins import Entry, Extensions
from hub.segments import Checker, Statement
from hub.segments.reading import bound_values
from hub.segments.statements import Query, temporary_table
from hub.segments.strategies import execute

if TYPE_CHECKING:
    from hub.catalog import Session

WITHHOLDINGS = "hub_withholdings"


def parameters(client: str, sync: str, destination: str, audience: str, purpose: str) -> dict[str, str]:
    """Return the values of the parameters that a check may name, beside the instant."""
    return {"client": client, "sync": sync, "destination": destination, "audience": audience, "purpose": purpose}


def own_codes() -> frozenset[str]:
    """Return the codes that mean something of hub's own."""
    return frozenset(OWN_CODES) | {code.name for code in rulebook().codes} | GROUNDS.keys()


@dataclass(frozen=True, slots=True)
class _Check:
    entry: Entry
    withholding: type[Withholding]
    statement: Statement

    @property
    def fact_columns(self) -> frozenset[str] | None:
        """Return the columns of facts that are needed; None means all."""
        if "facts" not in self.statement.tables:
            return frozenset()
        return None if self.statement.open_ended else self.statement.columns & FACT_COLUMNS


@dataclass
class Withholder:
    """Runs the checks of all extensions for the syncs of one session, each once for the same values."""

    extensions: Extensions
    session: Session
    _people: dict[str, Withheld] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Tell whether some extension may withhold somebody."""
        return bool(self.extensions.offering(WITHHOLDINGS))

    @property
    def reads(self) -> frozenset[str]:
        """Return the canonical tables that the checks rest on; whether a cart is open depends on orders."""
        tables: frozenset[str] = frozenset()
        for check in self._checks:
            tables |= canonical_tables(check.statement.tables) | tables_behind(check.fact_columns)
        return tables | {"orders"} if "carts" in tables else tables

    def meanings(self, codes: Container[str]) -> dict[str, str]:
        """Return what those of the checks' codes mean that are among some."""
        with suppress(PluginError):  # a sync that asked has said so
            checks = [check.withholding for check in self._checks]
            return {each.code: each.description for each in checks if each.code in codes}
        return {}

    def people(self, asked: Mapping[str, Any]) -> list[Withheld]:
        """Return whom each check withholds from the sync that the parameters' values stand for.

        Raises:
            PluginError: a check cannot be run, with plugin and distribution; so nobody may be added.
        """
        values = {"as_of": self.session.as_of, **asked}
        return [self._run(check, values) for check in self._checks]

    def reason(self, person_id: int, asked: Mapping[str, Any]) -> tuple[str | None, str | None]:
        """Return the code that withholds a person from a sync and what it means, if one does.

        Without a code there is only a reason: a check cannot be run, so nobody is added.
        """
        try:
            found = self.people(asked)
        except PluginError as error:
            return None, str(error)
        for each in found:
            sql = f"select 1 from {each.people} where person_id = $person_id"
            if execute(self.session, Query(sql, {"person_id": person_id})):
                return each.code, self.meanings([each.code])[each.code]
        return None, None

    @cached_property
    def _checks(self) -> list[_Check]:
        checker = Checker(self.session.con, "a check that withholds")
        checks = []
        for entry, withholding in self.extensions.withholdings():
            code = withholding.code
            if code in own_codes():
                raise _failed(entry, code, PluginError(f"the code {code} is one of hub's own"))
            try:
                checks.append(_Check(entry, withholding, checker.read(withholding.sql)))
            except PluginError as error:
                raise _failed(entry, code, error) from error
        return checks

    def _run(self, check: _Check, values: Mapping[str, Any]) -> Withheld:
        code, statement = check.withholding.code, check.statement
        try:
            bound = bound_values(statement, values)
            known = repr((code, sorted(bound.items(), key=lambda item: item[0])))
            if known not in self._people:
                self._people[known] = Withheld(code, self._compute(check, bound))
            return self._people[known]
        except (HubError, duckdb.Error) as error:
            raise _failed(check.entry, code, error) from error

    def _compute(self, check: _Check, bound: Mapping[str, Any]) -> str:
        """Keep whom a check finds in a table; the line break ends a comment that the select may end with."""
        if "facts" in check.statement.tables:
            self.session.prepare_facts(check.fact_columns)
        table = f"withheld_by_extension_{len(self._people)}"
        select = f"select distinct person_id from ({check.statement.sql}\n) where person_id is not null"
        execute(self.session, temporary_table(table, Query(select, dict(bound))))
        [kind] = self.session.con.sql(f"select person_id from {table}").types
        if str(kind) not in _WHOLE_NUMBERS:
            raise PluginError(f"its person_id is of type {kind}: it must be the person_id of the tables that it reads")
        return table


_WHOLE_NUMBERS = frozenset(["BIGINT", "INTEGER"])


def _failed(entry: Entry, code: str, error: Exception) -> PluginError:
    step = MORE_MEMORY if is_out_of_memory(error) else f"Correct {entry.origin}."
    step += " Until then nobody is added, and only who must be is removed."
    return PluginError(f"{entry}: the check {code} cannot be run: {safe_error(error)}", next_step=step)
