-- Persons: connected components of (system, customer_id) and e-mail; phones and visitors join, they never merge.

-- name: contacts_of
select system, customer_id, email, phone, {seen} as seen, {known} as known from {target}

-- name: subjects_of
select system, case when kind = 'customer_id' then subject end as customer_id, case when kind = 'email' then subject end as email,
       case when kind = 'phone' then subject end as phone, seen, known
from (select system, subject, {kind} as kind, {seen} as seen, {known} as known from {target})

-- name: kind_of_subject
case when contains(subject, '@') then 'email' when starts_with(subject, '+') then 'phone' else 'customer_id' end

-- name: users_of
select system, user_id as customer_id, null as email, null as phone, happened_at as seen, happened_at as known
from {target} as m where user_id is not null and {attributable}

-- name: contacts
create or replace temporary table contacts as
select system, customer_id, email, phone, max(seen) as seen,
       case when count(known) = count(*) then min(known) end as known
from ({contacts}) where customer_id is not null or email is not null or phone is not null
group by system, customer_id, email, phone

-- name: tills
create or replace temporary table found_tills as
select system, customer_id, count(distinct email) as emails from contacts
where customer_id is not null and email is not null group by all having count(distinct email) > 5

-- name: nodes
create or replace temporary table customer_nodes as
select row_number() over () as node, system, customer_id from (
    select system, customer_id from contacts where customer_id is not null
    union select system, customer_id from merged_ids
    union select system, into_id from merged_ids) as c
where not exists (select 1 from found_tills as t where t.system = c.system and t.customer_id = c.customer_id);
create or replace temporary table email_nodes as
select (select count(*) from customer_nodes) + row_number() over () as node, email
from (select distinct email from contacts where email is not null);
create or replace temporary table numbered as
select c.node as customer, e.node as mail, k.phone, k.email is null and c.node is null as bare
from contacts as k
left join customer_nodes as c on c.system = k.system and c.customer_id = k.customer_id
left join email_nodes as e on e.email = k.email

-- name: edges
create or replace temporary table edges as
select distinct customer as a, mail as b from numbered where customer is not null and mail is not null
union
select x.node, y.node from merged_ids as m
join customer_nodes as x on x.system = m.system and x.customer_id = m.customer_id
join customer_nodes as y on y.system = m.system and y.customer_id = m.into_id
where x.node <> y.node

-- name: simple_labels
-- A customer with one e-mail that nobody else has is finished; only the rest is iterated.
create or replace temporary table degrees as
select node, count(*) as degree from (select a as node from edges union all select b from edges) group by node;
create or replace temporary table hard_edges as
select e.a, e.b from edges as e join degrees as x on x.node = e.a join degrees as y on y.node = e.b
where x.degree > 1 or y.degree > 1;
create or replace temporary table hard_labels as
select node, node as label from (select a as node from hard_edges union select b from hard_edges)

-- name: is_unfinished
select exists (select 1 from hard_edges)

-- name: spread
create or replace temporary table next_labels as
with both_ways as (select a, b from hard_edges union all select b, a from hard_edges),
nearest as (
    select x.node, x.label, min(y.label) as least
    from both_ways as e join hard_labels as x on x.node = e.a join hard_labels as y on y.node = e.b group by all),
pulled as (
    select node, min(label) as label from (
        select node, least(label, least) as label from nearest
        union all select label as node, least as label from nearest)
    group by node)
select p.node, least(p.label, coalesce(up.label, p.label)) as label from pulled as p left join pulled as up on up.node = p.label

-- name: has_changed
select exists (select 1 from next_labels as n join hard_labels as o using (node) where n.label <> o.label)

-- name: take_labels
create or replace temporary table hard_labels as select * from next_labels

-- name: labels
create or replace temporary table labels as
select n.node, coalesce(h.label, s.a, n.node) as label
from (select node from customer_nodes union all select node from email_nodes) as n
left join hard_labels as h on h.node = n.node
left join (select a, b from edges) as s on s.b = n.node and h.node is null

