-- Reading pages: what is wanted of every row, and of those that cannot be used or need more than SQL can say.

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
-- What merging rows needs as well.
create or replace temporary macro foreign_code(t) as
    case when t = '' or t = getvariable('currency') then null
         else nullif(nullif(upper(trim(t, ' ' || chr(9) || chr(10) || chr(13))), ''), getvariable('currency')) end;
create or replace temporary macro in_client_currency(amount, code) as
    case when foreign_code(code) is null then amount
         else cast(cast(amount as decimal(24, 6)) * getvariable('rates')[foreign_code(code)] as decimal(18, 2)) end;
create or replace temporary macro is_counted(status, test) as
    coalesce(status in ('pending', 'paid'), false) and not coalesce(test, false);
create or replace temporary macro is_refusal(status, channel, ad_user_data, ad_personalization) as
    coalesce(status = 'unsubscribed' or (channel = 'ads' and (ad_user_data = false or ad_personalization = false)), false);
create or replace temporary macro is_permission(status, channel, ad_user_data, ad_personalization) as
    coalesce(status = 'subscribed' or (channel = 'ads' and ad_user_data and ad_personalization), false);
create or replace temporary macro is_discounted(discount, codes) as
    coalesce(discount > 0, false) or coalesce(len(codes) > 0, false)

-- name: read_page
-- A row that cannot be used, or not yet, has a note: why, then file or call, record number and the row as it came. One
-- column, because an empty column costs as much to store as many a full one.
insert into {target} by name
select {columns},
       case when reason is not null or odd then [reason, origin, cast(record as varchar), {raw}] end as _note,
       cast($loaded_at as timestamp) as loaded_at
from (select *, {odd} as odd, {reason} as reason
      from (select *{checks} from (
          select {values}, {origin} as origin, {record} as record from (select *, {foreign} as _foreign from incoming))))

-- name: say_why
-- A reason comes as numbers of problems, each with its value: chr(30) between two, chr(31) after a number.
update {target} set _note = list_prepend(array_to_string(list_transform(string_split(_note[1], chr(30)), lambda why:
    replace($words[cast(split_part(why, chr(31), 1) as integer) + 1], chr(31), substr(why, strpos(why, chr(31)) + 1))),
    '; '), _note[2:])
where _note[1] is not null

-- name: odd_values
select distinct {column} as value from {target} where _note is not null and starts_with({column}, chr(1))

-- name: fix_odd
update {target} as t set {column} = odd.normal from odd where t._note is not null and t.{column} = odd.value

-- name: fix_key
update {target} set {key} = coalesce({addresses}) where _note is not null and ({key} is null or starts_with({key}, chr(1)))

-- name: refuse_odd
update {target} set _note = list_prepend(concat_ws('; ', _note[1], cast($reason as varchar)), _note[2:])
where _note is not null and {column} is null

-- name: has_notes
select exists (select 1 from {target} where _note is not null)

-- name: settle_odd
update {target} set _note = null where _note is not null and _note[1] is null

-- name: keep_rejected
insert into rejected_rows
select $source, $stream, $load_id, $table, _note[2], cast(_note[3] as bigint), _note[1], _note[4], loaded_at
from {target} where _note is not null

-- name: drop_rejected
delete from {target} where _note is not null
