#!/bin/sh
# Whether a file that is written is read again, and all others are whole.
run() { sh "$SDTD_CONFIG/client/run.sh" hdfs "$@" 2>&1; }
file=/tmp/sdtd-verify-$$
told=$(echo "sdtd $$" | run dfs -put -f - $file) || { echo "${told:-it can not be written}" | tail -n 1; exit 1; }
read=$(run dfs -cat $file)
run dfs -rm -skipTrash $file >/dev/null
[ "$read" = "sdtd $$" ] || { echo "what was written is not what is read: $read" | tail -n 1; exit 2; }
told=$(run fsck /)
case $told in
    *"is HEALTHY"*) echo "a file written and read; $(printf '%s\n' "$told" | sed -n 's/^ *Total files:[[:space:]]*/files: /p' | head -n 1)" ;;
    *) printf '%s\n' "$told" | tail -n 1; exit 1 ;;
esac
