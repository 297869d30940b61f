"""Keep a Mailchimp tag equal to a segment, and read consents and engagement from an audience."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_mailchimp.destination import Mailchimp, MailchimpAtOnce
from hub_mailchimp.settings import MailchimpConfig, MailchimpSourceConfig
from hub_mailchimp.source import MailchimpSource

__all__ = [
    "Mailchimp",
    "MailchimpAtOnce",
    "MailchimpConfig",
    "MailchimpSource",
    "MailchimpSourceConfig",
    "hub_destinations",
    "hub_sources",
]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``mailchimp``."""
    return [Mailchimp]


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the source ``mailchimp``."""
    return [MailchimpSource]
