#!/usr/bin/env bash
# A PostgreSQL of one's own for tests, in a scratch directory, reached by a socket there and by nothing else.
#
#   postgres.sh start DIR    makes it where there is none, starts it, and prints how it is reached
#   postgres.sh stop DIR     stops it, and waits for that
#   postgres.sh kill DIR     the same without letting it end anything
set -euo pipefail

command=$1 dir=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || true)")
if [ ! -x "$bin/initdb" ]; then
    echo "PostgreSQL is missing: install the package postgresql, or run ./dev setup" >&2
    exit 1
fi

# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null || { echo "there is no user 'postgres' to run PostgreSQL as" >&2; exit 1; }
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

case "$command" in
    start)
        mkdir -p "$dir"
        if [ ! -d "$dir/data" ]; then
            [ "$(id -u)" -ne 0 ] || chown postgres: "$dir"
            (cd / && "${as[@]}" "$bin/initdb" -D "$dir/data" -U privet -A trust -E UTF8 --no-locale >"$dir.initdb" 2>&1) ||
                { cat "$dir.initdb" >&2; exit 1; }
            rm -f "$dir.initdb"
            # What it confirms is synced, as in earnest: that is what is tested.
            "${as[@]}" tee -a "$dir/data/postgresql.conf" >/dev/null <<TEXT
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 400
fsync = on
TEXT
        fi
        (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null </dev/null) ||
            { cat "$dir/log" >&2; exit 1; }
        echo "host=$dir user=privet dbname=postgres"
        ;;
    stop) (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m fast -w -t 60 stop >/dev/null) ;;
    kill) (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -w -t 60 stop >/dev/null) ;;
    *) echo "there is no command '$command'" >&2; exit 2 ;;
esac
