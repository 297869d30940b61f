"""Shops that a test leaves open are closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.catalog_shop import close_all


@pytest.fixture(autouse=True)
def _shops_are_closed() -> Iterator[None]:
    yield
    close_all()
