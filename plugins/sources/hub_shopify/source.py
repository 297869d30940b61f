"""Shopify as a source: what it gives, how it is asked, how far it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from hub import api
from hub_shopify import checks
from hub_shopify.admin import VERSION, Admin
from hub_shopify.bulk import Bulk
from hub_shopify.operations import CONTACTS, INSTALLATION, LISTINGS, START, STILL_THERE
from hub_shopify.paging import Paging
from hub_shopify.reading import Plan, Reading
from hub_shopify.replies import ProtectedError
from hub_shopify.settings import ALL_ORDERS, SCOPES, ShopifyConfig
from hub_shopify.staging import Staging
from hub_shopify.state import State, moment
from hub_shopify.tokens import Tokens

_SAMPLE = 50
_MOST_IDS = 250  # of one list that is sent


_NEEDS = {
    "customers": ("read_customers",),
    "carts": SCOPES,  # with customers and products of lines
    "orders": SCOPES,
    "products": ("read_products",),
}


@dataclass(frozen=True, slots=True)
class Access:
    """What the app was granted: scopes, and personal data."""

    scopes: frozenset[str]
    personal: bool


class Shopify(api.Source[ShopifyConfig]):
    """Read customers, consents, orders, abandoned checkouts and products of a Shopify shop through its Admin API."""

    name = "shopify"
    Config = ShopifyConfig
    rate = api.Rate(concurrent=1)  # the pace is the shop's own: see Admin.pace
    streams: ClassVar[Mapping[str, api.Stream]] = {
        "customers": api.Stream(("customers", "consents")),
        # Before orders: who ordered while they were read must not look like somebody who left a cart.
        "carts": api.Stream(("carts", "cart_lines")),
        "orders": api.Stream(("orders", "order_lines")),
        "products": api.Stream(("products",)),
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._admin = Admin(Tokens(self))
        self._reached: dict[str, api.Reach] = {}

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client; the token goes with each request, since it changes."""
        return connect(base_url=self.config.address)

    def pace(self, reply: api.Reply) -> float | None:
        """Wait as the shop's bucket of points says."""
        return self._admin.pace(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Judge an answer whose status says nothing: errors come with 200."""
        return self._admin.classify(reply)

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[api.Page]:
        """Yield everything in bulk the first time, then what changed; see ``Reading``."""
        until = until.replace(tzinfo=until.tzinfo or UTC)
        state = State.of(since)
        self._reached[stream] = _reach(state)
        missing = [scope for scope in _NEEDS[stream] if not checks.holds(self._access.scopes, scope)]
        if missing:
            raise checks.lacks_scopes(missing)
        listing = LISTINGS[stream] if self._access.personal else LISTINGS[stream].impersonal()
        plan = Plan(stream, listing, until, self.config.reconcile, ALL_ORDERS in self._access.scopes)
        bulk = Bulk(self._admin, self.http, self.shop.cache, stream)
        paging = Paging(self._admin, self.http, listing)
        try:
            with Staging(stream, self.shop, lambda: self._shows_people) as staging:
                reading = Reading(plan, state, bulk=bulk, paging=paging, staging=staging, still_there=self._still_there)
                if self._admin.answered_as not in {None, VERSION}:
                    reading.notes.append(checks.fell_forward(str(self._admin.answered_as)))
                yield from reading.pages()
        except OSError as error:
            raise api.SourceError(
                f"what {stream} needs for a while cannot be kept on disk: {error.strerror}",
                next_step=f"Make room for hub's cache ({self.shop.cache}).",
            ) from error
        self._reached[stream] = api.Reach(_reach(reading.state).start, until)

    def reach(self, table: str) -> api.Reach:
        """Say from when on orders show, and until when a table was read."""
        stream = next((name for name, stream in self.streams.items() if table in stream.tables), "")
        return self._reached.get(stream, api.Reach())

    def check(self) -> Iterator[api.Finding]:
        """Prove credential, scopes, version and what the shop shows."""
        return checks.of_shop(self._admin, self.http, self.config, self.shop)

    @cached_property
    def _access(self) -> Access:
        """Return what the app may see."""
        try:
            answer, personal = self._admin.ask(self.http, START), True
        except api.AuthError as error:
            answer, personal = self._admin.ask(self.http, INSTALLATION), not isinstance(error, ProtectedError)
        granted = answer["currentAppInstallation"]["accessScopes"]
        return Access(frozenset(each["handle"] for each in granted), personal)

    def _still_there(self, customers: Sequence[str]) -> set[str]:
        """Return which customers the shop still has."""
        found: set[str] = set()
        for begin in range(0, len(customers), _MOST_IDS):
            ids = [f"gid://shopify/Customer/{each}" for each in customers[begin : begin + _MOST_IDS]]
            nodes = self._admin.ask(self.http, STILL_THERE, ids=ids)["nodes"]
            found.update(each["id"].rpartition("/")[2] for each in nodes if each)
        return found

    @cached_property
    def _shows_people(self) -> bool:
        """Tell whether some customer shows an e-mail and a name: then one that shows nothing has lost it."""
        if not self._access.personal:
            return False
        people = self._admin.ask(self.http, CONTACTS, first=_SAMPLE)["customers"]["nodes"]
        named = any(each["firstName"] or each["lastName"] for each in people)
        return named and any(each["defaultEmailAddress"] for each in people)


def _reach(state: State) -> api.Reach:
    start, read = (moment(text) if text else None for text in (state.start, state.since))
    return api.Reach(start, read)
