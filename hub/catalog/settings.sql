-- What every connection to a catalog begins with.

-- name: connection
set TimeZone = 'UTC';
set autoinstall_known_extensions = false;
set autoload_known_extensions = false

-- name: keep_memory
-- To give memory back and to ask for it anew takes a tenth of a large run's time, so that some of it is kept.
set block_allocator_memory = '10%'

-- name: variables_currency
set variable currency = cast($value as varchar)

-- name: variables_country
set variable country = cast($value as varchar)

-- name: variables_rates
set variable rates = map(cast($names as varchar[]), cast(cast($rates as varchar[]) as decimal(18, 8)[]))

-- name: variables_silence
set variable silence_permits = cast($countries as varchar[])

-- name: instants_as_of
set variable as_of = cast($value as timestamp)

-- name: instants_now
set variable now = cast($value as timestamp)

-- name: today
set variable today = cast($value as date)

-- name: closed
set enable_external_access = false;
set allow_community_extensions = false
