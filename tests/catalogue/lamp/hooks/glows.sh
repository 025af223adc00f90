#!/bin/sh
# 0 it glows, 1 not yet, 2 it never will.
[ -f "$SDTD_CONFIG/page.html" ] || exit 2
grep 'glow' "$SDTD_CONFIG/page.html" || exit 1