-- name: phones
-- mailed: components with an e-mail that have the phone; mailless: those without. A bare record has only the phone.
create or replace temporary table mailed_labels as
select distinct l.label from labels as l join email_nodes as e on e.node = l.node;
create or replace temporary table phone_labels as
select distinct n.phone, l.label, m.label is not null as mailed
from numbered as n join labels as l on l.node = coalesce(n.customer, n.mail)
left join mailed_labels as m on m.label = l.label
where n.phone is not null;
create or replace temporary table phone_counts as
select phone, count(*) filter (mailed) as mailed, count(*) filter (not mailed) as mailless,
       min(label) filter (mailed) as mailed_label, min(label) filter (not mailed) as mailless_label
from phone_labels group by phone;
create or replace temporary table phone_joins as
select p.label, min(c.mailed_label) as target from phone_labels as p join phone_counts as c using (phone)
where not p.mailed and c.mailed = 1 group by p.label having count(distinct c.mailed_label) = 1;
create or replace temporary table bare_phones as
select b.phone, case when c.mailed = 1 then c.mailed_label
                     when c.mailed = 0 and c.mailless = 1 then coalesce(j.target, c.mailless_label) end as label
from (select distinct phone from numbered where bare and phone is not null) as b
left join phone_counts as c using (phone)
left join phone_joins as j on c.mailed = 0 and j.label = c.mailless_label

-- name: nothing
-- A table that no source gave: the statement that would fill it takes longer to plan than a small shop has rows.
create or replace table {target} as select *, {more} from {rows} where false

-- name: no_visits
create or replace temporary table visitor_person(
    source varchar, visitor_id varchar, known timestamp, alone boolean, person_id bigint);
create or replace table merged.ads_signals(person_id bigint, happened_at timestamp, ads_consent boolean);
create or replace table merged.arrivals(person_id bigint, traffic_source varchar, happened_at timestamp);
create or replace temporary table found_matches(
    source varchar, events bigint, withheld bigint, visitors bigint, known_visitors bigint, user_ids bigint,
    known_user_ids bigint, transactions bigint, known_transactions bigint)

-- name: references
create or replace temporary table finals as
select l.node, coalesce(j.target, l.label) as label from labels as l left join phone_joins as j using (label);
create or replace temporary table person_refs as
with mails as (select f.label, min(e.email) as email from email_nodes as e join finals as f using (node) group by 1),
phones as (
    select p.label, min(p.phone) as phone from phone_labels as p join phone_counts as c using (phone)
    where c.mailed = 0 and c.mailless = 1 group by 1),
ids as (select f.label, min('customer:' || c.system || ':' || c.customer_id) as reference
        from customer_nodes as c join finals as f using (node) group by 1)
select a.label, null as phone, coalesce('email:' || m.email, 'phone:' || p.phone, i.reference) as person_ref
from (select distinct label from finals) as a
left join mails as m using (label) left join phones as p using (label) left join ids as i using (label)
union all
select null, phone, 'phone:' || phone from bare_phones where label is null

-- name: persons
create or replace temporary table persons as
select row_number() over (order by person_ref) as person_id, label, phone, person_ref from person_refs;
create or replace temporary table customer_person as
select c.system, c.customer_id, p.person_id from customer_nodes as c join finals as f using (node) join persons as p on p.label = f.label;
create or replace temporary table email_person as
select e.email, p.person_id from email_nodes as e join finals as f using (node) join persons as p on p.label = f.label;
create or replace temporary table phone_person as
select b.phone, p.person_id from bare_phones as b join persons as p on p.label = b.label
union all select phone, person_id from persons where phone is not null

-- name: contact_persons
create or replace temporary table contact_person as
select k.*, coalesce(c.person_id, e.person_id, p.person_id) as person_id, t.customer_id is not null as till
from contacts as k
left join customer_person as c on c.system = k.system and c.customer_id = k.customer_id
left join email_person as e on e.email = k.email
left join phone_person as p on p.phone = k.phone and k.email is null and c.person_id is null
left join found_tills as t on t.system = k.system and t.customer_id = k.customer_id

-- name: visitors
create or replace temporary table visits as
select source, system, visitor_id, user_id, transaction_id, {attributable} as attributable, min(happened_at) as known
from m_events as m group by all;
create or replace temporary table order_refs as
select system, reference, min(person_id) as person_id from (
    select system, unnest(list_distinct([order_id, name, ltrim(name, '#'), checkout_token])) as reference, person_id
    from merged.orders where person_id is not null)
