"""Cut visitors by what they looked at and how long they stayed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from hub import api

LONGEST = timedelta(days=365)
MONTH = timedelta(days=30)
FEW = 8

# Whether a view is of one of the kinds of product asked for, whatever their case; where none are, every view is.
_OF_KINDS = """($product_types::varchar[] is null or list_contains(
    list_transform($product_types::varchar[], lambda t: lower(t)), lower(product_type)))"""

Texts = tuple[str, ...] | None

last_view = api.Base(
    "the last product looked at",
    f"""
    with views as (
        select person_id, system, product_id, product_type, happened_at, event_id from events
        where name = 'view_item' and person_id is not null
            and happened_at > $as_of - $max_age and happened_at <= $as_of
            and {_OF_KINDS}
    ),
    viewed as (
        select person_id, count(*) as views, max(happened_at) as viewed_at,
            arg_max(
                struct_pack(system := system, product_id := product_id, product_type := product_type),
                struct_pack(t := happened_at, e := event_id)
            ) as seen
        from views group by person_id
    ),
    cart_touched as (
        select person_id, max(touched_at) as touched_at from (
            select person_id, changed_at as touched_at from carts where changed_at > $as_of - $max_age
            union all
            select person_id, happened_at from events
            where name in ('add_to_cart', 'begin_checkout', 'add_shipping_info', 'add_payment_info')
                and happened_at > $as_of - $max_age and happened_at <= $as_of
        ) group by person_id
    ),
    bought as (
        select person_id, max(bought_at) as bought_at from (
            select person_id, placed_at as bought_at from orders
            where counted and placed_at > $as_of - $max_age and placed_at <= $as_of
            union all
            select person_id, happened_at from events
            where name = 'purchase' and happened_at > $as_of - $max_age and happened_at <= $as_of
        ) group by person_id
    )
    select
        viewed.person_id, viewed.views, viewed.viewed_at,
        viewed.seen.product_id as product_id,
        coalesce(viewed.seen.product_type, products.product_type) as product_type,
        products.title as product_title, products.url as product_url, products.image_url as product_image,
        coalesce(cart_touched.touched_at >= viewed.viewed_at, false) as cart_since,
        coalesce(bought.bought_at >= viewed.viewed_at, false) as bought_since
    from viewed
    left join cart_touched using (person_id)
    left join bought using (person_id)
    left join products on products.system = viewed.seen.system and products.product_id = viewed.seen.product_id
    """,
    absent="no such product viewed in the last {max_age}",
    units={"views": "views", "viewed_at": "time"},
)

attention = api.Base(
    "attention on the shop's pages",
    """
    select person_id, round(sum(engagement_ms) / 1000.0, 1) as engaged_seconds, max(happened_at) as last_seen_at
    from events
    where person_id is not null and happened_at > $as_of - $window and happened_at <= $as_of
    group by person_id
    """,
    absent="no visit in the last {window}",
    units={"engaged_seconds": "seconds", "last_seen_at": "time"},
)


def _has_one_of(text: str, parts: str) -> str:
    """Return SQL for whether a text has one of a list's in it, whatever their case.

    The first of the list are written out: what is asked with a constant is asked once per different text, what is
    asked in a lambda once per row.
    """
    first = (f"contains(lower({text}), lower(({parts})[{n}]))" for n in range(1, FEW + 1))
    rest = f"list_bool_or(list_transform(({parts})[{FEW + 1}:], lambda t: contains(lower({text}), lower(t))))"
    return f"({' or '.join(first)} or (len({parts}) > {FEW} and {rest}))"


views_of_something = api.Base(
    "views of pages or products",
    f"""
    select person_id, count(*) as views, max(happened_at) as viewed_at
    from events
    where person_id is not null and happened_at > $as_of - $window and happened_at <= $as_of
        and name = case when $products::varchar[] is null and $product_types::varchar[] is null
                        then 'page_view' else 'view_item' end
        and ($pages::varchar[] is null or {_has_one_of("url", "$pages::varchar[]")})
        and ($products::varchar[] is null or list_contains($products::varchar[], product_id))
        and {_OF_KINDS}
    group by person_id
    """,
    absent="no such view in the last {window}",
    units={"views": "views", "viewed_at": "time"},
)


class BrowseAbandonersConfig(api.Config):
    """Settings of browse-abandoners."""

    min_age: api.Duration = api.Field(
        default=timedelta(hours=1),
        ge=timedelta(0),
        le=timedelta(days=90),
        description="the last view is at least this long ago (1h); shorter catches people who still look around",
    )
    max_age: api.Duration = api.Field(
        default=timedelta(days=7), gt=timedelta(0), le=LONGEST, description="and less long ago than this (7d)"
    )
    min_views: int = api.Field(default=1, ge=1, description="product views within max_age")
    product_types: Texts = api.Field(default=None, min_length=1, description="only views of these kinds of product")

    @model_validator(mode="after")
    def _ages_in_order(self) -> BrowseAbandonersConfig:
        if self.min_age >= self.max_age:
            shown = f"{api.format_duration(self.min_age)} and {api.format_duration(self.max_age)}"
            raise ValueError(f"min_age must be shorter than max_age, not {shown}")
        return self


class BrowseAbandoners(api.Segment[BrowseAbandonersConfig]):
    """People who looked at products, put nothing into a cart and left.

    Who: people whose last product view is at least min_age (1h) and less than max_age (7d) ago, with no cart
    touched and no counted order since that view, on any address. A cart is seen as the shop's cart or as an event
    (add_to_cart, begin_checkout and the steps after it). product_types looks at views of those kinds only. Visits
    are known only of visitors who allowed it and who can be matched to a customer or an order; the others are
    members without an address. Where orders are older than the carts, nobody is added until they catch up.

    Use it for: a gentle reminder a few hours later, advice, similar products. Message that suits: what they looked
    at (``product_title``, ``product_url``), reviews of it, help with choosing; no pressure.
    """

    name = "browse-abandoners"
    version = 1
    starter = False
    Config = BrowseAbandonersConfig
    base = last_view
    rule = (
        api.not_within("viewed_at", "$min_age"),
        api.at_least("views", "$min_views"),
        api.equals("cart_since", False),
        api.equals("bought_since", False),
    )
    evidence = ("product_id", "product_title", "product_url", "product_image", "product_type", "viewed_at", "views")
    needs = (api.Need.EVENTS, api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("max_age",)


class TimeOnSiteConfig(api.Config):
    """Settings of time-on-site."""

    window: api.Duration = api.Field(
        default=MONTH, gt=timedelta(0), le=LONGEST, description="how far back visits count (30d)"
    )
    min_seconds: float = api.Field(default=300, gt=0, description="seconds of attention in the window, at least")


class TimeOnSite(api.Segment[TimeOnSiteConfig]):
    """People who spend time in the shop.

    Who: people with at least min_seconds (300) seconds of attention on the shop's pages in the window (30d), as the
    analytics tool measures it: the page was open and in front. Somebody whose visits carry no such measure is out for
    insufficient data. Whether they bought is another question: combine it with never-purchased or repeat.

    Use it for: advice and personal contact for those who look and do not buy, invitations, audiences of the truly
    interested. Message that suits: can we help you choose; the guide to what they looked at.
    """

    name = "time-on-site"
    version = 1
    starter = False
    Config = TimeOnSiteConfig
    base = attention
    rule = (api.at_least("engaged_seconds", "$min_seconds"),)
    evidence = ("engaged_seconds", "last_seen_at")
    needs = (api.Need.EVENTS,)
    windows = ("window",)


class ViewedConfig(api.Config):
    """Settings of viewed."""

    pages: Texts = api.Field(
        default=None, min_length=1, description="parts of the page's address, such as /sale/", examples=[("/sale/",)]
    )
    products: Texts = api.Field(default=None, min_length=1, description="the shop's ids of products")
    product_types: Texts = api.Field(default=None, min_length=1, description="kinds of product")
    window: api.Duration = api.Field(
        default=MONTH, gt=timedelta(0), le=LONGEST, description="how far back views count (30d)"
    )
    min_views: int = api.Field(default=1, ge=1, description="such views in the window, at least")

    @model_validator(mode="after")
    def _says_what(self) -> ViewedConfig:
        if not (self.pages or self.products or self.product_types):
            raise ValueError("say what was viewed: pages, products or product_types")
        return self


class Viewed(api.Segment[ViewedConfig]):
    """People who looked at certain pages, products or kinds of product.

    Who: people with at least min_views (1) views in the window (30d) that fit all the settings given: a page whose
    address holds one of pages, one of the products, one of the product_types; texts are compared whatever their case.
    With pages alone every page view counts, else product views do.

    Use it for: news about what they care for, sale to those who watch it, leaving the uninterested in peace. Message
    that suits: more of what they looked at.
    """

    name = "viewed"
    version = 1
    starter = False
    Config = ViewedConfig
    base = views_of_something
    rule = (api.at_least("views", "$min_views"),)
    evidence = ("views", "viewed_at")
    needs = (api.Need.EVENTS,)
    windows = ("window",)
