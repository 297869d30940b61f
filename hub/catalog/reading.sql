-- How a value of a page becomes a value of a canonical column. A text that needs more than SQL can say (an odd
-- e-mail, a national phone number) is marked with chr(1) and read in Python afterwards, each distinct value once.

-- name: macros_of_all
-- What looking at a catalog needs too.
-- The first line takes what almost every id is, by comparing its beginning: half the time of asking how it begins.
create or replace temporary macro read_id(t) as
    case when t > '(' and (t < 'gid:' or t >= 'gid;') and not ends_with(t, ' ') then t
         when t = '' then null
         when starts_with(t, '''') or starts_with(t, 'gid:') or starts_with(t, ' ') or ends_with(t, ' ')
             then nullif(trim(regexp_replace(regexp_replace(ltrim(t, ' '''), '^gid://[^/]*/[^/]*/', ''), '[?].*$', '')), '')
         else t end;
-- One number decides for country and region, so that they come from one order, and from the same one everywhere.
create or replace temporary macro order_place(placed_at, country, region) as
    epoch_us(placed_at)::hugeint * 18446744073709551616 + hash(country, region)::hugeint

-- name: macros
create or replace temporary macro clean(t) as
    case when t > '!' and not ends_with(t, ' ') and not ends_with(t, chr(9)) and not ends_with(t, chr(10)) then t
         when t = '' then null
         when starts_with(t, ' ') or ends_with(t, ' ') or ends_with(t, chr(9)) or ends_with(t, chr(10))
             then nullif(trim(t, ' ' || chr(9) || chr(10) || chr(13)), '')
         else t end;
create or replace temporary macro read_text(t) as clean(t);
create or replace temporary macro read_integer(t) as try_cast(t as bigint);
create or replace temporary macro read_number(t) as
    case when isfinite(try_cast(t as double)) then try_cast(t as double) end;
create or replace temporary macro read_money(t) as try_cast(t as decimal(18, 2));
create or replace temporary macro read_boolean(t) as
    case lower(trim(t))
        when 'yes' then true when 'true' then true when '1' then true when 'granted' then true
        when 'no' then false when 'false' then false when '0' then false when 'denied' then false
        when 't' then true when 'f' then false when 'y' then true when 'n' then false end;
create or replace temporary macro read_instant(t) as
    case when isfinite(try_cast(t as timestamptz)) then timezone('UTC', try_cast(t as timestamptz)) end;
create or replace temporary macro read_time(t) as
    read_instant(replace(replace(replace(t, ' +', '+'), ' -', '-'), ' UTC', 'Z'));
create or replace temporary macro read_date(t) as try_cast(t as date);
create or replace temporary macro read_country(t) as
    case when regexp_full_match(clean(t), '[A-Za-z]{2}') then upper(clean(t)) end;
create or replace temporary macro read_texts(t) as
    case when clean(t) is not null
         then list_filter(list_transform(string_split(t, ','), lambda x: trim(x)), lambda x: x <> '') end;
create or replace temporary macro read_list(t) as
    list_filter(list_transform(t, lambda x: trim(x)), lambda x: x <> '');
create or replace temporary macro read_email(t) as
    case when regexp_full_match(t, '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,63}')
              and not starts_with(t, '''') and strlen(t) <= 254
             then lower(t)
         when clean(t) is not null then chr(1) || t end;
create or replace temporary macro read_phone(t, country) as
    case when regexp_full_match(t, '\+(1[2-9][0-9]{2}[2-9][0-9]{6}|(20|27|3[0-4]|36|4[0-1]|4[3-9]|5[1-8]|6[0-6]|8[1246]|9[0-5]|98)[1-9][0-9]{7,8})')
             then t
         when clean(t) is not null then chr(1) || coalesce(country, '') || chr(1) || t end;
create or replace temporary macro subject_kind_of(t) as
    case when contains(t, '@') then 'email' when regexp_matches(t, '^''?\+') then 'phone' else 'customer_id' end;
create or replace temporary macro foreign_code(t) as
    case when t = '' or t = getvariable('currency') then null
         else nullif(upper(clean(t)), getvariable('currency')) end;
create or replace temporary macro read_foreign_money(t, code) as
    case when code is null then try_cast(t as decimal(18, 2))
         else cast(try_cast(t as decimal(24, 6)) * getvariable('rates')[code] as decimal(18, 2)) end;
create or replace temporary macro in_client_currency(amount, code) as
    case when foreign_code(code) is null then amount
         else cast(cast(amount as decimal(24, 6)) * getvariable('rates')[foreign_code(code)] as decimal(18, 2)) end;
create or replace temporary macro is_counted(status, test) as
    coalesce(status in ('pending', 'paid'), false) and not coalesce(test, false);
create or replace temporary macro is_discounted(discount, codes) as
    coalesce(discount > 0, false) or coalesce(len(codes) > 0, false);

-- name: read_page
-- A row that cannot be used, or not yet, has a note: why, then file or call, record number and the row as it came. One
-- column, because an empty column costs as much to store as many a full one.
insert into {target} by name
select {columns},
       case when reason is not null or odd then [reason, origin, cast(record as varchar), {raw}] end as _note,
       cast($loaded_at as timestamp) as loaded_at
from (select *, {odd} as odd, {reason} as reason
      from (select {values}, {origin} as origin, {record} as record from (select *, {foreign} as _foreign from incoming)))

-- name: odd_values
select distinct {column} as value from {target} where _note is not null and starts_with({column}, chr(1))

-- name: fix_odd
update {target} as t set {column} = odd.normal from odd where t._note is not null and t.{column} = odd.value

-- name: fix_key
update {target} set {key} = coalesce({addresses}) where _note is not null and ({key} is null or starts_with({key}, chr(1)))

-- name: refuse_odd
update {target} set _note = list_prepend(concat_ws('; ', _note[1], cast($reason as varchar)), _note[2:])
where _note is not null and {column} is null

-- name: odd_rows
select exists (select 1 from {target} where _note is not null)

-- name: settle_odd
update {target} set _note = null where _note is not null and _note[1] is null

-- name: keep_rejected
insert into rejected_rows
select $source, $stream, $load_id, $table, _note[2], cast(_note[3] as bigint), _note[1], _note[4], loaded_at
from {target} where _note is not null

-- name: drop_rejected
delete from {target} where _note is not null
