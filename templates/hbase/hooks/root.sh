#!/bin/sh
# Makes the folder in HDFS that all tables are in, and gives it to HBase. One that is there stays as it is.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
[ "$storage" = hdfs ] || exit 0
dfs() { HADOOP_USER_NAME=${root_owner:-$(id -un)} run org.apache.hadoop.fs.FsShell "$@"; }
dfs -mkdir -p "$root" && dfs -chown "$(id -un)" "$root"