where reference is not null and reference in (select transaction_id from visits)
group by all having count(distinct person_id) = 1;
create or replace temporary table visit_person as
select v.*, coalesce(u.person_id, o.person_id) as own_person from visits as v
left join customer_person as u on u.system = v.system and u.customer_id = v.user_id
left join order_refs as o on o.system = v.system and o.reference = v.transaction_id;
create or replace temporary table visitor_person as
with joined as (
    select source, visitor_id, case when count(distinct own_person) = 1 then min(own_person) end as person_id, min(known) as known
    from visit_person where attributable and visitor_id is not null group by all)
select source, visitor_id, known, person_id is null as alone,
       coalesce(person_id, (select count(*) from persons) + row_number() over (partition by person_id is null order by source, visitor_id)) as person_id
from joined

-- name: ads_signals
-- What events say of ads storage that are nobody's: they may not be attributed, or their browser is shared. A refusal,
-- and silence, count for everybody whom the event could mean; a permission counts for nobody. Strategies never see this.
create or replace table merged.ads_signals as
with meant as (
    select distinct source, visitor_id, own_person as person_id from visit_person
    where visitor_id is not null and own_person is not null),
unowned as (
    select m.source, m.visitor_id, m.happened_at, nullif(m.ads_consent, true) as ads_consent, {attributable} as attributable,
           coalesce(u.person_id, o.person_id) as own_person
    from m_events as m
    left join customer_person as u on u.system = m.system and u.customer_id = m.user_id
    left join order_refs as o on o.system = m.system and o.reference = m.transaction_id
    where not {attributable} or (m.source, m.visitor_id) in (select source, visitor_id from visitor_person where alone))
select distinct own_person as person_id, happened_at, ads_consent from unowned where own_person is not null and not attributable
union
select p.person_id, e.happened_at, e.ads_consent from unowned as e
join meant as p on p.source = e.source and p.visitor_id = e.visitor_id where e.own_person is null

-- name: orders
create or replace table merged.orders_merged as
select m.*, coalesce(c.person_id, e.person_id, p.person_id) as person_id,
       is_counted(m.status, m.test) as counted, is_discounted(m.discount, m.discount_codes) as discounted,
       cast(m.total - coalesce(m.refunded, 0) as decimal(18, 2)) as net
from m_orders as m
left join customer_person as c on c.system = m.system and c.customer_id = m.customer_id
left join email_person as e on e.email = m.email
left join phone_person as p on p.phone = m.phone and m.email is null and c.person_id is null;
create or replace view merged.orders as select * from merged.orders_merged

-- name: orders_in_place
-- A shop whose orders come from one source keeps them where they were read; only the person is written.
create or replace temporary table order_person as
select * from (
    select m.rowid as place, m.person_id as old, coalesce(c.person_id, e.person_id, p.person_id) as person_id
    from {physical} as m
    left join customer_person as c on c.customer_id = m.customer_id and c.system = (select system from loads where load_id = {load})
    left join email_person as e on e.email = m.email
    left join phone_person as p on p.phone = m.phone and m.email is null and c.person_id is null)
where person_id is distinct from old;
update {physical} as m set person_id = p.person_id from order_person as p where p.place = m.rowid

-- name: orders_view
drop table if exists merged.orders_merged;
create or replace view merged.orders as {rows}

-- name: orders_of_load
select {columns}, (select source from loads where load_id = {load}) as source,
       (select system from loads where load_id = {load}) as system, {rank} as source_rank, loaded_at,
       person_id, counted, discounted, net from {physical}

-- name: addressed
create or replace table {target} as
select m.*, coalesce(c.person_id, e.person_id, p.person_id) as person_id
from {rows} as m
left join customer_person as c on c.system = m.system and c.customer_id = {customer_id}
left join email_person as e on e.email = {email}
left join phone_person as p on p.phone = {phone} and {email} is null and c.person_id is null

