"""Settings of the destination ``klaviyo``."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from hub import api

LONGEST_METRIC = 127  # a metric's name is shorter than 128 characters: "Create Event" in Klaviyo's reference


class KlaviyoConfig(api.Config):
    """Which account, and how people get into it."""

    address: api.Endpoint = api.Field(
        default=api.Endpoint("https://a.klaviyo.com"), description="base address of Klaviyo's API"
    )
    api_key: api.Secret = api.Field(
        description="private key: Klaviyo > Settings > API keys, with full access to lists and profiles, "
        "to events for cart segments, to data privacy for `hub forget`, and read access to accounts"
    )
    opt_in_process: Literal["single_opt_in", "double_opt_in"] | None = api.Field(
        default=None, description="opt-in of lists that hub makes; default: the account's"
    )
    cart_segments: Literal["event", "list"] = api.Field(
        default="event",
        description="how syncs with the purpose cart_reminder are delivered: an event may start a flow each time, "
        "a list only the first time a person enters it",
    )
    entered_event: str | None = api.Field(
        default=None, description="metric to record for each person who newly enters a list; none: no event"
    )

    @field_validator("entered_event")
    @classmethod
    def _is_a_metric(cls, name: str | None) -> str | None:
        if name is not None and not 0 < len(name) <= LONGEST_METRIC:
            raise ValueError(f"a metric's name has 1 to {LONGEST_METRIC} characters")
        return name
