#!/bin/sh
# Whether all that a DataNode which leaves has is on enough others: 0 it is, 1 not yet.
me=$(sed -n 's:.*<name>dfs.datanode.hostname</name><value>\(.*\)</value>.*:\1:p' "$SDTD_CONFIG/datanode/hdfs-site.xml")
told=$(sh "$SDTD_CONFIG/client/run.sh" hdfs dfsadmin -report 2>&1) || { printf '%s\n' "$told" | tail -n 1; exit 1; }
state=$(printf '%s\n' "$told" | awk -v me="$me" -v port=":$SDTD_PORT_BLOCKS" '
    $1 == "Name:" { here = index($2, port) > 0 }
    $1 == "Hostname:" { here = here && $2 == me }
    here && /^Decommission Status/ { sub(/.*: */, ""); print; exit }')
case $state in
    Decommissioned) echo "all of it is on the others" ;;
    "")
        # Never seen since the NameNode started: there is nothing of it that others lack, or it is missed already.
        printf '%s\n' "$told" | grep -q '^Missing blocks: 0$' || { echo "the NameNode does not know it, and misses blocks"; exit 1; }
        echo "the NameNode does not know it" ;;
    Normal) echo "the NameNode does not have it leave yet"; exit 1 ;;
    *)
        echo "$state: $(printf '%s\n' "$told" | sed -n 's/^[[:space:]]*Under replicated blocks: /blocks to be copied: /p' | head -n 1)"
        exit 1 ;;
esac
