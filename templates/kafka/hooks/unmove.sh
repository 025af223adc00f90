#!/bin/sh
# Once no controller runs any more: the brokers choose one among them again, as they did before. May run again.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/metadata.sh"

# As few starts of the client as can be: until /controller is gone the cluster has no controller.
look() {
    answers=$(printf '%s\n' 'get /controller_epoch' 'get /controller' 'get /migration' | zookeeper)
    epoch=$(printf '%s\n' "$answers" | sed -n '/^[0-9][0-9]*$/p')
    controller=$(of brokerid kraftControllerEpoch)
    moved=$(of kraft_metadata_offset kraft_controller_epoch)
    [ -n "$epoch" ] || { printf '%s\n' "$answers" | tail -n 3; exit 1; }
}

# A number in the answer that also has another key.
of() { printf '%s\n' "$answers" | sed -n "/\"$1\"/s/.*\"$2\":\"\{0,1\}\(-\{0,1\}[0-9]*\).*/\1/p"; }

look
# Partitions bear the epoch of the controllers that wrote them last. A broker that becomes the controller takes the
# next one of ZooKeeper's own, which may lie behind: it would change none of them.
if [ "${moved:-0}" -gt "$epoch" ]; then
    set -- "set /controller_epoch $moved"
    epoch=$moved
fi
# One that is registered at an epoch of the controllers' own is gone; one of the brokers stays.
[ "${controller:--1}" = -1 ] || set -- "$@" 'delete /controller'
[ -z "$moved" ] || set -- "$@" 'delete /migration'
[ $# = 0 ] && exit 0
least=$epoch
printf '%s\n' "$@" | zookeeper >/dev/null
look
if [ "$epoch" -lt "$least" ] || [ "${controller:--1}" != -1 ] || [ -n "$moved" ]; then
    echo "ZooKeeper still names a controller that is gone"
    printf '%s\n' "$answers" | tail -n 3
    exit 1
fi
