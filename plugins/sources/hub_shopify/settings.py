"""The settings of a Shopify shop as a source and as a destination, and which credential to ask the shop for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import model_validator

from hub import api

SCOPES = ("read_customers", "read_orders", "read_products")
"""Without one of these something stays unread."""
ALL_ORDERS = "read_all_orders"
"""Without this one orders begin 60 days ago."""
TAGS = "write_customers"
"""Without this one hub sets no tags."""

WHO_CLICKS_WHERE = (
    "Ask the shop for the client id and client secret of an app of its own organisation: whoever may develop apps "
    "there opens dev.shopify.com > Apps > Create app > Start from Dev Dashboard, releases a version with the scopes "
    f"{', '.join((*SCOPES, ALL_ORDERS))} ({TAGS} where hub sets tags), installs it (Home > Install app) and finds both "
    "under Settings. "
    "An app of another organisation, such as your agency's, is refused."
)
"""Source: Shopify's pages on the Dev Dashboard and on the client credentials grant."""

_NONE = (
    "needs client_id here and client_secret as a secret: the credential of an app that the shop's organisation made in "
    "the Dev Dashboard. An app made in the shop's admin before 2026 has an access_token (shpat_…) instead, and keeps "
    f"it; new ones cannot be made. {WHO_CLICKS_WHERE}"
)
_NO_SECRET = "names a client_id, and there is no client_secret for it: store it with `hub secret set`"  # noqa: S105 - a message
_SUFFIX = ".myshopify.com"


class ShopConfig(api.Config):
    """Which shop, and with which credential."""

    store: str = api.Field(
        pattern=r"^[a-z0-9][a-z0-9-]*(\.myshopify\.com)?$",
        description="The shop's name at myshopify.com, such as acme or acme.myshopify.com",
    )
    client_id: str | None = api.Field(
        default=None,
        min_length=1,
        description="Client id of an app of the shop's own organisation; needs client_secret",
    )
    client_secret: api.Secret | None = api.Field(default=None, description="The app's client secret")
    access_token: api.Secret | None = api.Field(
        default=None, description="Instead of both: token (shpat_…) of an app made in the shop's admin before 2026"
    )
    address: api.Endpoint = api.Field(
        default=api.Endpoint(f"https://store{_SUFFIX}"),
        description="Where the API is; by default the store's own address",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_where_the_store_is(cls, data: Any) -> Any:
        if isinstance(data, dict) and "address" not in data and isinstance(data.get("store"), str):
            return {**data, "address": f"https://{data['store'].removesuffix(_SUFFIX)}{_SUFFIX}"}
        return data

    @model_validator(mode="after")
    def _has_a_credential(self) -> ShopConfig:
        if self.client_id is not None and self.client_secret is None:
            raise ValueError(_NO_SECRET)
        if self.client_id is None and self.access_token is None:
            raise ValueError(_NONE)
        return self


class ShopifyConfig(ShopConfig, api.SourceConfig):
    """Which shop to read, with which credential, and how often all of it."""

    reconcile: api.Duration = api.Field(
        default=timedelta(days=7), description="How often all is read again, to find what the shop deleted or merged"
    )


class ShopifyTagsConfig(ShopConfig):
    """In which shop to set tags, and with which credential."""

    system: str | None = api.Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="The shop's name as `system` of its sources; by default that of the source `shopify`, else of the "
        "client's only shop",
    )
