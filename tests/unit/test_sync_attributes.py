"""Which attributes a sync sends: those it names, or what its destination has a use for."""

from __future__ import annotations

import pytest

from hub.api import ConfigError
from hub.config.models import SyncSettings
from hub.segments import SegmentResult
from hub.sync.attributes import Attributes

RESULT = SegmentResult("vip", "members", 3, evidence=("spend", "orders"))
USABLE = ("first_name", "country", "postcode")


def sent(usable: tuple[str, ...] | None = None, **named: str) -> dict[str, str]:
    settings = SyncSettings(segment="vip", destination="ads", attributes=named)
    return {theirs: ours for theirs, _, ours in Attributes.of(settings, RESULT, usable).columns}


def test_a_sync_that_names_none_sends_evidence_and_given_name_where_any_is_of_use() -> None:
    assert sent() == {"spend": "spend", "orders": "orders", "first_name": "first_name"}


@pytest.mark.parametrize(("usable", "named"), [(USABLE, {"country": "country"}), (("first_name",), {}), ((), {})])
def test_a_sync_that_names_none_sends_the_country_where_few_are_of_use(
    usable: tuple[str, ...], named: dict[str, str]
) -> None:
    assert sent(usable) == named


def test_what_is_named_is_sent_under_their_name() -> None:
    assert sent(USABLE, postcode="postcode", first_name="last_name") == {
        "postcode": "postcode",
        "first_name": "last_name",
    }


def test_what_is_of_no_use_is_a_mistake_and_the_closest_name_is_told() -> None:
    with pytest.raises(
        ConfigError, match="ads can do nothing with the attribute 'postcodes'; did you mean \"postcode\""
    ):
        sent(USABLE, postcodes="postcode")
