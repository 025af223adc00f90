#!/bin/sh
# Moves the regions of this server to the others before it is stopped. The balancer, which would bring them back, is
# off meanwhile; what it was is noted first.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
[ "$others" -gt 0 ] || { echo "there is no other one to take its regions"; exit 0; }
if [ ! -s "$data/balancer-was" ]; then
    balancer >"$data/balancer-was.new" && mv "$data/balancer-was.new" "$data/balancer-was" || exit 1
fi
balancer off >/dev/null || exit 1
run org.apache.hadoop.hbase.util.RegionMover -r "$me:$SDTD_PORT_REGION" -o unload -f "$data/regions" -t 300 2>&1
