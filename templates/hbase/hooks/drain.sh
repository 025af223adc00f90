#!/bin/sh
# Moves the regions of this server to the others before it is stopped. The balancer, which would bring them back, is
# off meanwhile; what it was is noted first. Where they can't be moved it is put back at once: the server is not stopped.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
[ "$OTHERS" -gt 0 ] || { echo "there is no other one to take its regions"; exit 0; }
if [ ! -s "$DATA/balancer-was" ]; then
    balancer >"$DATA/balancer-was.new" && mv "$DATA/balancer-was.new" "$DATA/balancer-was" || exit 1
fi
end() {
    code=$?
    trap '' INT TERM HUP
    [ $code = 0 ] || balancer_back
    exit $code
}
trap end EXIT
# One that takes too long is told to end; a shell that is killed runs no trap.
trap 'exit 1' INT TERM HUP
balancer off >/dev/null || exit 1
run org.apache.hadoop.hbase.util.RegionMover -r "$ME:$SDTD_PORT_REGION" -o unload -f "$DATA/regions" -t 300 2>&1
