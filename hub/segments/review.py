"""Look at segments before there is a catalog to run them on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from hub.api import PluginError, Prepared, Segment
from hub.segments.check import Checker, Statement
from hub.segments.definitions import Definition
from hub.segments.reading import bound_values
from hub.segments.run import isolated
from hub.segments.strategies import described

_SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  # UTC without a zone, as everywhere in a session

AnswerT = TypeVar("AnswerT")


class _NoCatalog:
    """Answers nothing, so that only strategies that ask nothing get through ``prepare``."""

    timezone = "UTC"

    def table(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        raise PluginError(f"there is no catalog yet to answer {sql} with {parameters or 'no parameters'}")

    def once(self, work: Callable[..., AnswerT], *arguments: Hashable) -> AnswerT:
        return work(self, *arguments)


def review(definitions: Iterable[Definition]) -> Iterator[PluginError]:
    """Yield what is wrong with the selects of strategies, as far as they tell without data."""
    import duckdb  # noqa: PLC0415  # heavy, and most commands do not ask

    with duckdb.connect() as con:
        checker = Checker(con)
        for definition in definitions:
            if definition.strategy is not None:
                yield from _review(checker, definition, definition.strategy)


def _review(checker: Checker, definition: Definition, strategy: Segment[Any]) -> Iterator[PluginError]:
    own = [table.name for table in strategy.tables]
    prepared = isolated(definition, lambda: strategy.prepare(_NoCatalog(), _SOME_DAY))
    if isinstance(prepared, Prepared) and prepared.refused is not None:
        # It asked for no data, so no data will change its mind.
        yield described(definition, PluginError(prepared.refused))
        return
    known = (
        None if not isinstance(prepared, Prepared) else {**definition.settings, **prepared.parameters, "as_of": None}
    )
    explained = [(strategy.explain_sql, {"person_id": None})] if strategy.explain_sql else []
    for sql, more in ((strategy.sql or strategy.base.whole, {}), *explained):
        try:
            statement: Statement = checker.read(sql, own)
            if known is not None:
                bound_values(statement, known | more)
        except PluginError as error:
            yield described(definition, error)
