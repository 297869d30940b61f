-- Statements of the Analytics source. Names in braces are filled in by Python: expressions of layout.py, quoted
-- literals, and other statements; values are bound.

-- name: macros
create or replace macro told(t) as case when t in ('', '(not set)') then null else t end;
create or replace macro yes_no(t) as
    case lower(t) when 'yes' then true when 'true' then true when 'granted' then true when '1' then true
                  when 'no' then false when 'false' then false when 'denied' then false when '0' then false end;
create or replace macro text_of(v) as told(coalesce(v.string_value, cast(v.int_value as varchar)));
create or replace macro finite(d) as case when isfinite(d) then d end;
create or replace macro number_of(v) as
    coalesce(finite(v.double_value), finite(v.float_value), v.int_value, finite(try_cast(v.string_value as double)));
create or replace macro whole_of(v) as
    coalesce(v.int_value, try_cast(v.double_value as bigint), try_cast(v.string_value as bigint));
create or replace macro plain_name(t) as
    trim(regexp_replace(
        regexp_replace(lower(strip_accents(replace(t, '&', ' and '))), '[''’]', '', 'g'), '[^a-z0-9]+', ' ', 'g'))

-- name: countries
create or replace table known_countries as select unnest($codes) as code, unnest($names) as name

-- name: silence
set variable silence_permits = (
    select map(cast($countries as varchar[]), list_transform(cast($countries as varchar[]), lambda x: true)))

-- name: shop_country
set variable shop_country = cast($country as varchar)

-- name: parquet
read_parquet({files}, union_by_name = true)

-- name: lines
-- A line that is no JSON is NULL here.
read_json_objects({path}, format = {format}, compression = {compression}, ignore_errors = true, maximum_object_size = 67108864)

-- name: from_json
copy (
    select e.*, e.event_name is null or e.event_timestamp is null as _unusable
    from (select from_json(json, {structure}) as e from {lines}))
to {target} (format parquet, compression zstd)

-- name: count_unusable
select count(*) from {source} where _unusable

-- name: unusable
-- Counting lines keeps DuckDB from reading them in parallel: it is done only where one of them is no event.
select _record, coalesce(raw, '(no JSON)') from (
    select row_number() over () as _record, raw, from_json(raw, {structure}) as e from (
        select cast(json as varchar) as raw from {lines}))
where e.event_name is null or e.event_timestamp is null
order by _record

-- name: span
select count(*), count(*) filter (happened_us < $from or happened_us >= $until), min(happened_us), max(happened_us)
from (select {event_timestamp} as happened_us from {source} where {usable})

-- name: names_of_countries
select distinct told({country}) as name from {source} where {usable}

-- name: know_countries
-- As a map, not a table that the events are joined with: their order is to stay.
set variable countries = (
    select map(list(s.name order by s.name), list(coalesce(
        k.code, case when regexp_full_match(s.name, '[A-Z]{{2}}') then s.name end, '{unknown}') order by s.name))
    from (select unnest(cast($names as varchar[])) as name) as s
    left join known_countries as k on k.name = plain_name(s.name))

-- name: unknown_countries
select name from (select unnest(map_entries(getvariable('countries')), recursive := true)) as t(name, code)
where code = '{unknown}' order by name

-- name: day
-- One day's table in uniform columns. A cookieless ping has no visitor: that is what refused consent looks like where
-- nothing says so.
select
    {event_timestamp} as happened_us, {event_name} as name,
    {event_bundle_sequence_id} as bundle, {batch_page_id} as batch_page, {batch_ordering_id} as batch_order,
    {batch_event_index} as batch_event,
    told({user_pseudo_id}) as visitor_id, told({user_id}) as user_id,
    {event_params} as params, [p.key for p in {event_params}] as keys, {items} as items,
    coalesce(yes_no({analytics}), case when told({user_pseudo_id}) is null then false end) as analytics_consent,
    yes_no({analytics}) as analytics_said, yes_no({ads}) as ads_consent,
    getvariable('countries')[told({country})] as country, told({device}) as device,
    told({transaction_id}) as transaction_id, coalesce(finite({purchase_revenue}), finite({refund_value})) as revenue,
    coalesce(told({session_source}), told({campaign_source}), told({event_source}), told({first_source})) as source,
    coalesce(told({session_medium}), told({campaign_medium}), told({event_medium}), told({first_medium})) as medium
