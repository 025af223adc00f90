#!/bin/sh
# Whether each region answers a read and takes a write: upstream's own canary, whose table it makes if need be.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
told=$(run org.apache.hadoop.hbase.tool.CanaryTool -writeSniffing -t 120000 -f true 2>&1)
code=$?
if [ $code = 0 ]; then
    echo "regions of all tables read and written"
else
    printf '%s\n' "$told" | grep -v '^[[:space:]]*\(at \|\.\.\. \)' | tail -n 1
    exit 1
fi
