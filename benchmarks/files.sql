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
