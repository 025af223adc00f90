#!/bin/sh
# Makes a change, of the epoch that there is by now: exit 0 done, 1 not yet.
told=$(sh "$SDTD_CONFIG/session.sh") || { printf '%s\n' "$told" | tail -n 1; exit 1; }
