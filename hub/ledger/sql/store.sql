-- name: settings
pragma page_size = 8192;
pragma journal_mode = wal;
pragma wal_autocheckpoint = 4000;
pragma secure_delete = on;
pragma foreign_keys = on;
pragma synchronous = full;
pragma cache_size = -65536;
pragma temp_store = memory;
pragma journal_size_limit = 67108864;
