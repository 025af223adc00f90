#!/bin/sh
# Has files copied as often as is wanted by now: those that were written while there were fewer DataNodes say less. Each
# number is seen to once, which the root folder keeps, so that what somebody wants fewer copies of later stays so.
want=$(sed -n 's:.*<name>dfs.replication</name><value>\([0-9]*\)</value>.*:\1:p' "$SDTD_CONFIG/datanode/hdfs-site.xml")
hdfs() { sh "$SDTD_CONFIG/client/run.sh" hdfs "$@"; }
seen=$(hdfs dfs -getfattr -n trusted.sdtd.copies / 2>/dev/null | sed -n 's/^trusted\.sdtd\.copies="\([0-9]*\)"$/\1/p')
if [ "${seen:-0}" -ge "$want" ]; then
    echo "all files want $want copies already, or what somebody said"
    exit 0
fi
at=$(mktemp -d) || exit 1
trap 'rm -rf "$at"' EXIT
n=0
while :; do
    hdfs fsck / -files >"$at/told" 2>&1
    grep -q "^The filesystem under path '/' is " "$at/told" || { tail -n 1 "$at/told"; exit 1; }
    # As FsShell takes paths: a star in a name is a star.
    sed -n 's:^\(/.*\) [0-9]* bytes, replicated\: replication=\([0-9]*\), .*:\2 \1:p' "$at/told" |
        awk -v want="$want" '$1 < want { sub(/^[0-9]+ /, ""); print }' | sed 's/[][*?{}\\]/\\&/g' >"$at/few"
    [ -s "$at/few" ] || break
    # Some are gone by the time that they are asked for, and others have come.
    n=$((n + 1))
    [ $n -le 5 ] || { echo "files that want fewer than $want copies still: $(wc -l <"$at/few")"; exit 1; }
    echo "files that want $want copies from now on: $(wc -l <"$at/few")"
    tr '\n' '\0' <"$at/few" | xargs -0 sh "$SDTD_CONFIG/client/run.sh" hdfs dfs -setrep "$want" >"$at/set" 2>&1
done
hdfs dfs -setfattr -n trusted.sdtd.copies -v "$want" /
