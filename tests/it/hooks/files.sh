# A file system of files with their copies, as `run.sh` of its clients is called: what is asked of it is done in a folder.
at=$SDTD_CONFIG/fs
shift
case "$1 $2" in
  "dfs -getfattr") [ -e "$at/seen" ] || exit 1; echo "# file: /"; echo "$4=\"$(cat "$at/seen")\"" ;;
  "dfs -setfattr") echo "$6" >"$at/seen" ;;
  "dfs -setrep")
    echo "$*" >>"$at/log"
    want=$3
    shift 3
    for path; do
      path=$(printf '%s' "$path" | tr -d '\\')
      awk -F= -v path="$path" -v want="$want" '{ print $1 "=" ($1 == path ? want : $2) }' "$at/files" >"$at/new"
      mv "$at/new" "$at/files"
    done ;;
  "fsck /")
    echo "FSCK started by me"
    echo "/ <dir>"
    [ ! -e "$at/away" ] || { echo "away"; exit 1; }
    while IFS== read -r path copies; do
      echo "$path 12 bytes, replicated: replication=$copies, 1 block(s):  OK"
    done <"$at/files"
    echo "The filesystem under path '/' is HEALTHY" ;;
esac
