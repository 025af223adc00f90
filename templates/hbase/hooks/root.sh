#!/bin/sh
# Makes the folder in HDFS that all tables are in, and gives it to HBase. One that is there stays as it is. A NameNode
# that is in its safe mode, since the run before was cut off while it waited for that, is waited for.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/tools/run.sh"
[ "$STORAGE" = hdfs ] || exit 0
dfs() { HADOOP_USER_NAME=${ROOT_OWNER:-$(id -un)} run org.apache.hadoop.fs.FsShell "$@" 2>&1; }
until said=$(dfs -mkdir -p "$ROOT" && dfs -chown "$(id -un)" "$ROOT"); do
    case $said in
        *"safe mode"*) sleep 3 ;;
        *) printf '%s\n' "$said"; exit 1 ;;
    esac
done
