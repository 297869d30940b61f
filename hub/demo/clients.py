"""The client files of the demonstration."""

from __future__ import annotations

from hub.demo.shops import ShopPlan

WORKSPACE = 'requires = ">=0.1"\n'

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