from {source}
where {usable} and {event_timestamp} >= {from_us} and {event_timestamp} < {until_us}

-- name: events
-- Without a join, and so without a list of names (DuckDB makes a join of it): a join mixes up the order of rows, and of
-- two with one key the last must stand.
select
    concat_ws('.', visitor_id, happened_us, bundle, batch_event, name) as event_id,
    visitor_id, user_id,
    visitor_id || '.' || text_of(params[list_position(keys, 'ga_session_id')].value) as session_id,
    name, make_timestamp(happened_us) as happened_at,
    told(params[list_position(keys, 'page_location')].value.string_value) as url,
    told(item.item_id) as product_id, told(item.item_category) as product_type,
    value, case when value is not null then told(params[list_position(keys, 'currency')].value.string_value) end as currency,
    coalesce(transaction_id, text_of(params[list_position(keys, 'transaction_id')].value)) as transaction_id,
    whole_of(params[list_position(keys, 'engagement_time_msec')].value) as engagement_ms,
    country, device, concat_ws(' / ', source, medium) as traffic_source, analytics_consent, ads_consent
from (
    select
        *, try_cast(coalesce(number_of(params[list_position(keys, 'value')].value), revenue) as decimal(24, 6)) as value,
        case when len(items) = 1 then items[1] else case name
            when 'view_item' then items[1] when 'select_item' then items[1] when 'add_to_wishlist' then items[1]
            when 'add_to_cart' then items[1] when 'remove_from_cart' then items[1] end end as item
    from ({days}))

-- name: attributable
coalesce(analytics_consent, map_contains(getvariable('silence_permits'), coalesce(country, getvariable('shop_country'))), false)

-- name: keep_steps
-- What happened to carts on a day, as far as it may be attributed.
copy (
    select
        visitor_id, user_id, happened_us, bundle, batch_page, batch_order, batch_event, name,
        list_transform(items, lambda x: {{
            'item_id': told(x.item_id), 'item_name': told(x.item_name), 'item_variant': told(x.item_variant),
            'item_category': told(x.item_category), 'price': finite(x.price), 'quantity': coalesce(x.quantity, 1)}}) as items,
        number_of(params[list_position(keys, 'value')].value) as value,
        told(params[list_position(keys, 'currency')].value.string_value) as currency,
        coalesce(transaction_id, text_of(params[list_position(keys, 'transaction_id')].value)) as transaction_id
    from ({days})
    where name in ('add_to_cart', 'remove_from_cart', 'view_cart', 'begin_checkout', 'add_shipping_info',
                   'add_payment_info', 'purchase')
        and visitor_id is not null and {attributable}
    qualify row_number() over (partition by visitor_id, happened_us, name, bundle, batch_event) = 1)
to {target} (format parquet, compression zstd)

-- name: keep_signals
-- What each customer last said on a day about analytics and about ads; of two words at one instant the refusal. A
-- refusal counts from any event, a permission only from one that may be attributed.
copy (
    with said as (
        select user_id, happened_us, analytics_said,
               case when {attributable} or not ads_consent then ads_consent end as ads_consent
        from ({days}) where user_id is not null),
    each as (
        select user_id, 'analytics' as channel, happened_us, analytics_said as granted from said
        union all
        select user_id, 'ads', happened_us, ads_consent from said)
    select user_id, channel, max(happened_us) as happened_us, arg_max(granted, happened_us * 2 + (not granted)::int) as granted
    from each where granted is not null group by all)
to {target} (format parquet, compression zstd)

-- name: consents
-- The latest word of everybody who said something on the days that changed. Cookie consent permits reading events: it
-- is no permission to hand anybody's address to an advertiser.
with latest as (
    select user_id, channel, max(happened_us) as happened_us, arg_max(granted, happened_us * 2 + (not granted)::int) as granted
    from read_parquet({signals})
    where (user_id, channel) in (select user_id, channel from read_parquet({changed}))
    group by all)
select
    user_id as subject, 'customer_id' as subject_kind, channel,
    case when channel = 'ads' then case when granted then 'unknown' else 'never' end
         when granted then 'subscribed' else 'unsubscribed' end as status,
    make_timestamp(happened_us) as recorded_at, 'record' as dated_by,
    'Google Analytics 4: ' || channel || '_storage = ' || case when granted then 'Yes' else 'No' end as evidence
from latest
order by subject, channel

