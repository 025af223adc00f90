#!/bin/sh
# Makes the folder in HDFS that all tables are in, and gives it to HBase. One that is there stays as it is.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
[ "$STORAGE" = hdfs ] || exit 0
dfs() { HADOOP_USER_NAME=${ROOT_OWNER:-$(id -un)} run org.apache.hadoop.fs.FsShell "$@"; }
dfs -mkdir -p "$ROOT" && dfs -chown "$(id -un)" "$ROOT"
