#!/bin/sh
# 0 calm, 1 busy, 2 broken.
[ -n "$SDTD_PORT_SHARD" ] || exit 2
exit 0
