"""Settings of the destination and the source ``mailchimp``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from hub import api

_DATA_CENTRE = re.compile(r"[a-z]{2,4}\d{1,3}")
_PLACE = "dc.api.mailchimp.com"
_ADDRESS = api.Field(
    default=api.Endpoint(f"https://{_PLACE}/3.0"),
    description="base address of Mailchimp's API; `dc` stands for the data centre that the key ends with",
)
_KEY = api.Field(
    description="API key: Mailchimp > Profile > Extras > API keys, of a user who is manager, admin or owner"
)
_LIST = api.Field(
    pattern=r"^[A-Za-z0-9]+$",
    description="audience ID: Mailchimp > Audience > Settings > Audience name and defaults",
)


class MailchimpConfig(api.Config):
    """Which account and audience."""

    address: api.Endpoint = _ADDRESS
    api_key: api.Secret = _KEY
    list_id: str = _LIST


class MailchimpSourceConfig(api.SourceConfig):
    """Which account and audience, what proves an opt-in, and how far back campaigns are read."""

    address: api.Endpoint = _ADDRESS
    api_key: api.Secret = _KEY
    list_id: str = _LIST
    proof: Literal["signup", "subscribed"] = api.Field(
        default="signup",
        description="what proves an opt-in: a sign-up of the person's own at Mailchimp, or being subscribed, which an "
        "import or another tool may have said",
    )
    reconcile: api.Duration = api.Field(
        default=timedelta(days=7),
        description="how often all contacts are read, to notice who was deleted: Mailchimp tells nobody",
    )
    history: api.Duration = api.Field(
        default=timedelta(days=365), description="how far back the first read goes for campaigns"
    )
    follow: api.Duration = api.Field(
        default=timedelta(days=30),
        description="how long after it was sent a campaign is asked for opens and clicks",
    )
    pause: api.Duration = api.Field(
        default=timedelta(hours=1), description="how long after a read campaigns are not asked again"
    )


def base_url(config: MailchimpConfig | MailchimpSourceConfig) -> str:
    """Return the address of the key's data centre.

    Raises:
        ConfigError: the key does not end with a data centre: what else stands there must not become a host's name.
    """
    text = str(config.address)
    if config.address.host != _PLACE:
        return text
    data_centre = config.api_key.get_secret_value().rpartition("-")[2]
    if not _DATA_CENTRE.fullmatch(data_centre):
        raise api.ConfigError(
            "the API key does not end with a data centre, such as -us21",
            next_step="Copy the whole key from Mailchimp > Profile > Extras > API keys, and set it again.",
        )
    return text.replace(_PLACE, f"{data_centre}.api.mailchimp.com")


def connect_with(connect: api.Connect, config: MailchimpConfig | MailchimpSourceConfig) -> api.Http:
    """Make the client; Mailchimp itself gives up on a call after 120 s ("Fundamentals" in its docs)."""
    return connect(base_url=base_url(config), auth=("hub", config.api_key.get_secret_value()), timeout=125.0)
