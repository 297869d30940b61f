"""A machine that is too small for a catalog is told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.errors import HubError
from tests.catalog_shop import Shop, order


def sort_too_much(shop: Shop) -> None:
    with shop.session() as session:
        session.con.execute("set memory_limit = '8MB'")
        session.con.execute("select list(i order by i desc) from range(10000000) as r(i)").fetchall()


def test_a_memory_limit_that_is_too_small_says_which_setting_to_raise(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.load({"orders": [order("1", 1)]})

    with pytest.raises(HubError, match="ran out of memory") as raised:
        sort_too_much(shop)

    assert "memory_limit" in str(raised.value.next_step)
