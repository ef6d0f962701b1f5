#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# wine.sh PROGRAM [ARGUMENT...]: runs a Windows program in the prefix of the
# build (WINEPREFIX), where the library's DLL is found (WINEPATH). What it says
# goes through a file: Wine's own services would keep a pipe open.
set -u
out=$(mktemp)
wine "$@" >"$out" 2>&1 </dev/null
status=$?
tr -d '\r' <"$out"
[ -z "${TMLRT_WINE_RESULTS:-}" ] || tr -d '\r' <"$out" >"$TMLRT_WINE_RESULTS/$(basename "$1").txt"
rm -f "$out"
exit $status
