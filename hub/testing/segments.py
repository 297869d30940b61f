"""The contract of segment strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from hub.api import FACTS, Segment
from hub.catalog import Session
from hub.config.models import SegmentTable
from hub.config.validate import setting_names
from hub.segments import Checker, Definition, SegmentResult, explain, run_segments
from hub.testing.declared import DeclaredConformance
from hub.testing.gaps import require
from hub.testing.shop import SampleShop

_NAME = "conformance"
_FEW, _SOME = 50, 10


class SegmentConformance(DeclaredConformance):
    """Check a strategy on a small shop: subclass it and name ``plugin``, and ``settings`` where it needs some.

    ``finds_somebody`` is False for a strategy that nobody of the shop fits; or override ``fill``.
    """

    kind = "segment"
    plugin: ClassVar[type[Segment[Any]]]
    settings: ClassVar[Mapping[str, Any]] = {}
    finds_somebody: ClassVar[bool] = True

    def make(self) -> Segment[Any]:
        """Make the strategy with its settings."""
        return self.plugin(self.plugin.Config.model_validate(dict(self.settings)))

    def fill(self, shop: SampleShop) -> None:
        """Change the shop's rows, where the strategy wants others."""

    @pytest.fixture
    def shop(self, tmp_path_factory: pytest.TempPathFactory) -> SampleShop:
        """Return the shop."""
        shop = SampleShop(tmp_path_factory.getbasetemp())
        self.fill(shop)
        return shop

    def test_windows_are_settings(self) -> None:
        unknown = sorted(set(self.plugin.windows) - set(setting_names(self.plugin.Config)))
        require(not unknown, f"windows names {', '.join(unknown)}, which is no setting")

    def test_no_setting_has_a_name_of_hubs_own(self) -> None:
        taken = sorted(set(setting_names(self.plugin.Config)) & set(setting_names(SegmentTable)))
        require(not taken, f"hub itself reads {', '.join(taken)} of a segment's table; rename the setting")

    def test_the_select_passes_the_check(self, shop: SampleShop) -> None:
        with shop.session() as session:
            strategy = self.make()
            own = [table.name for table in strategy.tables]
            Checker(session.con).read(strategy.sql or strategy.base.whole, own)

    def test_the_base_has_one_row_per_person(self, shop: SampleShop) -> None:
        strategy = self.make()
        if strategy.sql is not None or strategy.base is FACTS:
            pytest.skip("it has no base of its own")
        with shop.session() as session:
            self._run(session)
            bases = session.con.execute(
                "select table_name from duckdb_tables() where table_name like 'base!_%' escape '!'"
            ).fetchall()
            for (table,) in bases:
                rows = session.con.execute(f"select count(*), count(distinct person_id) from {table}").fetchall()
                require(rows[0][0] == rows[0][1], f"the base has {rows[0][0]} rows for {rows[0][1]} people")

    def test_members_are_people_and_each_is_there_once(self, shop: SampleShop) -> None:
        with shop.session() as session:
            result = self._run(session)
            members = [row[0] for row in session.con.execute(f"select person_id from {result.table}").fetchall()]
            people = {row[0] for row in session.con.execute("select person_id from people").fetchall()}

        require(len(members) == len(set(members)), "somebody is in it twice")
        require(set(members) <= people, "somebody in it is nobody of the shop")
        require(members or not self.finds_somebody, "nobody is in it; set finds_somebody = False, or override fill")

    def test_the_same_question_has_the_same_answer(self, shop: SampleShop) -> None:
        with shop.session() as session:
            first = self._answer(session)
            require(self._answer(session) == first, "the second answer differs from the first")
        with shop.session(backwards=True) as session:
            require(self._answer(session) == first, "the answer depends on the order in which the data arrived")

    def test_everybody_is_explained_as_the_segment_has_it(self, shop: SampleShop) -> None:
        with shop.session() as session:
            result = self._run(session)
            members = {row[0] for row in session.con.execute(f"select person_id from {result.table}").fetchall()}
            people = [row[0] for row in session.con.execute("select person_id from people order by 1").fetchall()]
            if len(people) > _FEW:
                # A filled-up shop: some of either kind, for a strategy with a model fits it for each explanation.
                inside = [each for each in people if each in members][:_SOME]
                people = inside + [each for each in people if each not in members][:_SOME]
            for person in people:
                told = explain(session, [self._definition()], _NAME, person)
                require(told.member == (person in members), "an explanation contradicts the segment")
                require(told.reason, "an explanation says nothing")

    def _definition(self) -> Definition:
        return Definition(_NAME, self.make())

    def _run(self, session: Session) -> SegmentResult:
        result = run_segments(session, [self._definition()])[_NAME]
        if result.error is not None:
            raise AssertionError(str(result.error)) from result.error
        require(result.refused is None, f"it refuses to answer: {result.refused}; override fill or settings")
        return result

    def _answer(self, session: Session) -> list[tuple[Any, ...]]:
        """Return members by address with their evidence: person_id means nothing outside its catalog."""
        result = self._run(session)
        columns = ", ".join(f'members."{name}"' for name in result.evidence)
        chosen = f"people.person_ref{', ' + columns if columns else ''}"
        return session.con.execute(
            f"select {chosen} from {result.table} as members join people using (person_id) order by all"
        ).fetchall()


__all__ = ["SegmentConformance"]
