"""The operations that are sent, made from what is read of each list.

The same selection is read by pages and in bulk. Bulk documents leave pagination out; nodes ask for their id
everywhere, by which children find their parent (Shopify's page on bulk operations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps

MOST_PAGED = 25_000
"""So many objects of one list can be paged through; more are not shown (Shopify's page on pagination)."""
_PAGE = "pageInfo { hasNextPage endCursor }"
_MONEY = "{ shopMoney { amount currencyCode } }"
_CONSENT = "{ state optInLevel updatedAt collectedFrom }"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the shop: its root field, the type of its nodes, what is read of them, and the lists inside them.

    ``personal`` is what only an app gets that is approved for personal data. ``sort`` is the key for paging;
    ``recounts`` says that all is read again now and then, because deletions are told nowhere.
    """

    root: str
    typename: str
    fields: str
    personal: str
    nested: Mapping[str, str]
    sort: str = "UPDATED_AT"
    recounts: bool = True

    def impersonal(self) -> Listing:
        """Return the same list without personal data."""
        return replace(self, personal="")

    def page(self) -> str:
        """Return the query for one page: $first nodes after $after, with $nested of each list inside."""
        lists = " ".join(f"{name}(first: $nested) {_edges(fields)}" for name, fields in self.nested.items())
        given = "$first: Int!, $after: String, $query: String" + (", $nested: Int!" if lists else "")
        arguments = f"first: $first, after: $after, query: $query, sortKey: {self.sort}"
        return f"query Page({given}) {{ {self.root}({arguments}) {_edges(f'{self.fields} {self.personal} {lists}')} }}"

    def rest(self, name: str) -> str:
        """Return the query for more of a list inside the node $id: $nested after $after."""
        inside = f"{name}(first: $nested, after: $after) {_edges(self.nested[name])}"
        given = "$id: ID!, $after: String!, $nested: Int!"
        return f"query Rest({given}) {{ node(id: $id) {{ ... on {self.typename} {{ id {inside} }} }} }}"

    def bulk(self, changed_since: datetime | None = None) -> str:
        """Return the document of a bulk operation: everything, or what changed since an instant."""
        lists = " ".join(f"{name} {{ edges {{ node {{ {fields} }} }} }}" for name, fields in self.nested.items())
        chosen = f"(query: {dumps(since(changed_since))})" if changed_since else ""
        return f"{{ {self.root}{chosen} {{ edges {{ node {{ {self.fields} {self.personal} {lists} }} }} }} }}"

    @property
    def selection(self) -> str:
        """Return a digest of what is read of each object."""
        return sha256(self.bulk().encode()).hexdigest()[:12]

    def count(self) -> str:
        """Return the query that counts what $query matches, as far as can be paged through."""
        return (
            f"query Count($query: String!) {{ {self.root}Count(query: $query, limit: {MOST_PAGED + 1}) {{ count }} }}"
        )


def since(start: datetime, end: datetime | None = None) -> str:
    """Return the filter on what changed from one instant until before another.

    Quoted, since only the date of an unquoted time is used; with ``>=``, since ``>`` leaves out the whole second.
    """
    begun = f"updated_at:>='{instant(start)}'"
    return f"{begun} AND updated_at:<'{instant(end)}'" if end else begun


def instant(moment: datetime) -> str:
    """Write an instant as Shopify does."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _edges(fields: str) -> str:
    return f"{{ {_PAGE} edges {{ node {{ {fields} }} }} }}"


CUSTOMERS = Listing(
    "customers",
    "Customer",
    "id locale tags createdAt updatedAt numberOfOrders amountSpent { amount currencyCode } dataSaleOptOut",
    "firstName lastName "
    "defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt } "
    f"defaultPhoneNumber {{ phoneNumber smsMarketingConsent {_CONSENT} whatsAppMarketingConsent {_CONSENT} }} "
    "defaultAddress { city provinceCode countryCodeV2 zip phone }",
    {},
)
ORDERS = Listing(
    "orders",
    "Order",
    "id name test processedAt updatedAt cancelledAt displayFinancialStatus sourceName cartToken checkoutToken "
    f"discountCodes customer {{ id }} totalPriceSet {_MONEY} totalDiscountsSet {_MONEY} totalRefundedSet {_MONEY}",
    "email phone shippingAddress { countryCodeV2 provinceCode } billingAddress { countryCodeV2 provinceCode }",
    {
        "lineItems": "id sku name vendor quantity currentQuantity isGiftCard product { id productType } "
        f"originalUnitPriceSet {_MONEY} totalDiscountSet {_MONEY}",
        "discountApplications": "index targetType ... on DiscountCodeApplication { code }",
    },
)
CARTS = Listing(
    "abandonedCheckouts",
    "AbandonedCheckout",
    f"id createdAt updatedAt completedAt abandonedCheckoutUrl customer {{ id }} totalPriceSet {_MONEY}",
    "customer { defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } }",
    {"lineItems": f"id sku title variantTitle quantity product {{ id productType }} originalUnitPriceSet {_MONEY}"},
    sort="CREATED_AT",  # there is no UPDATED_AT
    recounts=False,  # old ones are listed no more, and were begun all the same
)
PRODUCTS = Listing(
    "products",
    "Product",
    "id title productType vendor status updatedAt onlineStoreUrl featuredMedia { preview { image { url } } } "
    "priceRangeV2 { minVariantPrice { amount currencyCode } } "
    "compareAtPriceRange { minVariantCompareAtPrice { amount currencyCode } }",
    "",
    {"variants": "id availableForSale", "collections": "id title"},
)

LISTINGS: Mapping[str, Listing] = {"customers": CUSTOMERS, "orders": ORDERS, "carts": CARTS, "products": PRODUCTS}
"""The lists by the stream that reads them."""

START = (
    "query Start { currentAppInstallation { accessScopes { handle } } "
    f"customers(first: 3) {{ nodes {{ id {CUSTOMERS.personal} }} }} }}"
)
"""What the app may see, asked in one: its scopes, and whether personal data is refused."""
INSTALLATION = "query Installation { currentAppInstallation { accessScopes { handle } } }"
SHOP = "query Shop { shop { name myshopifyDomain currencyCode ianaTimezone plan { publicDisplayName } } }"
COUNTS = (
    "query Counts { customersCount { count precision } ordersCount { count precision } "
    "productsCount { count precision } abandonedCheckoutsCount { count precision } }"
)
CONTACTS = (
    "query Contacts($first: Int!) { customers(first: $first, sortKey: UPDATED_AT, reverse: true) "
    "{ nodes { id firstName lastName defaultEmailAddress { emailAddress } } } }"
)
STILL_THERE = "query StillThere($ids: [ID!]!) { nodes(ids: $ids) { id } }"
RUN_BULK = (
    "mutation RunBulk($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) "
    "{ bulkOperation { id status createdAt } userErrors { code field message } } }"
)
LOOK_AT_BULK = (
    "query LookAtBulk($id: ID!) { bulkOperation(id: $id) "
    "{ id status errorCode createdAt objectCount rootObjectCount fileSize url } }"
)
RECENT_BULK = "query RecentBulk { bulkOperations(first: 10) { nodes { id status type createdAt query } } }"
