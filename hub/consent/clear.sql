-- The verdict on the members of one segment for one purpose: docs/reference/consent.md, "The order of the questions".
-- Registered: consent_rules (this purpose's rules with the client's settings applied), consent_regimes,
-- consent_double (countries where a single opt-in is not enough), consent_kinds (the kinds of address asked for).
-- Variables: consent_channel, and those of state.sql.

-- name: storage
-- The latest word of each person's web analytics on ads storage, that of events included which may be attributed to
-- nobody: those refuse, or say nothing, and never permit.
create or replace temporary table consent_storage as
with signals as (
    select person_id, happened_at, ads_consent from events semi join consent_members using (person_id)
    union all
    select person_id, happened_at, ads_consent from ads_signals semi join consent_members using (person_id)
)
select
    person_id,
    -- of several events at one instant the one that denies counts, then the one that is silent
    arg_min(
        ads_consent is not false,
        -epoch_us(happened_at)::hugeint * 4 + (ads_consent is not false)::hugeint
    ) filter (ads_consent is not null) is false as denied,
    arg_min(
        ads_consent is true,
        -epoch_us(happened_at)::hugeint * 4 + (ads_consent is true)::hugeint
    ) as granted_now
from signals
group by person_id;

-- name: no_storage
create or replace temporary table consent_storage as
select null::bigint as person_id, null::boolean as denied, null::boolean as granted_now limit 0;