-- name: subjected
create or replace table {target} as
select m.* exclude (kind_of_subject){also}, coalesce(c.person_id, e.person_id, p.person_id{shown}) as person_id
from (select *, {kind} as kind_of_subject from {rows}) as m
left join customer_person as c on m.kind_of_subject = 'customer_id' and c.system = m.system and c.customer_id = m.subject
left join email_person as e on m.kind_of_subject = 'email' and e.email = m.subject
left join phone_person as p on m.kind_of_subject = 'phone' and p.phone = m.subject
{joins}

-- name: by_mail
, not starts_with(m.subject, '+') as by_mail

-- name: without_person
create or replace table {target} as select * from {rows}

-- name: order_places
-- What all orders say of a person, so that a run that is later than all of them need not read them again.
create or replace table merged.order_places as
select person_id, max(placed_at) filter (counted) as last_bought_at,
       arg_max_null(country, place) filter (country is not null) as country,
       arg_max_null(region, place) filter (country is not null) as region
from (select *, order_place(placed_at, country, region) as place from merged.orders where person_id is not null)
group by person_id

-- name: last_times
select cast(max(placed_at) as varchar), (select cast(max(happened_at) as varchar) from merged.engagement) from merged.orders

-- name: purchases
-- The counted orders of persons, narrow and each person's together: a group by person takes a third of the time so.
create or replace table merged.purchases as
select person_id, placed_at, net, discount, discounted from merged.orders
where counted and person_id is not null order by person_id, placed_at;
create or replace table merged.order_totals as
select {totals} from merged.purchases group by person_id;
create or replace table merged.order_gaps as
select {gaps} from (select *, {before} from merged.purchases) where before is not null group by person_id

-- name: mail_totals
create or replace table merged.mail_totals as
select {mails} from merged.engagement where by_mail and person_id is not null group by person_id, source

-- name: mails
person_id, source, count(*) filter (kind = 'sent') as sent, count(*) filter (kind = 'bounced') as bounced,
count(*) filter (kind = 'opened') as opens, count(*) filter (kind = 'opened' and machine is not null) as marked_opens,
max(happened_at) filter (kind = 'sent') as last_sent_at,
max(happened_at) filter (kind = 'clicked' and machine is not true or kind = 'opened' and machine = false) as last_read_at,
max(happened_at) filter (kind = 'opened' and machine is null) as last_unmarked_open_at

-- name: totals
person_id, count(*) as orders, cast(sum(net) as decimal(18, 2)) as spend,
cast(cast(sum(net) as double) / count(*) as decimal(18, 2)) as avg_order,
min(placed_at) as first_order_at, max(placed_at) as last_order_at,
count(*) filter (discounted) as discounted_orders, count(*) filter (not discounted) as full_price_orders,
arg_min(net, placed_at) as first_net, min(net) as least_net

-- name: gaps
person_id, median(date_diff('microsecond', before, placed_at) / 86400000000.0) as median_days,
bool_or(placed_at::date = before::date) as same_day

-- name: before
lag(placed_at) over (partition by person_id order by placed_at) as before

-- name: carts
-- A cart rebuilt from analytics is whose browser it is, and yields to the shop: an order by the same person since about
-- when it was begun ends it (analytics often misses the purchase), a shop cart of the same time takes its place.
create or replace table merged.carts as
with bought as (
    select system, cart_id, min(placed_at) as completed_at from (
        select system, unnest(list_distinct([cart_id, checkout_token])) as cart_id, placed_at from merged.orders
        where counted and (cart_id is not null or checkout_token is not null))
    where cart_id is not null group by all),
placed as (
    select m.* replace (least(m.completed_at, b.completed_at) as completed_at),
           coalesce(c.person_id, e.person_id, p.person_id, v.person_id) as person_id, {from_analytics} as from_analytics
    from m_carts as m
    left join customer_person as c on c.system = m.system and c.customer_id = m.customer_id
    left join email_person as e on e.email = m.email
    left join phone_person as p on p.phone = m.phone and m.email is null and c.person_id is null
    left join visitor_person as v on v.source = m.source and v.visitor_id = m.visitor_id and not v.alone
    left join bought as b on b.system = m.system and b.cart_id = m.cart_id),
ordered as (
    select a.system, a.cart_id, min(o.placed_at) as ordered_at from placed as a
    join merged.orders as o on o.person_id = a.person_id and o.counted
        and o.placed_at >= a.created_at - interval 1 hour and o.placed_at <= coalesce(a.updated_at, a.created_at)
    where a.from_analytics group by all)
