"""What strategies ask the catalog before they are run: each question once, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from hub.api import PluginError
from hub.catalog import FACT_COLUMNS
from hub.segments.check import Checker, Statement
from hub.segments.session import SessionLike

AnswerT = TypeVar("AnswerT")


class SharedSession:
    """The session that the strategies of a run share, with what was asked on it.

    Strategies prepare side by side. The session's connection answers one of them at a time; what several ask, the
    first of them finds out, and the others wait for it.
    """

    def __init__(self, session: SessionLike) -> None:
        self.session = session
        self._checker = Checker(session.con)
        self._connection = Lock()
        self._answers: dict[Hashable, Future[Any]] = {}
        self._asked = Lock()

    def check(self, sql: str, own_tables: Iterable[str]) -> Statement:
        """Return a select that passes the check.

        Raises:
            PluginError: it does not.
        """
        with self._connection:
            return self._checker.read(sql, own_tables)

    def answer(self, statement: Statement, values: dict[str, Any]) -> Any:
        """Return the answer to a select that passed as an Arrow table."""
        with self._connection:
            if "facts" in statement.tables:
                self.session.prepare_facts(None if statement.open_ended else sorted(statement.columns & FACT_COLUMNS))
            return self.session.con.sql(statement.sql, params=values).to_arrow_table()

    def once(self, asked: Hashable, work: Callable[[], AnswerT]) -> AnswerT:
        """Return what the work returns, or raise what it raises, done once for all who ask the same."""
        with self._asked:
            is_first = asked not in self._answers
            answer: Future[AnswerT] = self._answers.setdefault(asked, Future())
        if is_first:
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever asks the same gets it, too
                answer.set_exception(error)
        return answer.result()


class CatalogReader:
    """The read-only look at the catalog that ``prepare`` gets; every select passes the check."""

    def __init__(self, shared: SharedSession, own_tables: Iterable[str]) -> None:
        self._shared = shared
        self._own_tables = tuple(own_tables)

    @property
    def timezone(self) -> str:
        """Return the shop's IANA time zone."""
        return self._shared.session.timezone

    def table(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        """Return the answer to a select as an Arrow table; ``$as_of`` is bound where it is named."""
        statement = self._shared.check(sql, self._own_tables)
        values: dict[str, Any] = {"as_of": self._shared.session.as_of} | dict(parameters or {})
        bound = bound_values(statement, values)
        asked = repr((statement.sql, sorted(bound.items(), key=lambda item: item[0])))
        return self._shared.once(asked, lambda: self._shared.answer(statement, bound))

    def once(self, work: Callable[..., AnswerT], *arguments: Hashable) -> AnswerT:
        """Return ``work(self, *arguments)``, done once on this session."""
        return self._shared.once((work, arguments), lambda: work(self, *arguments))


def bound_values(statement: Statement, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the parameters that a select names.

    Raises:
        PluginError: it names one that there is not.
    """
    unknown = sorted(statement.parameters - set(values))
    if unknown:
        known = ", ".join(f"${name}" for name in sorted(values))
        raise PluginError(f"the SQL names ${unknown[0]}, which is no setting; there are {known}")
    return {name: values[name] for name in statement.parameters}
