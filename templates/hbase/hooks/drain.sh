#!/bin/sh
# Moves the regions of this server to the others before it is stopped. The balancer, which would bring them back, is
# off meanwhile; what it was is noted first.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
[ "$OTHERS" -gt 0 ] || { echo "there is no other one to take its regions"; exit 0; }
if [ ! -s "$DATA/balancer-was" ]; then
    balancer >"$DATA/balancer-was.new" && mv "$DATA/balancer-was.new" "$DATA/balancer-was" || exit 1
fi
balancer off >/dev/null || exit 1
run org.apache.hadoop.hbase.util.RegionMover -r "$ME:$SDTD_PORT_REGION" -o unload -f "$DATA/regions" -t 300 2>&1