select a.* exclude (from_analytics) replace (least(a.completed_at, o.ordered_at) as completed_at)
from placed as a left join ordered as o on o.system = a.system and o.cart_id = a.cart_id
where not (a.from_analytics and exists (
    select 1 from placed as s where not s.from_analytics and s.person_id = a.person_id
    and s.created_at between a.created_at - interval 24 hours and a.created_at + interval 24 hours))

-- name: analytics_sources
select list(distinct source) from loads where table_name = 'events' and state = 'visible'
and source not in (select source from loads where table_name = 'orders' and state = 'visible')

-- name: order_lines
create or replace table merged.order_lines as
select l.* replace (in_client_currency(l.unit_price, upper(o.currency)) as unit_price,
                    in_client_currency(l.discount, upper(o.currency)) as discount, {product_type} as product_type),
       o.person_id, o.placed_at as order_placed_at, o.counted as order_counted
from m_order_lines as l join merged.orders as o on o.system = l.system and o.order_id = l.order_id
{products}

-- name: orders_without_lines
-- Counted orders of which no line is known: what was bought in them, nobody can say.
create or replace table merged.orders_without_lines as
select o.system, o.order_id, o.person_id, o.placed_at from merged.orders as o
anti join merged.order_lines as l on l.system = o.system and l.order_id = o.order_id
where o.counted

-- name: cart_lines
create or replace table merged.cart_lines as
select l.* replace (in_client_currency(l.unit_price, upper(c.currency)) as unit_price, {product_type} as product_type), c.person_id, c.created_at as cart_created_at
from m_cart_lines as l join merged.carts as c on c.system = l.system and c.cart_id = l.cart_id
{products}

-- name: join_products
left join m_products as k on k.system = l.system and k.product_id = l.product_id

-- name: attributable
-- Analytics storage must be allowed; where nothing was said, only where silence permits (hub/places.toml).
coalesce(m.analytics_consent, list_contains(getvariable('silence_permits'), coalesce(m.country, getvariable('country'))), false)

-- name: events
-- A thank-you page loaded again tells a purchase again: it was a visit, and the first telling is the purchase.
create or replace table merged.events as
select m.* exclude (again) replace (case when again then 'repeated_purchase' else m.name end as name,
                                    case when not again then m.value end as value,
                                    coalesce(m.product_type, k.product_type) as product_type),
       case when {attributable} then coalesce(u.person_id, o.person_id, v.person_id) end as person_id
from (
    select *, false as again from m_events where name <> 'purchase' or transaction_id is null
    union all
    select *, row_number() over (partition by system, transaction_id order by happened_at, event_id) > 1
    from m_events where name = 'purchase' and transaction_id is not null) as m
left join customer_person as u on u.system = m.system and u.customer_id = m.user_id
left join order_refs as o on o.system = m.system and o.reference = m.transaction_id
left join visitor_person as v on v.source = m.source and v.visitor_id = m.visitor_id
left join m_products as k on k.system = m.system and k.product_id = m.product_id

-- name: arrivals
-- Where a person first came from. Whoever looks from an earlier instant sees the same arrival, or none yet.
create or replace table merged.arrivals as
select person_id, arg_min(traffic_source, struct_pack(t := happened_at, i := event_id)) as traffic_source,
       min(happened_at) as happened_at
from merged.events where person_id is not null and traffic_source is not null group by person_id

-- name: matches
-- What became of the ids that analytics gives, source by source.
create or replace temporary table found_matches as
with counted as (
    select m.source, count(*) as events, count(*) filter (not {attributable}) as withheld from merged.events as m group by all),
people as (select person_id from merged.customers union select person_id from merged.orders),
browsers as (
    select v.source, count(*) as visitors, count(p.person_id) as known_visitors
    from visitor_person as v left join people as p on p.person_id = v.person_id group by all),
ids as (
    select v.source, count(distinct v.user_id) as user_ids, count(distinct v.user_id) filter (c.customer_id is not null) as known_user_ids
    from visits as v left join (
        select system, customer_id from merged.customers union select system, customer_id from merged.orders) as c
    on c.system = v.system and c.customer_id = v.user_id group by all),
