# What a host does for the one after it: the package as it comes in, from a byte on. `ssh` says which, from where, how much.
# Its lines are joined to one line between single quotes, so it has no quotes, and every line ends as a command does.
# shellcheck shell=sh disable=SC2046,SC2086
set -f; set -- $SSH_ORIGINAL_COMMAND;
[ $# = 3 ] && [ ${#1} = 64 ] || exit 2;
case $1 in *[!0-9a-f]*) exit 2;; esac;
case $2$3 in *[!0-9]*) exit 2;; esac;
echo @sdtd; f=INCOMING/$1.fan-RUN; n=0; was=-1;
until [ -r $f ] && [ $(stat -c %s $f) -ge $2 ]; do
n=$((n + 1)); [ $n -lt 600 ] || exit 3; sleep 0.2 || sleep 1;
done;
exec 3<$f; dd bs=1 count=0 skip=$2 iflag=skip_bytes status=none <&3; n=0;
while dd bs=256k status=none <&3; do
read -r _ at </proc/self/fdinfo/3; [ $at -lt $3 ] || exit 0;
if [ $at = $was ]; then n=$((n + 1)); else n=0; was=$at; fi;
[ $n -lt 600 ] || exit 4; sleep 0.2 || sleep 1;
done
