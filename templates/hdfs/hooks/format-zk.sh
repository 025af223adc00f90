#!/bin/sh
# Makes the place in ZooKeeper where the failover controllers agree. One that is there already will do.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/failover/format-zk.sh"
format_zk
code=$?
[ $code = 2 ] && echo "it is there already" && exit 0
exit $code
