"""The client files of the demonstration."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub.demo.shops import ShopPlan

WORKSPACE = """\
requires = ">=0.1"

# Segments that all clients share: one of every other strategy.
"""

_WITH_SETTINGS = {
    "acquisition-channel": 'sources = ["newsletter"]',
    "by-campaign": 'campaigns = ["new arrivals"]\ndid = "clicked"',
    "cross-sell": 'bought_skus = ["AS-TR", "BB-ES"]\nnever_skus = ["AS-WI", "BB-PF"]',
    "demographic": 'min_age = 30\nmax_age = 45\nlocales = ["da", "de"]',
    "funnel-stage": 'stages = ["checkout", "payment"]',
    "geographic": 'countries = ["DK", "DE"]',
    "journey-stage": 'stages = ["loyal"]',
    "product-line": 'skus = ["AS-RB", "BB-HG"]',
    "rfm": 'groups = ["champions", "loyal"]',
    "sql": 'query = "select person_id from facts where orders >= $least"\nparameters = { least = 5 }',
    "tags": 'any_of = ["club"]',
    "traits": 'trait = "recommend"\nmin_value = 9',
    "viewed": 'product_types = ["runner", "grinder"]',
}

_CLIENT = """\
# An invented shop. Every setting is explained in docs/reference/settings.md.
name = "{name}"
timezone = "{timezone}"
country = "{country}"
currency = "{currency}"

[[consent.from]]                 # this shop proves consent to ads by a tag
tag = "ads-ok"
grants = ["ads"]
evidence = "checkout box, text of 2026-03-01"

[sources.shop]
plugin = "csv"
folder = "exports/{client}"      # Shopify's customer, order and abandoned-checkout exports

[sources.web]
plugin = "ga4"
system = "shop"                  # its visitors are the shop's customers
path = "exports/{client}-web"    # Google Analytics' events, as BigQuery extracts them
timezone = "UTC"

[sources.tools]                  # what the mailing tool, a survey and the accounts know
plugin = "csv"
system = "shop"

[[sources.tools.files]]
path = "exports/{client}-tools/engagement.csv"
table = "engagement"
columns = {{ subject = "mail", kind = "what", campaign = "campaign", happened_at = "at", machine = "machine" }}

[[sources.tools.files]]
path = "exports/{client}-tools/survey.csv"
table = "traits"
columns = {{ subject = "mail", name = "question", value = "answer", recorded_at = "at" }}

[[sources.tools.files]]
path = "exports/{client}-tools/profiles.csv"
table = "customers"
columns = {{ customer_id = "customer", birth_date = "born", gender = "gender", locale = "language" }}

[segments.cart-abandoners]
plugin = "cart-abandoners"
min_value = {min_value}

[segments.high-spenders]
plugin = "high-spenders"

[segments.low-spenders]
plugin = "low-spenders"

[segments.coupon-lovers]
plugin = "coupon-lovers"

[segments.one-time]
plugin = "one-time"

[segments.inactive]
plugin = "inactive"

[segments.never-purchased]
plugin = "never-purchased"

[segments.full-price-abandoners] # a combination
all = ["cart-abandoners"]
none = ["coupon-lovers"]

[destinations.mail]
plugin = "smtp"
server = "{mail}"
sender = "{name} <news@{client}.example.com>"
postal_address = "{name}, 1 Example Street, {city}"
unsubscribe_url = "https://{client}.example.com/unsubscribe?t={{token}}"
template = "templates/reminder"

[destinations.newsletter]
plugin = "file"

[destinations.ads]
plugin = "file"
layout = "meta"
folder = "audiences/{client}-ads"

[syncs.cart-reminders]
segment = "full-price-abandoners"
destination = "mail"
purpose = "cart_reminder"
schedule = "*/15 * * * *"

[syncs.win-back]
segment = "inactive"
destination = "newsletter"
attributes = {{ name = "first_name", last_order = "last_order_at" }}

[syncs.vip-audience]
segment = "high-spenders"
destination = "ads"
attributes = {{ first_name = "first_name", last_name = "last_name", country = "country", city = "city" }}
holdout = 0.1
"""


_PREDICTED = {"likely-lost", "likely-to-recover", "likely-to-return", "top-predicted-value"}


def shared_segments(strategies: Iterable[str]) -> str:
    """Return the segments of ``hub.toml``: one of each of these strategies that a client's file does not have.

    Those that predict are left out: they need packages that not everybody has, and more history than is invented here.
    """
    own = set(re.findall(r"^\[segments\.([\w-]+)\]$", _CLIENT, re.MULTILINE))
    told = [name for name in strategies if name not in own | _PREDICTED]
    parts = (f'[segments.{name}]\nplugin = "{name}"\n{_WITH_SETTINGS.get(name, "")}'.rstrip() for name in told)
    return "\n\n".join(parts) + "\n"


def client_file(plan: ShopPlan, mail: str) -> str:
    """Return a client's file; ``mail`` is the address of the mail server."""
    return _CLIENT.format(
        name=plan.name,
        timezone=plan.timezone,
        country=plan.country,
        currency=plan.currency,
        client=plan.client,
        city=plan.city,
        min_value=min(price for _, _, price in plan.products),
        mail=mail,
    )
