#!/bin/sh
# Has the NameNode at work begin a new segment of its journal: a JournalNode that was restarted takes part only from there
# on, and a NameNode that wrote nothing meanwhile does not know of it. Where none is at work, none can lose its journal.
hdfs() { sh "$SDTD_CONFIG/client/run.sh" hdfs "$@" 2>&1; }
if ! hdfs haadmin -getAllServiceState | grep -q '[[:space:]]active[[:space:]]*$'; then
    echo "no NameNode is at work"
    exit 0
fi
told=$(hdfs dfsadmin -rollEdits)
code=$?
printf '%s\n' "$told" | tail -n 1
case $told in
    # It writes nothing either.
    *"safe mode"*) exit 0 ;;
esac
[ $code = 0 ] || exit 1
