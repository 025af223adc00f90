#!/bin/sh
# Whether the controllers have all that ZooKeeper had, and lead: exit 0 yes, 1 not yet.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/metadata.sh"
state=$(zookeeper get /migration) || { echo "$state" | tail -n 1; exit 1; }
offset=$(printf '%s\n' "$state" | sed -n 's/.*"kraft_metadata_offset":\(-\{0,1\}[0-9]*\).*/\1/p')
if [ "${offset:--1}" -gt 0 ]; then
    echo "the controllers have all that ZooKeeper had"
else
    echo "the controllers do not have all yet that ZooKeeper has"
    exit 1
fi
