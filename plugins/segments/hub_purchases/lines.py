"""Cut buyers by which products they bought, or never did."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from hub import api

LONGEST = timedelta(days=3650)

Texts = tuple[str, ...] | None


def _one_of(value: str, setting: str) -> str:
    """Return SQL for whether a text is one of a setting's, whatever its case; where it is not set every one is."""
    wanted = f"list_transform({setting}::varchar[], lambda t: lower(t))"
    return f"({setting}::varchar[] is null or list_contains({wanted}, lower({value})))"


def _in_one_of(setting: str) -> str:
    wanted = f"list_transform({setting}::varchar[], lambda t: lower(t))"
    own = "list_transform(coalesce(lines.collections, known_products.collections), lambda t: lower(t))"
    return f"({setting}::varchar[] is null or list_has_any({own}, {wanted}))"


def _by_line(types: str, skus: str) -> str:
    return f"{_one_of('product_type', types)} and {_one_of('sku', skus)}"


def _by_product(vendors: str, collections: str) -> str:
    return f"{_one_of('coalesce(lines.vendor, known_products.vendor)', vendors)} and {_in_one_of(collections)}"


# Whether a line fits is unknown where a value that it is judged by is, and so is an order without lines; a part that
# is false decides against one that is unknown, as in any "and". What the line itself says is asked first: of the lines
# that it decides against nothing more is read.
bought_line = api.Base(
    "orders with a product line",
    f"""
    with known_products as (
        select system, product_id, vendor, collections from products
        where $vendors::varchar[] is not null or $collections::varchar[] is not null
    ),
    likely as (
        select *, {_by_line("$product_types", "$skus")} as fits from order_lines
        where order_counted and person_id is not null and order_placed_at <= $as_of
            and ($window::interval is null or order_placed_at > $as_of - $window::interval)
            and ({_by_line("$product_types", "$skus")}) is distinct from false
    ),
    judged as (
        select
            lines.person_id, lines.order_placed_at as placed_at, hash(lines.system, lines.order_id) as order_key,
            lines.quantity * lines.unit_price - coalesce(lines.discount, 0) as worth,
            lines.fits and {_by_product("$vendors", "$collections")} as fits
        from likely as lines
        left join known_products
            on known_products.system = lines.system and known_products.product_id = lines.product_id
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
        select person_id from order_totals
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
    f"""
    with known_products as (
        select system, product_id, vendor, collections from products
        where $bought_vendors::varchar[] is not null or $bought_collections::varchar[] is not null
            or $never_vendors::varchar[] is not null or $never_collections::varchar[] is not null
    ),
    likely as (
        select
            *, {_by_line("$bought_types", "$bought_skus")} as fits, {_by_line("$never_types", "$never_skus")} as other
        from order_lines
        where order_counted and person_id is not null and order_placed_at <= $as_of
            and (({_by_line("$bought_types", "$bought_skus")}) is distinct from false
                 or ({_by_line("$never_types", "$never_skus")}) is distinct from false)
    ),
    judged as (
        select
            lines.person_id, lines.order_placed_at as placed_at, hash(lines.system, lines.order_id) as order_key,
            lines.title, struct_pack(t := lines.order_placed_at, o := lines.order_id, l := lines.line) as place,
            lines.fits and {_by_product("$bought_vendors", "$bought_collections")} as fits,
            lines.other and {_by_product("$never_vendors", "$never_collections")} as other
        from likely as lines
        left join known_products
            on known_products.system = lines.system and known_products.product_id = lines.product_id
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
        select person_id from order_totals
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
