#!/bin/sh
# Moves the regions of a server that leaves to the others. It is marked first: neither the balancer, which stays as it is, nor
# a server that dies meanwhile gives it any again. That it is marked is noted: one that stays after all is filled again.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
. "$SDTD_CONFIG/tools/balancer.sh"
: >"$DATA/leaves" || exit 1
said=$(balancer leaves "$ME:$SDTD_PORT_REGION") || exit 1
echo "$said"
# The master has given its regions to others already, or does so by itself.
[ "$said" != "it does not serve" ] || exit 0
run org.apache.hadoop.hbase.util.RegionMover -r "$ME:$SDTD_PORT_REGION" -o unload -f "$DATA/regions" -t 300 2>&1
