-- A made-up shop of any size: every number follows from the customer's and the order's own number, so that it is the
-- same shop each time. $people customers, $from up to $until the ones of a page.

-- name: customers
select 'c' || i as customer_id,
       'person' || i || '@example' || (i % 97) || '.com' as email,
       'Name' || (i % 5000) as first_name, 'Family' || (i % 20000) as last_name,
       ['DK', 'DE', 'SE', 'NL'][(hash(i) % 4)::int + 1] as country,
       timestamp '2023-01-01' + to_minutes((hash(i, 1) % 1000000)::bigint) as created_at
from range($from, $until) as t(i)

-- name: consents
select 'c' || i as subject, 'customer_id' as subject_kind, 'email' as channel, 'subscribed' as status,
       'opt_in_single' as basis, timestamp '2024-06-01' + to_minutes((hash(i, 2) % 500000)::bigint) as recorded_at,
       'record' as dated_by, 'newsletter form' as evidence
from range($from, $until) as t(i)

-- name: orders
-- The first $people orders give everybody one; the rest go to the first customers more often than to the last.
select 'o' || i as order_id,
       'c' || case when i < $people then i
                   else floor($people * pow((hash(i, 3) % 1000000) / 1000000.0, 1.5))::bigint end as customer_id,
       timestamp '2024-01-01' + to_seconds((hash(i, 4) % 90000000)::bigint) as placed_at,
       'EUR' as currency, (10 + hash(i, 5) % 20000 / 100.0)::decimal(18, 2) as total,
       case when hash(i, 6) % 4 = 0 then (hash(i, 7) % 1000 / 100.0)::decimal(18, 2) end as discount,
       case when hash(i, 8) % 50 = 0 then 5.00::decimal(18, 2) end as refunded,
       case hash(i, 9) % 40 when 0 then 'cancelled' when 1 then 'pending' else 'paid' end as status
from range($from, $until) as t(i)

-- name: carts
select 'k' || i as cart_id, 'c' || (hash(i, 10) % $people) as customer_id,
       timestamp '2026-10-20' + to_seconds((hash(i, 11) % 2700000)::bigint) as created_at,
       'EUR' as currency, (20 + hash(i, 12) % 30000 / 100.0)::decimal(18, 2) as total,
       'https://shop.example/carts/' || i as recovery_url
from range($from, $until) as t(i)

-- name: cart_lines
select 'k' || i as cart_id, '1' as line, 'p' || (i % 1000) as product_id, 'Thing' as title, 'things' as product_type,
       1.0 as quantity, 20.00::decimal(18, 2) as unit_price
from range($from, $until) as t(i)

-- name: order_lines
-- A line an order, some with a second one: of a thousand products of ten kinds.
select 'o' || (i * 10 // 13) as order_id, cast(i as varchar) as line, 'p' || (hash(i, 13) % 1000) as product_id,
       'sku' || (hash(i, 13) % 1000) as sku, 'Thing ' || (hash(i, 13) % 1000) as title,
       ['shoes', 'boots', 'socks', 'laces', 'shirts', 'hats', 'bags', 'belts', 'gloves', 'care'][(hash(i, 13) % 10)::int + 1] as product_type,
       ['Acme', 'Birch', 'Cedar'][(hash(i, 13) % 3)::int + 1] as vendor, 1 + hash(i, 14) % 2 as quantity,
       (5 + hash(i, 13) % 15000 / 100.0)::decimal(18, 2) as unit_price
from range($from, $until) as t(i)

-- name: products
select 'p' || i as product_id, 'Thing ' || i as title,
       ['shoes', 'boots', 'socks', 'laces', 'shirts', 'hats', 'bags', 'belts', 'gloves', 'care'][(i % 10)::int + 1] as product_type,
       'https://shop.example/products/' || i as url
from range($from, $until) as t(i)

-- name: events
-- What signed-in customers did in the last 400 days, five events a session, in the order in which it happened.
select 'e' || i as event_id, 'v' || who as visitor_id, 'c' || who as user_id, 's' || (i // 5) as session_id,
       case when h % 100 < 45 then 'page_view' when h % 100 < 65 then 'user_engagement' when h % 100 < 85 then 'view_item'
            when h % 100 < 92 then 'scroll' when h % 100 < 96 then 'add_to_cart' when h % 100 < 98 then 'begin_checkout'
            else 'add_payment_info' end as name,
       timestamp '2025-10-17 11:00:00' + to_seconds(i // 5 * 5 * 34560000 // $size + i % 5 * 20) as happened_at,
       'https://shop.example/products/' || (h % 1000) as url, 'p' || (h % 1000) as product_id,
       ['shoes', 'boots', 'socks', 'laces', 'shirts', 'hats', 'bags', 'belts', 'gloves', 'care'][(h % 10)::int + 1] as product_type,
       (h % 30000)::bigint as engagement_ms, 'DK' as country, case when h % 3 = 0 then 'desktop' else 'mobile' end as device,
       ['google', 'newsletter', 'direct', 'instagram'][(hash(who) % 4)::int + 1] as traffic_source, true as analytics_consent
from (select i, hash(i, 15) as h, hash(i // 5, 17) % $people as who from range($from, $until) as t(i))

-- name: engagement
select 'person' || (i % $people) || '@example' || (i % $people % 97) || '.com' as subject,
       case hash(i, 18) % 10 when 0 then 'clicked' when 1 then 'opened' when 2 then 'opened' else 'sent' end as kind,
       'campaign ' || (i // $people) as campaign, hash(i, 19) % 3 = 0 as machine,
       timestamp '2026-11-21 11:00:00' - to_seconds((hash(i, 20) % 34560000)::bigint) as happened_at
from range($from, $until) as t(i)

-- name: traits
select 'c' || i as subject, 'customer_id' as subject_kind, 'sport' as name,
       ['running', 'chess', 'tennis'][(hash(i, 21) % 3)::int + 1] as value,
       timestamp '2026-06-01' + to_seconds((hash(i, 22) % 10000000)::bigint) as recorded_at
from range($from, $until) as t(i)