sales as (
    select v.source, count(distinct v.transaction_id) as transactions,
           count(distinct v.transaction_id) filter (o.person_id is not null) as known_transactions
    from visits as v left join order_refs as o on o.system = v.system and o.reference = v.transaction_id group by all)
select source, events, withheld, coalesce(visitors, 0), coalesce(known_visitors, 0), user_ids, known_user_ids, transactions, known_transactions
from counted left join browsers using (source) join ids using (source) join sales using (source)

-- name: found_matches
select * from found_matches order by source

-- name: consent_records
create or replace table merged.consent_records as
with spread as (
    select *, case when subject_kind = 'email' then subject when subject_kind = 'customer_id' and channel not in ('sms', 'whatsapp') then shown_email end as for_email,
           case when subject_kind = 'phone' then subject when subject_kind = 'customer_id' and channel <> 'email' then shown_phone end as for_phone
    from merged.consents),
each as (select * exclude (for_email, for_phone), 'email' as address_kind, for_email as address from spread where for_email is not null
         union all
         select * exclude (for_email, for_phone), 'phone', for_phone from spread where for_phone is not null)
select source, system, person_id, subject, subject_kind, address_kind, address, keyed_hash(address_kind || ':' || address) as address_key,
       channel, status, basis, recorded_at, dated_by, evidence, notice, country, region, expires_at,
       ad_user_data, ad_personalization, sale_opt_out, loaded_at, source_rank
from each

-- name: identities
create or replace table merged.identities as
select person_id, kind, system, value,
       keyed_hash(case when kind = 'customer' then 'customer:' || system || ':' || value else kind || ':' || value end) as address_key,
       max(seen) as last_seen_at
from (select person_id, 'email' as kind, null as system, email as value, seen from contact_person where email is not null
      union all
      select person_id, 'phone', null, phone, seen from contact_person where phone is not null
      union all
      select person_id, 'customer', system, customer_id, seen from contact_person
      where customer_id is not null and not till and customer_id is distinct from email and customer_id is distinct from phone)
where person_id is not null group by person_id, kind, system, value

-- name: people
create or replace table merged.people as
with profile as (
    select person_id, {fields} from (
        select *, row_number() over (partition by person_id order by source_rank, updated_at desc nulls last, customer_id, system) as place
        from merged.customers where person_id is not null)
    group by person_id),
addresses as (
    select person_id, arg_max(value, struct_pack(t := coalesce(last_seen_at, timestamp '1900-01-01'), v := value)) filter (kind = 'email') as email,
           arg_max(value, struct_pack(t := coalesce(last_seen_at, timestamp '1900-01-01'), v := value)) filter (kind = 'phone') as phone
    from merged.identities group by person_id),
places as (
    select o.person_id, arg_max(struct_pack(country := o.country, region := o.region), struct_pack(t := o.placed_at, o := o.order_id)) as place
    from merged.orders as o where o.country is not null and o.person_id not in (select person_id from profile where country is not null)
    group by o.person_id),
first_known as (select person_id, case when count(known) = count(*) then min(known) end as known_from
                from contact_person where person_id is not null group by person_id)
select p.person_id, p.person_ref, a.email, a.phone, c.first_name, c.last_name, coalesce(c.country, o.place.country) as country,
       case when c.country is not null then c.region else o.place.region end as region, c.city, c.postcode, c.locale, c.birth_date,
       c.gender, c.tags, c.created_at, c.customer_id, c.system, k.known_from
from persons as p left join profile as c using (person_id) left join addresses as a using (person_id)
left join places as o using (person_id) left join first_known as k using (person_id)
union all by name
select person_id, 'visitor:' || source || ':' || visitor_id as person_ref, known as known_from from visitor_person where alone

-- name: summary
select count(*) filter (not starts_with(person_ref, 'visitor:')), count(*) filter (starts_with(person_ref, 'visitor:')) from merged.people

-- name: keep_tills
create or replace table merged.tills as select * from found_tills

-- name: stored_tills
select system, customer_id, emails from merged.tills order by all

-- name: schema_of
create schema if not exists {schema}

-- name: own_view
create or replace view {view} as select * from {target}{condition}

-- name: as_of
 where {time} is null or {time} <= getvariable('as_of')
