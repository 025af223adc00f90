#!/bin/sh
# Brings back the regions that this server had, and the balancer to what it was. One that was to leave and stays after
# all is given regions again.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
code=0
if [ -e "$DATA/leaves" ]; then
    balancer stays "$ME:$SDTD_PORT_REGION" || exit 1
    rm -f "$DATA/leaves"
fi
if [ -s "$DATA/regions" ]; then
    balancer takes "$ME:$SDTD_PORT_REGION" &&
        run org.apache.hadoop.hbase.util.RegionMover -r "$ME:$SDTD_PORT_REGION" -o load -f "$DATA/regions" -t 300 2>&1 || code=1
fi
balancer_back || exit 1
[ $code != 0 ] || rm -f "$DATA/regions"
exit $code
