#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run_demo.sh BUILD_DIR [--connections N] [--seconds S] [--workers W] [--path P]
# Starts the server on a free port and the load generator against it, two
# processes; at the end, and on every other way out, the server is told to stop
# and waited for. The exit status is the load generator's, else the server's.
set -uo pipefail

die() {
    echo "run_demo.sh: $*" >&2
    exit 2
}

[ $# -ge 1 ] || die "usage: run_demo.sh BUILD_DIR [--connections N] [--seconds S] [--workers W]"
bin=$1/examples/http
shift
load_args=()
server_args=(--port 0)
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || die "$1 needs a value"
    case $1 in
    --connections | --seconds | --path) load_args+=("$1" "$2") ;;
    --workers)
        load_args+=("$1" "$2")
        server_args+=("$1" "$2")
        ;;
    *) die "unknown option $1" ;;
    esac
    shift 2
done
for program in http_server http_load; do
    [ -x "$bin/$program" ] || die "$bin/$program is not built (it needs libhttp-parser-dev)"
done

server_pid=
load_pid=

# wait_for PID: its exit status, also when a trap cuts the wait short.
was_trapped=no
wait_for() {
    local status
    while :; do
        was_trapped=no
        wait "$1"
        status=$?
        [ $was_trapped = yes ] || return $status
    done
}

# Told once with SIGINT, then once more with what cannot be ignored.
stop_server() {
    [ -n "$server_pid" ] || return 0
    local pid=$server_pid status
    server_pid=
    kill -INT "$pid" 2>/dev/null
    (sleep 20 && kill -KILL "$pid") 2>/dev/null >&2 &
    local killer=$!
    cat <&3
    wait_for "$pid"
    status=$?
    kill -TERM -- "-$killer" 2>/dev/null
    wait "$killer" 2>/dev/null
    return $status
}

# shellcheck disable=SC2317
leave() {
    [ -z "$load_pid" ] || kill -KILL "$load_pid" 2>/dev/null
    stop_server
}
trap leave EXIT
# Ctrl-C is for the load generator: it ends early, with its summary.
# shellcheck disable=SC2317
interrupt() {
    was_trapped=yes
    if [ -z "$load_pid" ]; then exit 130; fi
    kill -INT "$load_pid" 2>/dev/null
}
trap interrupt INT TERM HUP

# Each in a process group of its own, so that Ctrl-C reaches this script alone.
set -m
# Where it can be had: the server also ends when this script is killed.
guard=()
if setpriv --pdeathsig TERM true 2>/dev/null; then guard=(setpriv --pdeathsig TERM); fi

exec 3< <(exec ${guard[@]+"${guard[@]}"} "$bin/http_server" "${server_args[@]}")
server_pid=$!
IFS= read -r -t 20 line <&3 || die "the server did not start"
address=${line#listening on }
[ "$address" != "$line" ] || die "the server said: $line"
echo "server       pid $server_pid, $line"

"$bin/http_load" --target "$address" ${load_args[@]+"${load_args[@]}"} &
load_pid=$!
wait_for "$load_pid"
load_status=$?
load_pid=

echo
echo "server:"
stop_server
server_status=$?
[ $server_status = 0 ] || echo "run_demo.sh: the server ended with $server_status" >&2
[ $load_status = 0 ] || exit $load_status
exit $server_status
