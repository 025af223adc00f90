#!/bin/sh
# Whether all that a DataNode which leaves has is on enough others: 0 it is, 1 not yet. That it counts as decommissioned
# is not enough: the NameNodes say so at once of one that is dead, whatever it alone has.
me=$(sed -n 's:.*<name>dfs.datanode.hostname</name><value>\(.*\)</value>.*:\1:p' "$SDTD_CONFIG/datanode/hdfs-site.xml")
told=$(sh "$SDTD_CONFIG/client/run.sh" hdfs dfsadmin -report 2>&1) || { printf '%s\n' "$told" | tail -n 1; exit 1; }
not_yet() { echo "$1"; exit 1; }
count() { printf '%s\n' "$told" | sed -n "s/^[[:space:]]*$1: *\([0-9][0-9]*\)\$/\1/p" | head -n 1; }
none() { [ "$(count "$1")" = 0 ]; }
few='Low redundancy blocks with highest priority to recover'
none_missing() { none 'Missing blocks' && none 'Missing blocks (with replication factor 1)'; }

printf '%s\n' "$told" | grep -q '^Safe mode is ON' &&
    not_yet "the NameNode is in its safe mode, and does not know where all blocks are: \`hdfs dfsadmin -safemode get\`"
state=$(printf '%s\n' "$told" | awk -v me="$me" -v port=":$SDTD_PORT_BLOCKS" '
    /^Live datanodes/ { of = "live" }
    /^Dead datanodes/ { of = "dead" }
    $1 == "Name:" { at = $2; sub(/^.*:/, ":", at); here = at == port }
    $1 == "Hostname:" { here = here && $2 == me }
    here && /^Decommission Status/ { sub(/.*: */, ""); print of, $0; exit }')
case $state in
    "live Decommissioned") said="all of it is on the others" ;;
    "dead Decommissioned") said="it is dead, and nothing of it is missed" ;;
    "") said="the NameNode does not know it, and misses nothing" ;;
    *Normal) not_yet "the NameNode does not have it leave yet" ;;
    *) not_yet "${state#* }: blocks to be copied: $(count 'Under replicated blocks')" ;;
esac
# What it alone has is missed as long as it is not there.
[ "$state" = "live Decommissioned" ] || none_missing ||
    not_yet "it may hold what is missed (blocks: $(count 'Missing blocks')): start it and let it copy, or see \`hdfs fsck / -list-corruptfileblocks\`"
# One that was dead when it was told to leave, and came back, has blocks that were never copied off it.
none "$few" || not_yet "blocks of which there is one copy at most besides those on DataNodes that leave: $(count "$few")"
echo "$said"
