"""Say which part of the contract a plugin does not keep; the mark fails as soon as it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest


@dataclass(frozen=True, slots=True)
class Gap:
    """A test that is expected to fail, with the error it fails with and the reason."""

    kind: str
    reason: str
    raises: type[BaseException]


def notimpl(reason: str, raises: type[BaseException] = AssertionError) -> Gap:
    """Mark what the vendor offers and the plugin does not use."""
    return Gap("not implemented", reason, raises)


def notyet(reason: str, raises: type[BaseException] = AssertionError) -> Gap:
    """Mark what the vendor does not offer today."""
    return Gap("not yet", reason, raises)


def never(reason: str, raises: type[BaseException] = AssertionError) -> Gap:
    """Mark what cannot be, by the nature of the other side."""
    return Gap("never", reason, raises)


class Conformance:
    """Be the base of the conformance classes. ``gaps`` names tests that fail, by the name of the test."""

    gaps: ClassVar[Mapping[str, Gap]] = {}

    @pytest.fixture(autouse=True)
    def _expected_gaps(self, request: pytest.FixtureRequest) -> None:
        name = getattr(request.node, "originalname", None) or request.node.name
        gap = self.gaps.get(name)
        if gap is not None:
            reason = f"{gap.kind}: {gap.reason}"
            request.applymarker(pytest.mark.xfail(reason=reason, raises=gap.raises, strict=True))

    def test_every_gap_names_a_test(self) -> None:
        unknown = sorted(name for name in self.gaps if not hasattr(self, name))
        require(not unknown, f"gaps names {', '.join(unknown)}, which is no test of {type(self).__name__}")


def require(holds: object, otherwise: str) -> None:
    """Fail the test with a sentence; asserts are rewritten by pytest only in the files of tests."""
    if not holds:
        raise AssertionError(otherwise)
