-- Expressions over the text of a CSV file. Each gives NULL for what it cannot read.

-- name: zone_bounds
set variable zone_bounds = (select list(bound order by week) from zone);

-- name: zone_before
set variable zone_before = (select list(before order by week) from zone);

-- name: zone_after
set variable zone_after = (select list(after order by week) from zone);

-- name: utc_of_utc
create macro utc_of(x) as x;

-- name: utc_of_zone
create macro week_of(t) as greatest(least(epoch_ms(t) // 604800000 + 1, len(getvariable('zone_bounds'))), 1);

-- The list makes `t` one value, however often it is named.
create macro utc_of(x) as list_transform([x], lambda t: t - to_seconds(
    case when t < getvariable('zone_bounds')[week_of(t)] then getvariable('zone_before')[week_of(t)]
        else getvariable('zone_after')[week_of(t)] end))[1];

-- name: macros
create macro text_of(x) as nullif(trim(x), '');

-- Ids, phones and zips may carry one leading apostrophe, so that spreadsheets keep them as text.
create macro id_of(x) as nullif(trim(case when starts_with(x, '''') then substr(x, 2) else x end), '');

create macro word_of(x) as nullif(lower(trim(x)), '');

create macro texts_of(x) as
    nullif(list_filter(list_transform(string_split(x, ','), lambda t: trim(t)), lambda t: t <> ''), []);

create macro point_number(x) as try_cast(trim(x) as decimal(18, 4));

-- 12.50 written with a decimal point is refused here: read as 1250 it would be a hundred times too much.
create macro comma_number(x) as
    case when regexp_full_match(trim(x), '[+-]?(\d+|\d{1,3}([. ]\d{3})+)(,\d+)?')
        then try_cast(replace(replace(replace(trim(x), '.', ''), ' ', ''), ',', '.') as decimal(18, 4)) end;

create macro truth_of(x, yes, no) as
    case when list_contains(yes, word_of(x)) then true when list_contains(no, word_of(x)) then false end;

-- Times as Shopify writes them go the fast way. Casts take '10:00 PM' for ten o'clock and offsets for nothing:
-- only what looks like a whole ISO time is cast.
create macro is_shopify_time(x) as len(x) = 25 and substr(x, 20, 1) = ' ';

create macro shopify_moment(x) as
    timezone('UTC', try_strptime(case when is_shopify_time(x) then x end, '%Y-%m-%d %H:%M:%S %z'));

create macro iso_moment(x) as timezone('UTC', try_cast(
    case when not is_shopify_time(x)
        and regexp_full_match(x, '\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d([.]\d{1,9})?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)')
        then regexp_replace(x, ' ?([+-]\d\d):?(\d\d)$', '\1:\2') end as timestamptz));

create macro clock_of(x) as try_cast(
    case when regexp_full_match(trim(x), '\d{4}-\d\d?-\d\d?([ T]\d\d?:\d\d(:\d\d([.]\d{1,9})?)?)?') then trim(x) end
    as timestamp);

create macro day_of(x) as coalesce(clock_of(x), shopify_moment(trim(x)), iso_moment(trim(x)))::date;

-- The commonest form of all, without the cost of a pattern; what it does not take, clock_of may.
create macro plain_clock(x) as try_strptime(
    case when len(x) = 19 and substr(x, 8, 1) = '-' and substr(x, 11, 1) = ' ' then x end, '%Y-%m-%d %H:%M:%S');

create macro time_of(x) as
    coalesce(utc_of(plain_clock(x)), shopify_moment(trim(x)), iso_moment(trim(x)), utc_of(clock_of(x)));

create macro csv_cell(x, delimiter) as
    case when x is null then ''
        when contains(x, '"') or contains(x, delimiter) or contains(x, chr(10)) or contains(x, chr(13))
            then '"' || replace(x, '"', '""') || '"'
        else x end;