-- name: judged
-- Each address by itself: those the destination knows people by, and those with something on them that concerns the
-- whole person. `code` NULL: cleared, by `cleared_by`, on the record `record_id` (none: orders, or silence).
create or replace temporary table consent_judged as
with addresses as (
    select i.person_id, i.kind, i.value as address, i.address_key, i.last_seen_at, true as usable
    from consent_members as c
    join identities as i on i.person_id = c.person_id
    where i.kind in (select kind from consent_kinds)
    union all
    select f.person_id, f.kind, f.address, f.address_key, f.last_seen_at, false
    from consent_members as c
    join consent_flagged as f on f.person_id = c.person_id
    where f.channel = getvariable('consent_channel')
        and not (f.current and f.kind in (select kind from consent_kinds))
),
placed as (
    select
        a.*, m.* exclude (address_key, channel, country, region), p.last_bought_at, p.birth_date,
        getvariable('consent_channel') = 'ads'
            and a.address_key in (select address_key from consent_sale_opt_outs) as sale_opt_out,
        coalesce(m.country, p.country, own.country, other.country, getvariable('consent_country')) as country,
        case when m.country is not null then m.region when p.country is not null then p.region end as region,
        case
            when m.country is not null then 'consent record'
            when p.country is not null then p.found_in
            when coalesce(own.country, other.country) is not null then 'phone prefix'
            when getvariable('consent_country') is not null then 'shop'
        end as place_from
    from addresses as a
    left join consent_merged as m on m.address_key = a.address_key and m.channel = getvariable('consent_channel')
    left join consent_places as p on p.person_id = a.person_id
    left join consent_phones as own on own.phone = a.address and a.kind = 'phone'
    left join consent_phones as other on other.phone = p.phone
),
ruled as (
    select
        p.*, r.denied, coalesce(exact.regime, whole.regime, 'unknown') as regime,
        p.opt_in is not null and r.opt_in as has_opt_in,
        r.double_asked and (
            p.country in (select country from consent_double)
            or (r.regime = 'unknown' and exists (from consent_double))
        ) as needs_double,
        r.ads_flags and p.flags is not null as has_flags,
        r.soft_opt_in and p.notice is not null and p.last_bought_at is not null as has_soft_opt_in,
        r.implied and p.implied is not null as has_implied,
        r.implied and coalesce(
            p.last_bought_at + interval 24 months > getvariable('consent_due'), false
        ) as has_bought_lately,
        r.opt_out_regime and coalesce(
            p.birth_date + to_years(r.opt_out_from) <= getvariable('consent_as_of'), true
        ) as needs_no_record,
        r.opt_out_regime
            and p.birth_date + to_years(r.opt_out_from) > getvariable('consent_as_of') as comes_of_age,
        coalesce(t.denied, false)
            or (r.analytics_unset_is_no and p.analytics_only and not coalesce(t.granted_now, false)) as storage_denied
    from placed as p
    left join consent_regimes as exact on exact.country = p.country and exact.region = upper(trim(p.region))
    left join consent_regimes as whole on whole.country = p.country and whole.region = ''
    join consent_rules as r on r.regime = coalesce(exact.regime, whole.regime, 'unknown')
    left join consent_storage as t on t.person_id = p.person_id
),
grounded as (
    select
        *,
        has_opt_in and needs_double and double is null as only_single,
        case
            when has_flags then 'ADS_FLAGS'
            when has_opt_in then 'OPT_IN'
            when has_soft_opt_in then 'SOFT_OPT_IN'
            when has_implied or has_bought_lately then 'IMPLIED'
            when needs_no_record then 'OPT_OUT_REGIME'
        end as ground
    from ruled
),
coded as (
    select
        *,
        case
            when person_barred or address_barred then 'SUPPRESSED'
            when stance = 'invalid' then 'INVALID_ADDRESS'
            when opted_out then 'OPTED_OUT'
            when sale_opt_out then 'SALE_OPT_OUT'
            when refused then denied
            when stance = 'pending' then 'PENDING_CONFIRMATION'
            when only_single and denied = 'REGION_UNKNOWN' then denied
            when only_single then 'SINGLE_OPT_IN'
            when ground is null then denied
            when storage_denied then 'ADS_STORAGE_DENIED'
        end as code
    from grounded
),
recorded as (
    select
        *,
        case when code is null then case ground
            when 'ADS_FLAGS' then flags
            when 'OPT_IN' then case when needs_double then double else opt_in end
            when 'SOFT_OPT_IN' then notice
            when 'IMPLIED' then implied
        end end as record
    from coded
)
select
    person_id, kind, address, address_key, last_seen_at, usable, coalesce(person_barred, false) as person_barred,
    coalesce(opted_out, false) as opted_out, sale_opt_out, coalesce(refused, false) as refused, denied, country, region,
    place_from, regime, decides_id, code::consent_code as code,
    has_bought_lately or coalesce(comes_of_age, false) as moves,
    case when code is null then ground end as cleared_by,
    consent_number_of(record) as record_id,
    case when code is null then coalesce(
        make_timestamp(consent_time_of(record)), case when ground = 'IMPLIED' then last_bought_at end
    ) end as recorded_at
from recorded;

-- name: chosen
-- One row per member: the code, or the address of each kind whose clearing record is newest.
create or replace temporary table consent_chosen as
with ranked as (
    select
        *, rowid as id,
        epoch_us(coalesce(recorded_at, timestamp '0001-01-01'))::hugeint * 1152921504606846976
            + greatest(0, epoch_ms(coalesce(last_seen_at, timestamp '1970-01-01')))::hugeint * 4096
            + (hash(address_key) >> 52)::hugeint as rank
    from consent_judged
),
summed as (
    select
        person_id,
        bool_or(person_barred) as barred,
        bool_or(usable) as reachable,
        max(code) filter (usable) as furthest,
        bool_or(usable and code is null) as cleared,
        bool_or(opted_out) as opted_out,
        bool_or(sale_opt_out) as sale_opt_out,
        max(denied::consent_code) filter (refused) as refused,
        arg_max(id, rank) filter (usable and code is null and kind = 'email') as email_id,
        arg_max(id, rank) filter (usable and code is null and kind = 'phone') as phone_id
    from ranked
    group by person_id
)
select
    c.person_id,
    case
        when s.barred then 'SUPPRESSED'
        when not coalesce(s.reachable, false) then 'NO_ADDRESS'
        when not s.cleared and s.furthest in ('SUPPRESSED', 'INVALID_ADDRESS') then s.furthest
        when s.opted_out then 'OPTED_OUT'
        when s.sale_opt_out then 'SALE_OPT_OUT'
        when s.refused is not null then s.refused
        when not s.cleared then s.furthest
    end::consent_code as code,
    s.email_id, s.phone_id,
    case when getvariable('consent_main') = 'phone' then coalesce(s.phone_id, s.email_id)
        else coalesce(s.email_id, s.phone_id) end as main_id
