#!/bin/sh
# Brings back the regions that this server had, and the balancer to what it was.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
code=0
if [ -s "$DATA/regions" ]; then
    run org.apache.hadoop.hbase.util.RegionMover -r "$ME:$SDTD_PORT_REGION" -o load -f "$DATA/regions" -t 300 2>&1 || code=1
fi
was=$(cat "$DATA/balancer-was" 2>/dev/null)
if [ -n "$was" ]; then
    balancer "$was" >/dev/null || exit 1
    rm -f "$DATA/balancer-was"
fi
[ $code != 0 ] || rm -f "$DATA/regions"
exit $code
