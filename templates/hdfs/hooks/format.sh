#!/bin/sh
# Makes the folder of a NameNode: the first one formats it, a second one takes over what the first one has. One that
# was cut off goes on; a folder that is whole is never formatted again.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/namenode/format.sh"
whole() { ls "$DATA"/current/fsimage_*.md5 >/dev/null 2>&1; }
if whole; then
    echo "it is formatted already"
    exit 0
fi
if [ -n "$FIRST" ] && [ -z "$SDTD_JOINS" ]; then
    # No NameNode has ever started: what is half done, here and on the JournalNodes, may be done anew.
    set -- -nonInteractive
    [ -z "$SDTD_RESUMED" ] || set -- -force
    namenode -format -clusterId "$CLUSTER_ID" "$@" && whole
    exit
fi
# The first one has to be up: it is started by the same run.
n=0
until namenode -bootstrapStandby -nonInteractive -force; do
    n=$((n + 1))
    [ $n -lt 20 ] || exit 1
    sleep 3
done
whole
