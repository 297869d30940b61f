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
