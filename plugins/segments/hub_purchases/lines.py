"""Cut buyers by which products they bought, or never did."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from hub import api

LONGEST = timedelta(days=3650)

Texts = tuple[str, ...] | None

# Whether a line fits is unknown where a value that it is judged by is, and so is an order without lines; a part that
# is false decides against one that is unknown, as in any "and".
bought_line = api.Base(
    "orders with a product line",
    """
    with wanted as (
        select
            list_transform($product_types::varchar[], lambda t: lower(t)) as types,
            list_transform($vendors::varchar[], lambda t: lower(t)) as vendors,
            list_transform($skus::varchar[], lambda t: lower(t)) as skus,
            list_transform($collections::varchar[], lambda t: lower(t)) as collections
    ),
    known_products as (
        select system, product_id, vendor, collections from products
        where $vendors::varchar[] is not null or $collections::varchar[] is not null
    ),
    sold as (
        select
            lines.person_id, lines.order_placed_at as placed_at, hash(lines.system, lines.order_id) as order_key,
            lines.quantity * lines.unit_price - coalesce(lines.discount, 0) as worth,
            lower(lines.product_type) as product_type,
            lower(lines.sku) as sku,
            lower(coalesce(lines.vendor, known_products.vendor)) as vendor,
            list_transform(coalesce(lines.collections, known_products.collections), lambda t: lower(t)) as collections
        from order_lines as lines
        left join known_products
            on known_products.system = lines.system and known_products.product_id = lines.product_id
        where lines.order_counted and lines.person_id is not null and lines.order_placed_at <= $as_of
            and ($window::interval is null or lines.order_placed_at > $as_of - $window::interval)
    ),
    judged as (
        select
            person_id, placed_at, order_key, worth,
            ($product_types::varchar[] is null or list_contains(wanted.types, product_type))
            and ($vendors::varchar[] is null or list_contains(wanted.vendors, vendor))
            and ($skus::varchar[] is null or list_contains(wanted.skus, sku))
            and ($collections::varchar[] is null or list_has_any(sold.collections, wanted.collections)) as fits
        from sold cross join wanted
    ),
    fitting as (
        select
            person_id, count(distinct order_key) filter (where fits) as line_orders,
            sum(worth) filter (where fits) as worth, max(placed_at) filter (where fits) as line_at,
            count(*) filter (where fits is null) as unknown
        from judged where fits is distinct from false group by person_id
    ),
    without_lines as (
        select person_id, count(*) as orders from orders_without_lines
        where placed_at <= $as_of and ($window::interval is null or placed_at > $as_of - $window::interval)
        group by person_id
    ),
    buyers as (
        select distinct person_id from orders where counted and person_id is not null and placed_at <= $as_of
    )
    select
        person_id, coalesce(line_orders, 0) as line_orders, round(worth, 2)::decimal(18, 2) as line_spend, line_at,
        case
            when line_orders > 0 then true
            when unknown > 0 or without_lines.orders > 0 then null
            else false
        end as bought
    from buyers left join fitting using (person_id) left join without_lines using (person_id)
    """,
    absent="no counted order",
    units={"line_orders": "orders", "line_spend": "money", "line_at": "time"},
)

bought_one_and_other = api.Base(
    "orders with two product lines",
    """
    with wanted as (
        select
            list_transform($bought_types::varchar[], lambda t: lower(t)) as types,
            list_transform($bought_vendors::varchar[], lambda t: lower(t)) as vendors,
            list_transform($bought_skus::varchar[], lambda t: lower(t)) as skus,
            list_transform($bought_collections::varchar[], lambda t: lower(t)) as collections,
            list_transform($never_types::varchar[], lambda t: lower(t)) as other_types,
            list_transform($never_vendors::varchar[], lambda t: lower(t)) as other_vendors,
            list_transform($never_skus::varchar[], lambda t: lower(t)) as other_skus,
            list_transform($never_collections::varchar[], lambda t: lower(t)) as other_collections
    ),
    known_products as (
        select system, product_id, vendor, collections from products
        where $bought_vendors::varchar[] is not null or $bought_collections::varchar[] is not null
            or $never_vendors::varchar[] is not null or $never_collections::varchar[] is not null
    ),
    sold as (
        select
            lines.person_id, lines.order_placed_at as placed_at, lines.order_id, lines.line, lines.title,
            hash(lines.system, lines.order_id) as order_key,
            lower(lines.product_type) as product_type,
            lower(lines.sku) as sku,
            lower(coalesce(lines.vendor, known_products.vendor)) as vendor,
            list_transform(coalesce(lines.collections, known_products.collections), lambda t: lower(t)) as collections
        from order_lines as lines
        left join known_products
            on known_products.system = lines.system and known_products.product_id = lines.product_id
        where lines.order_counted and lines.person_id is not null and lines.order_placed_at <= $as_of
    ),
    judged as (
        select
            person_id, placed_at, order_key, title, struct_pack(t := placed_at, o := order_id, l := line) as place,
            ($bought_types::varchar[] is null or list_contains(wanted.types, product_type))
            and ($bought_vendors::varchar[] is null or list_contains(wanted.vendors, vendor))
            and ($bought_skus::varchar[] is null or list_contains(wanted.skus, sku))
            and ($bought_collections::varchar[] is null or list_has_any(sold.collections, wanted.collections)) as fits,
            ($never_types::varchar[] is null or list_contains(wanted.other_types, product_type))
            and ($never_vendors::varchar[] is null or list_contains(wanted.other_vendors, vendor))
            and ($never_skus::varchar[] is null or list_contains(wanted.other_skus, sku))
            and ($never_collections::varchar[] is null
                 or list_has_any(sold.collections, wanted.other_collections)) as other
        from sold cross join wanted
    ),
    fitting as (
        select
            person_id, count(distinct order_key) filter (where fits) as line_orders,
            arg_max(title, place) filter (where fits) as line_title, max(placed_at) filter (where fits) as line_at,
            count(*) filter (where fits is null) as unknown
        from judged where fits is distinct from false group by person_id
    ),
    others as (
        select person_id, bool_or(other) as other, count(*) filter (where other is null) as other_unknown
        from judged where other is distinct from false group by person_id
    ),
    without_lines as (
        select person_id, count(*) as orders from orders_without_lines where placed_at <= $as_of group by person_id
    ),
    buyers as (
        select distinct person_id from orders where counted and person_id is not null and placed_at <= $as_of
    )
    select
        person_id, coalesce(line_orders, 0) as line_orders, line_title, line_at,
        case
            when line_orders > 0 then true
            when unknown > 0 or without_lines.orders > 0 then null
            else false
        end as bought,
        case
            when other then true
            when other_unknown > 0 or without_lines.orders > 0 then null
            else false
        end as bought_other
    from buyers
    left join fitting using (person_id)
    left join others using (person_id)
    left join without_lines using (person_id)
    """,
    absent="no counted order",
    units={"line_orders": "orders", "line_at": "time"},
)


def _texts(description: str, *examples: tuple[str, ...]) -> Texts:
    field: Texts = api.Field(default=None, min_length=1, description=description, examples=list(examples) or None)
    return field


class ProductLineConfig(api.Config):
    """Settings of product-line."""

    product_types: Texts = _texts("kinds of product; a line must be of one of them", ("coffee machine",))
    vendors: Texts = _texts("makers or brands; where several kinds of settings are given, a line must fit each")
    skus: Texts = _texts("stock keeping units")
    collections: Texts = _texts("collections; a line must be in one of them")
    bought: bool = api.Field(default=True, description="false: customers who never bought it")
    window: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="how far back orders are looked at; default: ever"
    )
    min_orders: int = api.Field(default=1, ge=1, description="counted orders with such a line, where bought is true")

    @model_validator(mode="after")
    def _says_what(self) -> ProductLineConfig:
        if not (self.product_types or self.vendors or self.skus or self.collections):
            raise ValueError("say what was bought: product_types, vendors, skus or collections")
        if not self.bought and self.min_orders > 1:
            raise ValueError("min_orders counts orders with such a line; with bought = false there is none")
        return self


class ProductLine(api.Segment[ProductLineConfig]):
    """Customers who bought a line of products, or who never did.

    Who: people with at least min_orders (1) counted orders, ever or within the window, that hold a line of one of
    the product_types, vendors, skus or collections; where several of these are given a line must fit each of them.
    Texts are compared whatever their case. With bought = false: people with a counted order and no such line at
    all. Vendor and collections are taken from the product where the line does not say. Where some line's kind is
    unknown, or an order has no lines, nobody can say "never": such people are out for insufficient data. Contacts
    without any order are in never-purchased.

    Use it for: refills and accessories, news of a brand, leaving owners out of a campaign. Message that suits: what
    goes with what they have; for those who never bought it, why others do.
    """

    name = "product-line"
    version = 1
    starter = False
    Config = ProductLineConfig
    base = bought_line
    rule = (
        api.equals("bought", "$bought"),
        api.at_least("line_orders", "$min_orders", when=("bought", True)),
    )
    evidence = ("line_orders", "line_spend", "line_at")
    needs: tuple[api.Need, ...] = (api.Need.ORDERS, api.Need.ORDER_LINES)
    windows = ("window",)

    def __init__(self, config: ProductLineConfig) -> None:
        super().__init__(config)
        if not config.bought:
            self.needs = (*self.needs, api.Need.ORDERS_AS_FRESH_AS_CARTS)


class CrossSellConfig(api.Config):
    """Settings of cross-sell."""

    bought_types: Texts = _texts("kinds of product that were bought", ("coffee machine",))
    bought_vendors: Texts = _texts("makers or brands that were bought")
    bought_skus: Texts = _texts("stock keeping units that were bought")
    bought_collections: Texts = _texts("collections that were bought from")
    never_types: Texts = _texts("kinds of product that never were", ("descaler",))
    never_vendors: Texts = _texts("makers or brands that never were")
    never_skus: Texts = _texts("stock keeping units that never were")
    never_collections: Texts = _texts("collections that were never bought from")
    min_age: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="the last such purchase is at least this old"
    )
    max_age: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="the last such purchase is younger than this"
    )

    @model_validator(mode="after")
    def _says_what(self) -> CrossSellConfig:
        if not (self.bought_types or self.bought_vendors or self.bought_skus or self.bought_collections):
            raise ValueError("say what was bought: bought_types, bought_vendors, bought_skus or bought_collections")
        if not (self.never_types or self.never_vendors or self.never_skus or self.never_collections):
            raise ValueError("say what never was: never_types, never_vendors, never_skus or never_collections")
        if self.min_age and self.max_age and self.min_age >= self.max_age:
            shown = f"{api.format_duration(self.min_age)} and {api.format_duration(self.max_age)}"
            raise ValueError(f"min_age must be shorter than max_age, not {shown}")
        return self


class CrossSell(api.Segment[CrossSellConfig]):
    """Customers who bought one thing and never another that goes with it.

    Who: people with a line that fits the bought_ settings in a counted order, and no line, ever, that fits the
    never_ settings. Within each side a line must fit all settings given; within a setting one of its texts is
    enough, whatever its case. min_age and max_age limit when the first thing was last bought. Where the kind of
    some line is unknown, or an order has no lines, nobody can say "never": such people are out for insufficient
    data.

    Use it for: accessories, refills, care, the second half of a set. Message that suits: "goes with your
    ``line_title``", and why it is needed.
    """

    name = "cross-sell"
    version = 1
    starter = False
    Config = CrossSellConfig
    base = bought_one_and_other
    rule = (
        api.equals("bought", True),
        api.equals("bought_other", False),
        api.not_within("line_at", "$min_age"),
        api.within("line_at", "$max_age"),
    )
    evidence = ("line_title", "line_at", "line_orders")
    needs = (api.Need.ORDERS, api.Need.ORDER_LINES, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("min_age", "max_age")
