-- From what each source gave to one row per thing: `m_<table>` in the temporary schema, without persons.

-- name: rows_of_load
select {columns}, (select source from loads where load_id = {load}) as source,
       (select system from loads where load_id = {load}) as system, {rank} as source_rank, loaded_at from {physical}

-- name: no_rows
select {columns}, null::varchar as source, null::varchar as system, null::integer as source_rank, null::timestamp as loaded_at
where false

-- name: straight
create or replace temporary view {target} as {rows}

-- name: materialised
create or replace temporary table {target} as {rows}

-- name: drop
drop {kind} temp.{name}

-- name: needs_alias
select exists (select 1 from ({rows}) where order_id = coalesce(name, order_id))
   and exists (select 1 from ({rows}) where order_id <> name)

-- name: aliases
create or replace temporary table order_alias as
with named as (select system, name, min(order_id) as canonical from ({rows}) where order_id <> name group by all)
select distinct a.system, a.order_id, n.canonical from ({rows}) as a join named as n
    on n.system = a.system and n.name = a.order_id and a.order_id = coalesce(a.name, a.order_id)

-- name: no_aliases
create or replace temporary table order_alias(system varchar, order_id varchar, canonical varchar)

-- name: renamed
select r.* replace (coalesce(o.canonical, r.order_id) as order_id), r.order_id as own_id
from ({rows}) as r left join order_alias as o on o.system = r.system and o.order_id = r.order_id

-- name: by_system
create or replace temporary table {target} as
with every as materialized ({rows}),
twice as (select system, {key} from every group by all having count(*) > 1),
ordered as (select e.*, row_number() over (order by source_rank, own_id, loaded_at) as place
            from every as e join twice as t on t.system = e.system and {same})
select {columns}, source, system, source_rank, loaded_at from every as e
where not exists (select 1 from twice as t where t.system = e.system and {same})
union all by name
select {key}, system, {first}, arg_min(source, place) as source, min(source_rank) as source_rank, max(loaded_at) as loaded_at
from ordered group by {key}, system

-- name: children
create or replace temporary table {target} as
with every as materialized ({rows}),
first as (select system, {parent_key}, min(struct_pack(r := source_rank, o := own_id)) as best from every group by all)
select {columns}, source, system, source_rank, loaded_at from every as e join first as f using (system, {parent_key})
where e.source_rank = f.best.r and e.own_id is not distinct from f.best.o

-- name: by_source
create or replace temporary table {target} as
select * exclude (place) from (
    select *, row_number() over (partition by source, {key} order by {order}) as place from ({rows}))
where place = 1

-- name: latest_consent
recorded_at desc nulls last,
case status when 'invalid' then 0 when 'unsubscribed' then 1 when 'pending' then 2 when 'never' then 3 when 'unknown' then 4 else 5 end,
source_rank

-- name: latest_trait
recorded_at desc nulls last, source_rank

-- name: signals
create or replace temporary table consent_signals(
    rule varchar, system varchar, subject varchar, subject_kind varchar, email varchar, phone varchar)

-- name: tag_signal
insert into consent_signals select cast($rule as varchar) as rule, system, customer_id as subject, 'customer_id' as subject_kind, email, phone
from m_customers where list_contains(list_transform(tags, lambda x: lower(x)), lower($name))

-- name: column_signal
insert into consent_signals select cast($rule as varchar) as rule, system, customer_id as subject, 'customer_id' as subject_kind, email, phone
from m_customers where list_contains($values, lower(cast({column} as varchar)))

-- name: trait_signal
insert into consent_signals select cast($rule as varchar) as rule, t.system, t.subject,
       case when contains(t.subject, '@') then 'email' when starts_with(t.subject, '+') then 'phone' else 'customer_id' end as subject_kind,
       c.email, c.phone
from m_traits as t left join m_customers as c on c.system = t.system and c.customer_id = t.subject
where list_contains($names, lower(t.name)) and list_contains($values, lower(trim(t.value)))

-- name: forget_all_signals
delete from consent_seen

-- name: forget_signals
delete from consent_seen as s where not exists (
    select 1 from consent_signals as n where n.rule = s.rule and n.system = s.system and n.subject = s.subject
    and n.email is not distinct from s.email and n.phone is not distinct from s.phone)

-- name: keep_signals
insert into consent_seen select distinct n.*, cast($now as timestamp) from consent_signals as n where not exists (
    select 1 from consent_seen as s where n.rule = s.rule and n.system = s.system and n.subject = s.subject
    and n.email is not distinct from s.email and n.phone is not distinct from s.phone)

-- name: derived_consents
insert into m_consents by name
select subject, subject_kind, unnest(cast($channels as varchar[])) as channel, 'subscribed' as status, cast($basis as varchar) as basis,
       recorded_at, 'file' as dated_by, cast($evidence as varchar) as evidence, email as shown_email, phone as shown_phone,
       'consent.from' as source, system, cast($rank as integer) as source_rank, recorded_at as loaded_at
from consent_seen where rule = $rule

-- name: grant_ads
update m_consents set ad_user_data = true, ad_personalization = true where source = 'consent.from' and channel = 'ads'

-- name: show_customers
update {target} as t set shown_email = c.email, shown_phone = c.phone
from m_customers as c
where t.subject_kind = 'customer_id' and t.shown_email is null and t.shown_phone is null
  and c.customer_id = t.subject and c.system = (select system from loads where load_id = {load})
  and (c.email is not null or c.phone is not null)