-- name: steps
-- Every step of every visitor in the order it happened. A purchase told again is none.
create or replace table steps as
with seen as (select * from read_parquet({steps})),
once as (
    select * from seen where name <> 'purchase' or transaction_id is null
    union all
    select * from seen where name = 'purchase' and transaction_id is not null
    qualify row_number() over (partition by transaction_id order by happened_us, visitor_id) = 1),
placed as (
    select *, row_number() over (partition by visitor_id order by happened_us, bundle, batch_page, batch_order, batch_event, name) as place
    from once),
before as (
    select *, lag(happened_us) over w as last_us, lag(name) over w as last_name
    from placed window w as (partition by visitor_id order by place))
select
    *,
    -- A purchase ends a cart, and so does a long rest.
    sum(case when last_us is null or last_name = 'purchase' or happened_us - last_us > $rest_us then 1 else 0 end)
        over (partition by visitor_id order by place) as cart,
    name in ('view_cart', 'begin_checkout', 'add_shipping_info', 'add_payment_info', 'purchase') and len(items) > 0 as is_whole
from before

-- name: found_carts
create or replace table found_carts as
select
    visitor_id, cart, md5(visitor_id || '.' || min(happened_us)) as cart_id,
    arg_max(user_id, place) filter (user_id is not null) as customer_id,
    min(happened_us) as begun_us, max(happened_us) filter (name <> 'purchase') as changed_us,
    max(happened_us) filter (name = 'purchase') as bought_us,
    max(case name when 'begin_checkout' then 1 when 'add_shipping_info' then 2 when 'add_payment_info' then 3 else 0 end)
        filter (name <> 'purchase') as step,
    arg_max(currency, place) filter (currency is not null) as currency,
    max(place) filter (is_whole) as whole_at,
    arg_max(value, place) filter (name not in ('add_to_cart', 'remove_from_cart')) as told_value
from steps group by visitor_id, cart
having count(*) filter (name <> 'purchase') > 0

-- name: found_lines
-- The last event that told the whole cart, and what was put in and taken out after it.
create or replace table found_lines as
with touched as (
    select s.visitor_id, s.cart, c.cart_id, s.place, s.name, unnest(s.items) as item
    from steps as s join found_carts as c on c.visitor_id = s.visitor_id and c.cart = s.cart
    where s.place = c.whole_at
        or (s.place > coalesce(c.whole_at, 0) and s.name in ('add_to_cart', 'remove_from_cart')))
select
    visitor_id, cart, cart_id,
    concat_ws(' ', coalesce(item.item_id, item.item_name), item.item_variant) as line,
    arg_max(item.item_id, place) as product_id, arg_max(item.item_name, place) as title,
    arg_max(item.item_category, place) as product_type,
    sum(case when name = 'remove_from_cart' then -item.quantity else item.quantity end) as quantity,
    try_cast(arg_max(item.price, place) as decimal(24, 6)) as unit_price
from touched
where coalesce(item.item_id, item.item_name) is not null
group by all

-- name: carts
-- A cart that was emptied is none. Its worth is that of its lines, else what the last event that told it said.
with worth as (
    select
        visitor_id, cart, count(*) filter (quantity > 0) as lines,
        case when count(*) filter (quantity > 0 and unit_price is null) = 0
            then sum(quantity * unit_price) filter (quantity > 0) end as total
    from found_lines group by all)
select
    c.cart_id, c.customer_id, c.visitor_id,
    make_timestamp(c.begun_us) as created_at, make_timestamp(c.changed_us) as updated_at,
    make_timestamp(c.bought_us) as completed_at,
    coalesce(w.total, try_cast(c.told_value as decimal(24, 6))) as total, c.currency,
    ['cart', 'checkout', 'shipping', 'payment'][c.step + 1] as step
from found_carts as c left join worth as w on w.visitor_id = c.visitor_id and w.cart = c.cart
where w.lines is null or w.lines > 0 or c.bought_us is not null
order by c.cart_id

-- name: cart_lines
select cart_id, line, product_id, title, product_type, quantity, unit_price from found_lines where quantity > 0
order by cart_id, line

-- name: look
select
    count(*), count(*) filter (not ({attributable})), count(distinct user_id), count(*) filter (name = 'purchase'),
    count(*) filter (name = 'purchase' and coalesce(
        transaction_id, text_of(params[list_position(keys, 'transaction_id')].value)) is not null)
from ({days})

-- name: currencies
select currency, count(*) from ({events}) where currency is not null group by currency order by 2 desc, 1
