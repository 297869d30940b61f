-- Made-up exports.

-- name: orders
select 'INV-' || i as "Invoice", 'c' || (hash(i) % 100000) as "Customer",
       'person' || (hash(i) % 100000) || '@example' || (hash(i) % 97) || '.com' as "Mail",
       strftime(timestamp '2024-01-01' + to_seconds((hash(i, 4) % 90000000)::bigint), '%Y-%m-%d %H:%M:%S') as "When",
       (10 + hash(i, 5) % 20000 / 100.0)::decimal(18, 2) as "Sum",
       case when hash(i, 6) % 4 = 0 then (hash(i, 7) % 1000 / 100.0)::decimal(18, 2) end as "Off",
       'a note that nobody maps, number ' || (i % 1000) as "Note"
from range($size) as t(i)

-- name: customers
select 7000000000 + i as "Customer ID", 'Name' || (i % 5000) as "First Name", 'Family' || (i % 20000) as "Last Name",
       'person' || i || '@example' || (i % 97) || '.com' as "Email",
       case when i % 3 = 0 then 'no' else 'yes' end as "Accepts Email Marketing", '' as "Default Address Company",
       (i % 300) || ' Long Street' as "Default Address Address1", '' as "Default Address Address2",
       'Copenhagen' as "Default Address City", '' as "Default Address Province Code", 'DK' as "Default Address Country Code",
       1000 + i % 8000 as "Default Address Zip", '' as "Default Address Phone", '' as "Phone",
       'no' as "Accepts SMS Marketing", (i % 900) + 0.5 as "Total Spent", i % 9 as "Total Orders", '' as "Note",
       'no' as "Tax Exempt", case when i % 7 = 0 then 'vip, wholesale' else '' end as "Tags"
from range($size) as t(i)

-- name: analytics
-- One day of a web shop's events as the Analytics export has them: 9 to 12 parameters each, a fifth with items.
create or replace table one_day as
with visits as (
    select i, hash(i) as h, hash(i // 12) % ($size // 24 + 1) as visitor,
           case when hash(i) % 100 < 40 then 'page_view' when hash(i) % 100 < 60 then 'user_engagement'
                when hash(i) % 100 < 75 then 'view_item' when hash(i) % 100 < 85 then 'scroll'
                when hash(i) % 100 < 93 then 'session_start' when hash(i) % 100 < 96 then 'add_to_cart'
                when hash(i) % 100 < 98 then 'begin_checkout' when hash(i) % 100 < 99 then 'add_payment_info'
                else 'purchase' end as name
    from range($size) as t(i)),
told as (
    select *, name in ('view_item', 'add_to_cart', 'begin_checkout', 'add_payment_info', 'purchase') as sells,
           {string_value: null::varchar, int_value: null::bigint, float_value: null::double, double_value: null::double} as nothing
    from visits)
select
    '20260101' as event_date, (i * (86400000000 // $size))::bigint as event_timestamp, name as event_name,
    [{key: 'ga_session_id', value: struct_update(nothing, int_value := (1790000000 + visitor)::bigint)},
     {key: 'ga_session_number', value: struct_update(nothing, int_value := 1::bigint)},
     {key: 'engaged_session_event', value: struct_update(nothing, int_value := 1::bigint)},
     {key: 'page_location', value: struct_update(nothing, string_value := 'https://shop.example/products/' || (h % 5000) || '?variant=' || (h % 7))},
     {key: 'page_title', value: struct_update(nothing, string_value := 'Product ' || (h % 5000) || ' of the shop')},
     {key: 'page_referrer', value: struct_update(nothing, string_value := 'https://shop.example/collections/' || (h % 50))},
     {key: 'session_engaged', value: struct_update(nothing, string_value := '1')},
     {key: 'engagement_time_msec', value: struct_update(nothing, int_value := (h % 30000)::bigint)},
     {key: 'ignore_referrer', value: struct_update(nothing, string_value := 'true')}]
    || case when sells then [
        {key: 'currency', value: struct_update(nothing, string_value := 'EUR')},
        {key: 'value', value: struct_update(nothing, int_value := case when h % 2 = 0 then (h % 200)::bigint end,
                                            double_value := case when h % 2 = 1 then (h % 20000) / 100.0 end)}]
        else [] end as event_params,
    (h % 2000000000)::bigint as event_bundle_sequence_id,
    case when visitor % 10 = 0 then 'c' || visitor end as user_id,
    case when h % 20 <> 3 then visitor || '.' || (1700000000 + visitor) end as user_pseudo_id,
    {analytics_storage: case when h % 20 = 3 then 'No' when h % 20 > 4 then 'Yes' end,
     ads_storage: case when h % 5 = 0 then 'No' else 'Yes' end, uses_transient_token: 'No'} as privacy_info,
    {category: case when h % 3 = 0 then 'desktop' else 'mobile' end, operating_system: 'iOS', language: 'da-dk'} as device,
    {continent: 'Europe', country: case when h % 4 = 0 then 'Germany' else 'Denmark' end, city: 'Aarhus'} as geo,
    {name: '(organic)', medium: 'organic', source: 'google'} as traffic_source, 'WEB' as platform,
    case when name = 'purchase' then {purchase_revenue: (h % 20000) / 100.0, refund_value: null::double, transaction_id: 'T' || i} end as ecommerce,
    case when sells then [{item_id: 'p' || (h % 5000), item_name: 'Product ' || (h % 5000), item_variant: '(not set)',
                           item_category: 'Category ' || (h % 30), price: 14.5, quantity: 1::bigint}]
         else []::struct(item_id varchar, item_name varchar, item_variant varchar, item_category varchar, price double, quantity bigint)[] end as items,
    {manual_source: case when h % 9 = 0 then 'newsletter' end, manual_medium: case when h % 9 = 0 then 'email' end} as collected_traffic_source,
    (h % 40)::bigint as batch_event_index, (h % 300)::bigint as batch_page_id, (h % 3)::bigint as batch_ordering_id,
    {manual_campaign: {source: 'google', medium: 'organic'}, cross_channel_campaign: {source: 'google', medium: 'organic'}} as session_traffic_source_last_click
from told

-- name: analytics_day
copy (
    select * replace (
        event_timestamp + $begins as event_timestamp,
        case when ecommerce is not null
            then struct_update(ecommerce, transaction_id := ecommerce.transaction_id || '-' || $day) end as ecommerce)
    from one_day) to '$file' (format parquet, compression snappy)

-- name: analytics_columns
-- The columns of the export that hub reads, as they are.
create table loaded as
select
    event_timestamp, event_name, event_params, event_bundle_sequence_id, batch_page_id, batch_ordering_id, batch_event_index,
    user_id, user_pseudo_id, privacy_info.analytics_storage, privacy_info.ads_storage, device.category, geo.country,
    traffic_source.source as first_source, traffic_source.medium as first_medium, collected_traffic_source,
    session_traffic_source_last_click, ecommerce, items
from read_parquet('$files')
