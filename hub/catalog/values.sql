-- How a value of a page becomes a value of a canonical column: expressions over the text {t}. Macros would read better,
-- and a small shop's pull would spend more time on making them than on its rows. A text that needs more than SQL can
-- say (an odd e-mail, a national phone number) is marked with chr(1) and read in Python afterwards, each distinct value
-- once. Where the first branch takes what nearly every value is, it spares a large file the others.

-- name: text
case when {t} > '!' and not ends_with({t}, ' ') and not ends_with({t}, chr(9)) and not ends_with({t}, chr(10)) then {t}
     when {t} = '' then null
     when starts_with({t}, ' ') or ends_with({t}, ' ') or ends_with({t}, chr(9)) or ends_with({t}, chr(10))
         then nullif(trim({t}, ' ' || chr(9) || chr(10) || chr(13)), '')
     else {t} end

-- name: id
read_id({t})

-- name: integer
try_cast({t} as bigint)

-- name: number
case when isfinite(try_cast({t} as double)) then try_cast({t} as double) end

-- name: money
try_cast({t} as decimal(18, 2))

-- name: foreign_money
case when {code} is null then try_cast({t} as decimal(18, 2))
     else cast(try_cast({t} as decimal(24, 6)) * getvariable('rates')[{code}] as decimal(18, 2)) end

-- name: boolean
case lower(trim({t}))
    when 'yes' then true when 'true' then true when '1' then true when 'granted' then true
    when 'no' then false when 'false' then false when '0' then false when 'denied' then false
    when 't' then true when 'f' then false when 'y' then true when 'n' then false end

-- name: time
case when isfinite(try_cast({iso} as timestamptz)) then timezone('UTC', try_cast({iso} as timestamptz)) end

-- name: iso
replace(replace(replace({t}, ' +', '+'), ' -', '-'), ' UTC', 'Z')

-- name: date
try_cast({t} as date)

-- name: country
case when regexp_full_match({t}, '\s*[A-Za-z]{2}\s*') then upper(trim({t}, ' ' || chr(9) || chr(10) || chr(13))) end

-- name: texts
case when trim({t}) <> ''
     then list_filter(list_transform(string_split({t}, ','), lambda x: trim(x)), lambda x: x <> '') end

-- name: list
list_filter(list_transform({t}, lambda x: trim(x)), lambda x: x <> '')

-- name: email
case when regexp_full_match({t}, '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,63}')
          and not starts_with({t}, '''') and strlen({t}) <= 254
         then lower({t})
     when trim({t}, ' ' || chr(9) || chr(10) || chr(13)) <> '' then chr(1) || {t} end

-- name: phone
case when regexp_full_match({t}, '\+(1[2-9][0-9]{2}[2-9][0-9]{6}|(20|27|3[0-4]|36|4[0-1]|4[3-9]|5[1-8]|6[0-6]|8[1246]|9[0-5]|98)[1-9][0-9]{7,8})')
         then {t}
     when trim({t}, ' ' || chr(9) || chr(10) || chr(13)) <> '' then chr(1) || coalesce({country}, '') || chr(1) || {t} end

-- name: subject_kind
case when contains({t}, '@') then 'email' when regexp_matches({t}, '^''?\+') then 'phone' else 'customer_id' end

-- name: subject
case {kind} when 'email' then {email} when 'phone' then {phone} else {id} end
