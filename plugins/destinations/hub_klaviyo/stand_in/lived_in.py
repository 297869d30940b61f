"""The account that ``hub sandbox`` serves: somebody has worked with it for a while."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from hub_klaviyo.stand_in.activity import SHOPIFY
from hub_klaviyo.stand_in.people import iso
from hub_klaviyo.stand_in.server import KlaviyoStandIn
from hub_klaviyo.stand_in.shop_events import Goods, checkout, clicked, mail, opened, order, view

PEOPLE = 40
_HOUR, _DAY = 3_600.0, 86_400.0
_NAMES = ("Ada", "Bo", "Cleo", "Dag", "Eli", "Fay", "Gro", "Hal", "Ida", "Jon")
_GOODS = (
    Goods(101, "Trail shoe", "899.00"),
    Goods(102, "Wool sock", "79.00", "Socks"),
    Goods(103, "Rain jacket", "1299.00", "Jackets"),
    Goods(104, "Cap", "149.00", "Caps"),
)
_CAMPAIGNS = (("Autumn news", 40.0), ("Wool week", 12.0), ("Last pairs", 3.0))


class LivedInKlaviyo(KlaviyoStandIn):
    """An account with profiles of every kind of consent, three campaigns, and a shop's orders, carts and views."""

    def __init__(self, *, clock: Callable[[], float] = time.time, **how: Any) -> None:
        super().__init__(clock=clock, **how)
        chance = random.Random("an account that somebody worked with")  # noqa: S311 - a story, no secret
        emails = [f"{_NAMES[number % 10].lower()}{number}@example.com" for number in range(PEOPLE)]
        for number, email in enumerate(emails):
            self._meet(number, email)
        for title, days in _CAMPAIGNS:
            self._send(title, days * _DAY, emails, chance)
        for number, email in enumerate(emails):
            self._shop(number, email, chance)

    def _meet(self, number: int, email: str) -> None:
        """Let a person say yes in one of several ways, or no, or nothing."""
        row = {"email": email, "first_name": _NAMES[number % 10], "location": {"country": "Denmark", "city": "Aarhus"}}
        self.world.upsert({"attributes": row}, self.clock() - 60 * _DAY)
        then = iso(self.clock() - 50 * _DAY)
        if number % 10 < 6:
            self.subscribe(email, consent_timestamp=then, double_optin=number % 3 == 0)
        elif number % 10 == 6:
            self.subscribe(email, consent_timestamp=then, method="API")
        elif number % 10 == 7:
            self.suppress(email, "UNSUBSCRIBE" if number % 20 == 7 else "HARD_BOUNCE")
        if number % 8 == 0:
            self.world.of(email).fields["phone_number"] = f"+45201234{number:02}"  # type: ignore[union-attr]  # made above
            self.subscribe(email, "sms", consent_timestamp=then, method="TEXT")

    def _send(self, title: str, ago: float, emails: list[str], chance: random.Random) -> None:
        """Send a campaign, which some look at, and some of their mail programs."""
        for email in emails:
            self.happen("Received Email", email, mail(title), ago=ago)
            luck = chance.random()
            if luck < 0.5:
                self.happen(
                    "Opened Email", email, opened(title, machine=luck < 0.2), ago=ago - chance.uniform(1, 9) * _HOUR
                )
            if 0.3 < luck < 0.45:
                self.happen("Clicked Email", email, clicked(title), ago=ago - 10 * _HOUR)
            if luck > 0.98:
                self.happen("Bounced Email", email, mail(title, **{"Bounce Type": "Hard"}), ago=ago - 1)

    def _shop(self, number: int, email: str, chance: random.Random) -> None:
        """Let a person look around; some leave a cart, some buy, and some of them had a cart before."""
        goods = chance.sample(_GOODS, 2)
        ago = chance.uniform(2, 120) * _HOUR
        self.happen("Viewed Product", email, view(goods[0]), integration="API", ago=ago)
        token = f"{number:032x}"
        if number % 3 != 1:
            begun = iso(self.clock() - ago + 600)
            self.happen("Checkout Started", email, checkout(token, goods, begun), integration=SHOPIFY, ago=ago - 600)
        if number % 3 == 2:
            placed = iso(self.clock() - ago + 1_200)
            told = order(4_500_000_000 + number, goods, placed, checkout_token=token, email=email)
            self.happen("Placed Order", email, told, integration=SHOPIFY, ago=ago - 1_200)
