# One host's part in a fan-out, for as long as whoever began it stays: it tells what it is, is told what to do, and waits.
# When its input ends, for whatever reason, all that it was given is gone again.
# shellcheck shell=sh disable=SC2154 # state, incoming, cluster, run, lasts and sums are set above by the caller
export LC_ALL=C
unset TZ
umask 077
nl='
'
say() { printf '@fan %s\n' "$*"; }

mark="$state/fan-out/$run" own="/run/sdtd-fan-out.$cluster/$run" given=''
# shellcheck disable=SC2317 # by the trap
tidy() {
  trap '' HUP INT PIPE TERM
  rm -rf "$own"
  rmdir "${own%/*}" 2>/dev/null
  rm -f "$incoming"/*.fan-"$run"
  { [ -z "$given" ] || without_lines "$given" "$cluster $run"; } && rm -f "$mark"
  rmdir "$state/fan-out" 2>/dev/null
}
trap 'exit 1' HUP INT PIPE TERM

addresses() {
  awk '/\/32 host LOCAL/ { print last } { last = $2 }' /proc/net/fib_trie
  awk '$4 == "00" { gsub(/..../, "&:", $1); sub(/:$/, "", $1); print $1 }' /proc/net/if_inet6
}

tell() { # how the operator's machine came here: address and port, twice
  say user "${SUDO_USER:-$(id -un)}"
  [ -z "${4:-}" ] || say port "$4"
  for a in $(addresses 2>/dev/null | sort -u); do say address "$a"; done
  ! command -v ssh >/dev/null || say client
  file=$(keys_file) || file=''
  [ -z "$file" ] || say serves
  for f in /etc/ssh/ssh_host_*_key.pub; do
    [ ! -r "$f" ] || { read -r kind key _ <"$f" && say key "$kind" "$key"; }
  done
  for s in $sums; do
    f=$incoming/$s.part
    [ ! -s "$f" ] || { n=$(stat -c %s "$f") && say part "$s" "$n" "$(head -c "$n" "$f" | sha256sum | cut -c 1-64)"; }
  done
  say told
}

listen() { # false where the input ends before all is told
  secret='' line=''
  while IFS= read -r said; do
    case $said in
      go) return 0 ;;
      "drop "*) rm -f "$incoming/${said#drop }.part" ;;
      "key "*) secret=$secret${said#key }$nl ;;
      "line "*) line=${said#line } ;;
    esac
  done
  return 1
}

# What it passes on has a name of its own until all have it: the other one goes when it is unpacked here.
name_parts() {
  umask 022
  mkdir -p "$incoming" || return 1
  for s in $sums; do : >>"$incoming/$s.part" && ln -f "$incoming/$s.part" "$incoming/$s.fan-$run" || return 1; done
}

begin() {
  (umask 022; mkdir -p "$state") && mkdir -p "$state/fan-out" "$own" || return 1
  printf '%s' "$secret" >"$own/key"
  if [ -n "$file" ] && [ -n "$line" ]; then
    # Noted before it is done: what is left of a host that falls here is found.
    given=$file
    printf '%s\n' "$file" "$incoming" >"$mark" || return 1
    (name_parts) || return 1
    # The host's own time and not the world's: older servers do not know the other form.
    until=$(date -d "@$(($(date +%s) + lasts))" +%Y%m%d%H%M%S) || return 1
    with_line "$file" "expiry-time=\"$until\",$line" && say serving
  fi
  say ready
}

# shellcheck disable=SC2086 # one word each
tell ${1:-}
listen || exit 0
trap tidy EXIT
begin || exit 1
while IFS= read -r _; do :; done
exit 0
