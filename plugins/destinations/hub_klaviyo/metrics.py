"""Which of the account's metrics are read, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub_klaviyo import mails
from hub_klaviyo.feed import Metric
from hub_klaviyo.settings import KlaviyoSourceConfig, Part

_OWN = "Klaviyo"  # the integration of what Klaviyo measures itself


@dataclass(frozen=True, slots=True)
class Wanted:
    """A metric to look for: its name, what it means, whose it is, and whether a part makes no sense without it.

    ``strict`` takes it from that integration only: an order that two integrations tell would count twice.
    """

    name: str
    means: str
    integration: str
    strict: bool = False
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A metric as the account lists it."""

    id: str
    name: str
    integration: str

    @classmethod
    def of(cls, listed: Iterable[Mapping[str, Any]]) -> list[Known]:
        """Read what Klaviyo lists; a metric of one's own has the integration ``API``."""
        found = []
        for each in listed:
            about = each.get("attributes") or {}
            integration = (about.get("integration") or {}).get("name") or "API"
            found.append(cls(str(each["id"]), str(about.get("name") or ""), str(integration)))
        return found


def wanted(part: Part, config: KlaviyoSourceConfig) -> list[Wanted]:
    """Return the metrics of a part."""
    shop = config.integration
    if part == "engagement":
        return [Wanted(name, means, _OWN, needed=means == "sent") for name, means in mails.METRICS.items()]
    if part == "views":
        # Klaviyo's own snippet tells views as well as the shop's integration does.
        return [Wanted(config.view_metric, "viewed", shop, needed=True)]
    if part == "carts":
        return [Wanted(config.checkout_metric, "begun", shop, strict=True, needed=True)]
    return [
        Wanted(config.order_metric, "placed", shop, strict=True, needed=True),
        # Of two events in one second the later of this list is told last: cancelling pays back as well.
        Wanted(config.refund_metric, "refunded", shop, strict=True),
        Wanted(config.cancel_metric, "cancelled", shop, strict=True),
    ]


def find(each: Wanted, known: Sequence[Known]) -> Metric | None:
    """Return the metric that is meant: of its integration, else where that is no matter the only one of its name."""
    named = [one for one in known if one.name == each.name]
    own = [one for one in named if one.integration.casefold() == each.integration.casefold()]
    if not own and not each.strict and len(named) == 1:
        own = named
    return Metric(own[0].id, own[0].name, each.means) if own else None