from consent_members as c
left join summed as s on s.person_id = c.person_id;

-- name: chosen_own_shop
-- Data that never leaves the shop it came from: only an erasure bars it. Of several accounts in that shop it is the one
-- seen last.
create or replace temporary table consent_judged as
with erased as (select distinct address_key from consent_blocks where reason = 'erasure')
select
    a.person_id, a.kind, a.address, a.address_key, a.last_seen_at,
    a.current and a.kind in (select kind from consent_kinds)
        and (a.kind <> 'customer' or coalesce(a.system = getvariable('consent_system'), getvariable('consent_system') is null))
        as usable,
    a.address_key in (from erased) as person_barred,
    false as opted_out, false as sale_opt_out, false as refused, null::text as denied, null::text as country,
    null::text as region, null::text as place_from, null::text as regime, null::bigint as decides_id, false as moves,
    case when a.address_key in (from erased) then 'SUPPRESSED' end::consent_code as code,
    null::bigint as record_id,
    case when a.address_key not in (from erased) then 'OWN_SHOP' end as cleared_by,
    null::timestamp as recorded_at
from consent_members as c
join consent_addresses as a on a.person_id = c.person_id;

create or replace temporary table consent_chosen as
with summed as (
    select
        person_id,
        bool_or(person_barred) as barred,
        bool_or(usable) as reachable,
        first(rowid order by address) filter (usable and kind = 'email') as email_id,
        first(rowid order by address) filter (usable and kind = 'phone') as phone_id,
        first(rowid order by last_seen_at desc nulls last, address_key) filter (usable and kind = 'customer')
            as customer_id
    from consent_judged
    group by person_id
)
select
    c.person_id,
    case
        when s.barred then 'SUPPRESSED'
        when not coalesce(s.reachable, false) then 'NO_ADDRESS'
    end::consent_code as code,
    s.email_id, s.phone_id,
    case getvariable('consent_main')
        when 'phone' then coalesce(s.phone_id, s.email_id, s.customer_id)
        when 'customer' then coalesce(s.customer_id, s.email_id, s.phone_id)
        else coalesce(s.email_id, s.phone_id, s.customer_id)
    end as main_id
from consent_members as c
left join summed as s on s.person_id = c.person_id;

-- name: unanswered
-- Members of whom no stored verdict stands.
create or replace temporary table consent_members as
select a.person_id from consent_asked as a
anti join (select person_id from $stored anti join consent_dirty using (person_id)) as v using (person_id);

-- name: strangers
select count(*) from consent_members
anti join consent_dirty using (person_id)
semi join identities using (person_id);

-- name: cleared
-- `own_record`: the clearing record was given by the person themselves, not by somebody who shares the address.
create temporary table $cleared as
with main as (
    select
        c.person_id, c.email_id, c.phone_id, j.kind, j.address, j.address_key, j.cleared_by, j.record_id, j.recorded_at
    from consent_chosen as c
    join consent_judged as j on j.rowid = c.main_id
    where c.code is null
),
-- addresses besides the main one are rare enough to look up
email as (select rowid as id, address from consent_judged where kind = 'email' and getvariable('consent_main') <> 'email'),
phone as (select rowid as id, address from consent_judged where kind = 'phone' and getvariable('consent_main') <> 'phone')
select
    m.person_id,
    m.address_key as member_key,
    case when m.kind = 'email' then m.address else email.address end as email,
    case when m.kind = 'phone' then m.address else phone.address end as phone,
    case when m.kind = 'customer' then m.address end as customer_id,
    m.cleared_by,
    case when m.cleared_by = 'IMPLIED' and m.record_id is null then 'orders' else s.source end as record_source,
    case when m.cleared_by = 'IMPLIED' and m.record_id is null then 'implied_purchase' else s.basis end as record_basis,
    m.recorded_at, coalesce(s.person_id = m.person_id, false) as own_record
