# Lines that a run puts into a login user's authorized_keys, and takes out again. All else in it stays byte by byte.
# shellcheck shell=sh

# The file that sshd usually reads for whoever logs in here: only if it is there, is the user's own and has one name.
keys_file() {
  who=${SUDO_USER:-$(id -un)}
  home=$(awk -F: -v u="$who" '$1 == u { print $6; exit }' /etc/passwd)
  [ -n "$home" ] || home=$(getent passwd "$who" 2>/dev/null | cut -d: -f6)
  at=$(readlink -f "${home:-/nonexistent}/.ssh/authorized_keys") || return 1
  [ -f "$at" ] && [ "$(stat -c '%u %h' "$at")" = "$(id -u "$who") 1" ] && echo "$at"
}

# Puts what a command prints in the place of a file, whole or not at all, with its owner and mode; not where the file was
# changed meanwhile.
put_instead() { # file command...
  now=$1; shift
  before=$(cksum <"$now") && cp -a "$now" "$now.sdtd-new" && "$@" >"$now.sdtd-new" &&
    [ "$(cksum <"$now")" = "$before" ] && mv -f "$now.sdtd-new" "$now" && return 0
  rm -f "$now.sdtd-new"
  return 1
}

# A line at the top: whatever the last line ends with is of no matter.
line_first() { printf '%s\n' "$2" && cat "$1"; }

with_line() { # file line
  for try in 1 2 3; do
    put_instead "$1" line_first "$1" "$2" && grep -qxF -e "$2" "$1" && return 0
    sleep "0.$try" || sleep 1
  done
  return 1
}

# Only whole lines go: the sizes say so.
lines_left() { # file mark
  out=$(grep -e "$2\$" "$1" | wc -c)
  sed -e "/$2\$/d" "$1" && [ "$(sed -e "/$2\$/d" "$1" | wc -c)" -eq $(($(wc -c <"$1") - out)) ]
}

without_lines() { # file runs: a pattern
  ours=" sdtd-fan-out $2"
  for try in 1 2 3; do
    [ -f "$1" ] && grep -q -e "$ours\$" "$1" || return 0
    put_instead "$1" lines_left "$1" "$ours" || sleep "0.$try" || sleep 1
  done
  ! grep -q -e "$ours\$" "$1"
}

# What runs left behind that ended without a word, on a host that this one has the lock of.
sweep_fan_out() { # state
  [ -d "$1/fan-out" ] || return 0
  for left in "$1/fan-out"/*; do
    [ -f "$left" ] || continue
    { IFS= read -r where && IFS= read -r parts && rm -f "$parts"/*.fan-"${left##*/}"; } <"$left"
    { [ -z "$where" ] || without_lines "$where" "${1##*/} [^ ]*"; } && rm -f "$left"
  done
  rm -rf "/run/sdtd-fan-out.${1##*/}"
  rmdir "$1/fan-out" 2>/dev/null
}
