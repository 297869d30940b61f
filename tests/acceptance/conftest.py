"""An agency for each test, and no keyring but the one that has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from tests.acceptance.kit import Agency


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield Agency(tmp_path / "agency")
    keyring.set_keyring(before)
