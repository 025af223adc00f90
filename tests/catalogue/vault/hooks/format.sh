#!/bin/sh
# Makes each data folder a shard. Cut off before, it begins again; it never touches one that is whole.
set -eu
old=$IFS
IFS=:
for dir in $SDTD_DATA; do
  IFS=$old
  if [ -e "$dir/superblock" ] && [ -z "${SDTD_RESUMED:-}" ]; then
    echo "$dir holds a shard already" >&2
    exit 1
  fi
  echo "$SDTD_NUMBER" >"$dir/superblock"
done
