#!/bin/sh
# Whether no NameNode is at work: 0 none is, 1 one is.
told=$(sh "$SDTD_CONFIG/client/run.sh" hdfs haadmin -getAllServiceState 2>&1)
printf '%s\n' "$told" | tail -n 1
! printf '%s\n' "$told" | grep -q '[[:space:]]active[[:space:]]*$'
