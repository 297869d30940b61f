"""Settings of the destination ``google``."""

from __future__ import annotations

import re
from datetime import timedelta

from pydantic import field_validator

from hub import api

LONGEST = timedelta(days=540)
_DAY = timedelta(days=1)


class GoogleConfig(api.Config):
    """Which Google Ads account, with whose rights, and how long members stay."""

    address: api.Endpoint = api.Field(
        default=api.Endpoint("https://datamanager.googleapis.com"),
        description="base address of Google's Data Manager API",
    )
    token_address: api.Endpoint = api.Field(
        default=api.Endpoint("https://oauth2.googleapis.com"), description="where access tokens are given"
    )
    customer: str = api.Field(description="Google Ads account that owns the lists: its customer id, 123-456-7890")
    login_customer: str | None = api.Field(
        default=None, description="manager account through which the credentials reach the account, if they do"
    )
    credentials: api.Secret = api.Field(
        description="JSON key of a service account, or of an authorized user with the scope datamanager, who is a user "
        "of the Google Ads account"
    )
    quota_project: str | None = api.Field(
        default=None, description="Google Cloud project that calls are counted for; needed with a user's credentials"
    )
    membership: api.Duration = api.Field(
        default=LONGEST,
        description="how long a member stays in a list that hub keeps without being sent again, 2d to 540d; "
        "hub sends everybody again after half of it",
    )

    @field_validator("customer", "login_customer", mode="before")
    @classmethod
    def _is_a_customer(cls, value: object) -> object:
        if value is None:
            return None
        digits = re.sub(r"[\s-]", "", str(value))
        if not re.fullmatch(r"\d{5,15}", digits):
            raise ValueError("a customer id is a number, such as 123-456-7890")
        return digits

    @field_validator("membership")
    @classmethod
    def _is_whole_days(cls, value: timedelta) -> timedelta:
        if value % _DAY or not 2 * _DAY <= value <= LONGEST:
            raise ValueError("Google keeps members for whole days, at most 540d; less than 2d leaves no time")
        return value
