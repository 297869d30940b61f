"""Look at segments before there is a catalog to run them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.api import PluginError
from hub.segments.check import Checker
from hub.segments.definitions import Definition
from hub.segments.strategies import described


def review(definitions: Iterable[Definition]) -> Iterator[PluginError]:
    """Yield what is wrong with the selects of strategies, as far as they tell without data."""
    import duckdb  # noqa: PLC0415  # heavy, and most commands do not ask

    with duckdb.connect() as con:
        checker = Checker(con)
        for definition in definitions:
            strategy = definition.strategy
            if strategy is None:
                continue
            own = [table.name for table in strategy.tables]
            selects = [strategy.sql or strategy.base.sql, *([strategy.explain_sql] if strategy.explain_sql else [])]
            for sql in selects:
                try:
                    checker.read(sql, own)
                except PluginError as error:
                    yield described(definition, error)
