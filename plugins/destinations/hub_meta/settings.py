"""Settings of the destination ``meta``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator

from hub import api

VERSION = "v26.0"


class MetaConfig(api.Config):
    """Which ad account, and with whose rights."""

    address: api.Endpoint = api.Field(
        default=api.Endpoint("https://graph.facebook.com"), description="base address of Meta's Graph API"
    )
    version: str = api.Field(default=VERSION, description="version of the API; `hub check` warns when it has ended")
    account: str = api.Field(description="ad account: its number, with or without act_, from Ads Manager")
    access_token: api.Secret = api.Field(
        description="token of a system user with ads_management on the ad account: Business settings > System users"
    )
    app_secret: api.Secret | None = api.Field(
        default=None, description="the app's secret, where the app demands a proof of it with every call"
    )
    customer_file_source: Literal["USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"] = (
        api.Field(default="USER_PROVIDED_ONLY", description="where the people of audiences that hub makes come from")
    )

    @field_validator("account", mode="before")
    @classmethod
    def _is_an_account(cls, value: object) -> str:
        found = re.fullmatch(r"(?:act_)?(\d{1,20})", str(value).strip())
        if found is None:
            raise ValueError("an ad account is a number, such as 1234567890")
        return found[1]

    @field_validator("version")
    @classmethod
    def _is_a_version(cls, value: str) -> str:
        if not re.fullmatch(r"v\d{1,3}\.\d", value):
            raise ValueError(f"a version looks like {VERSION}")
        return value
