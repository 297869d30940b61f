"""A Mailchimp account on this machine: real contacts and tags, documented limits, batch operations that take time."""

from __future__ import annotations

from collections.abc import Iterable

from hub import api
from hub_mailchimp.stand_in.server import API_KEY, LIST_ID, MailchimpStandIn

__all__ = ["API_KEY", "LIST_ID", "MailchimpStandIn", "hub_stand_ins"]


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the Mailchimp stand-in."""
    return [MailchimpStandIn]
