-- Verdicts on everybody, kept in the catalog's schema `derived` until what they rest on changes: docs/reference/consent.md,
-- "Stored verdicts". A catalog that is merged anew drops the schema.

-- name: tables
create schema if not exists derived;
create or replace table derived.consent_verdicts (
    purpose text, kinds text[], table_name text, mark text, judged_at timestamp
);
create or replace table derived.consent_unsteady (person_id bigint);

-- name: no_verdicts
create or replace temporary table consent_no_verdicts (
    person_id bigint, code text, member_key text, email text, phone text, customer_id text, cleared_by text,
    record_source text, record_basis text, recorded_at timestamp, own_record boolean
);

-- name: known
select purpose, kinds, table_name from derived.consent_verdicts
where mark = $mark and judged_at <= $as_of::timestamp;

-- name: has_verdicts
select count(*) from duckdb_schemas() where schema_name = 'derived';

-- name: basis
-- What the stored verdicts rest on: which merge of the catalog, and when they were made.
select v.table_name, v.judged_at, a.value as merge
from derived.consent_verdicts as v join about as a on a.key = 'merge'
where v.purpose = $purpose and v.kinds = $kinds;

-- name: standing
-- The members; those of them whom no stored verdict covers, with what was decided about them; and who is known at all.
select
    (select $digest from consent_asked),
    (select list(struct_pack(p := person_id, c := code::text) order by person_id) from consent_chosen),
    (select list(struct_pack(p := person_id, k := member_key, e := email, t := phone, i := customer_id, o := own_record)
        order by person_id) from $cleared),
    (select count(*) from people);

-- name: people
select count(*) from merged.people;

-- name: everybody
-- Visitors have no address: whoever they are, nobody can reach them.
create or replace temporary table consent_asked as
select person_id from people where not starts_with(person_ref, 'visitor:')
union
select person_id from identities;

-- name: verdicts
create or replace table derived.$table as
select c.person_id, c.code::text as code, l.* exclude (person_id)
from consent_chosen as c
left join $cleared as l on l.person_id = c.person_id;

-- name: moves
insert into derived.consent_unsteady select person_id from consent_judged where moves;

-- name: changing
-- People with a statement that time alone changes: one that begins or ends later, and one of a source that will count
-- as analytics; and people about whom something is dated later.
insert into derived.consent_unsteady
with later as (select distinct person_id, source from dated_later),
changing as (
    select person_id, address_key from consent_statements
    where (said_at > getvariable('consent_as_of') and said_at <> timestamp '9999-12-31')
        or expires_at > getvariable('consent_due')
        or (own_time and basis = 'implied_purchase' and said_at + interval 24 months > getvariable('consent_due'))
        or (own_time and basis = 'implied_inquiry' and said_at + interval 6 months > getvariable('consent_due'))
        or source in (select source from later where source is not null)
)
select person_id from changing where person_id is not null
union
select i.person_id from identities as i semi join changing as c using (address_key)
union
select person_id from later where person_id is not null;

-- name: withdrawn
create or replace table derived.consent_withdrawn as select address_key, channel from consent_withdrawals;

-- name: reported
create or replace table derived.consent_reported as
select
    channel,
    count(*) filter (stance = 'subscribed') as said_yes,
    count(*) filter (stance = 'subscribed' and channel <> 'ads' and coalesce(basis, 'none') = 'none') as without_basis
from consent_statements
group by channel;

-- name: reported_then
-- What the sources say at all about a channel: for the hints.
select coalesce(max(said_yes), 0), coalesce(max(without_basis), 0) from derived.consent_reported where channel = $channel;

-- name: reported_now
select
    count(*) filter (stance = 'subscribed'),
    count(*) filter (stance = 'subscribed' and channel <> 'ads' and coalesce(basis, 'none') = 'none')
from consent_statements
where channel = $channel;

-- name: keep
insert into derived.consent_verdicts values ($purpose, $kinds, $table, $mark, $judged_at);
