# What a host does for the one after it: the package as it comes in, from a byte on. `ssh` says which, from where, how much.
# It waits for what is to come in and does not look for it over and over: each look would start two programs.
# It ends where nothing has come in for two minutes though there is more to come, and where the run tidies up.
# Its lines are joined to one line between single quotes, so it has no quotes, and every line ends as a command does.
# shellcheck shell=sh disable=SC2046,SC2086,SC2216
set -f; set -- $SSH_ORIGINAL_COMMAND;
[ $# = 3 ] && [ ${#1} = 64 ] || exit 2;
case $1 in *[!0-9a-f]*) exit 2;; esac;
case $2$3 in *[!0-9]*) exit 2;; esac;
echo @sdtd; f=INCOMING/$1.fan-RUN; n=0; was=-1;
until [ -r $f ] && [ $(stat -c %s $f) -ge $2 ]; do
n=$((n + 1)); [ $n -lt 600 ] || exit 3; sleep 0.2 || sleep 1;
done; n=0;
{ tail --pid=$$ -f -c +$(($2 + 1)) $f </dev/null 2>/dev/null & } | head -c $(($3 - $2)) & sends=$!; exec >/dev/null 2>&1;
while sleep 5; do
at=$(stat -c %s $f) || at=-1;
if [ $at != $was ] || [ $at -ge $3 ]; then n=0; was=$at; else n=$((n + 5)); fi;
if [ $at = -1 ] || [ $n -ge 120 ]; then kill $sends; exit; fi;
done & watches=$!;
wait $sends; ended=$?; kill $watches; exit $ended