from main as m
left join email on email.id = m.email_id
left join phone on phone.id = m.phone_id
left join consent_statements as s on s.rowid = m.record_id
union all
select
    v.person_id, v.member_key, v.email, v.phone, v.customer_id, v.cleared_by, v.record_source, v.record_basis, v.recorded_at,
    v.own_record
from $stored as v
semi join consent_asked as a using (person_id)
anti join consent_dirty as d using (person_id)
where v.code is null;

-- name: shared
-- Two persons cleared at one address (a family's phone): the one whose own record clears it is contacted, once.
create or replace temporary table consent_shared as
with suspects as (select hash(member_key) as h from $cleared group by 1 having count(*) > 1)
select c.person_id
from $cleared as c
left join people as p on p.person_id = c.person_id
where hash(c.member_key) in (select h from suspects)
qualify row_number() over (
    partition by c.member_key
    order by c.own_record desc, p.person_ref, c.person_id
) > 1;

-- name: unshared
delete from $cleared where person_id in (select person_id from consent_shared);

-- name: reached
select count(distinct member_key) from $cleared semi join $members using (person_id);

-- name: withheld
-- Nearly everybody is referred to by an e-mail whose hash is at hand: hashing a million people anew takes a second.
create temporary table $withheld as
with held as (
    select person_id, code::text as code from consent_chosen where code is not null
    union all
    select v.person_id, v.code
    from $stored as v
    semi join consent_asked as a using (person_id)
    anti join consent_dirty as d using (person_id)
    where v.code is not null
    union all
    select person_id, 'SAME_ADDRESS' from consent_shared
)
select
    h.person_id,
    coalesce(i.address_key, keyed_hash(coalesce(p.person_ref, 'person:' || h.person_id))) as person_key,
    h.code
from held as h
left join people as p on p.person_id = h.person_id
left join identities as i
    on i.person_id = h.person_id and i.kind = 'email' and 'email:' || i.value = p.person_ref;

-- name: counts
select code, count(*) from $withheld group by code order by count(*) desc, code;

-- name: decided
-- The address that the verdict on one person rests on, and the statement that decided. A refusal or a block that
-- concerns the whole person comes before the address that came furthest.
select
    c.code is null as cleared, coalesce(c.code::text, j.cleared_by) as code, j.kind, j.address, j.address_key,
    j.cleared_by, s.source, s.status, s.basis, coalesce(s.recorded_at, j.recorded_at) as recorded_at, s.dated_by,
    s.evidence, s.expires_at, j.regime, j.country, j.region, j.place_from
from consent_chosen as c
left join consent_judged as j on j.person_id = c.person_id
left join consent_statements as s on s.rowid = coalesce(j.record_id, j.decides_id)
order by
    j.rowid = c.main_id desc nulls last,
    coalesce(case c.code
        when 'SUPPRESSED' then j.person_barred
        when 'OPTED_OUT' then j.opted_out
        when 'SALE_OPT_OUT' then j.sale_opt_out
    end, false) desc,
    j.refused and j.denied = c.code::text desc nulls last,
    j.code = c.code desc nulls last,
    j.usable desc nulls last,
    j.address_key
limit 1;

-- name: barriers
-- The blocks on any of one person's addresses, lifted ones included.
select a.kind, a.address, b.reason, b.origin, b.recorded_at
from consent_members as c
join consent_addresses as a using (person_id)
join consent_blocks as b on b.address_key = a.address_key
where b.channel = getvariable('consent_channel')
order by b.recorded_at, b.reason, a.address_key;
