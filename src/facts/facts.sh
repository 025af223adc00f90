# One host's facts in one go: what is asked for stands in the variables above, one a line.
# Each answer is a line of fields parted by tabs; a file's text follows it, each line behind a bar.
export LC_ALL=C
t='	'
say() { printf '%s' "$1"; shift; for f in "$@"; do printf '\t%s' "$f"; done; printf '\n'; }

say begin 1
say hostname "$(uname -n)"
say machine "$(cat /etc/machine-id 2>/dev/null)"
say kernel "$(uname -m)" "$(getconf LONG_BIT 2>/dev/null)" "$(dpkg --print-architecture 2>/dev/null)"
# shellcheck disable=SC1091
say os "$( (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null || uname -sr)"
while read -r k v _; do [ "$k" = MemTotal: ] && say memory "$v" && break; done </proc/meminfo
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)"
say time "$(date +%s)"
say user "$(id -un)"
[ -d /run/systemd/system ] && [ -z "$pidfiles" ] && say systemd yes

each() { printf '%s\n' "$1" | while IFS= read -r x; do [ -z "$x" ] || "$2" "$x"; done; }

disk() {
  d=$1
  while [ ! -e "$d" ] && [ "$d" != / ]; do d=${d%/*}; [ -n "$d" ] || d=/; done
  df -Pk "$d" 2>/dev/null | { read -r _; read -r _ total _ free _; say disk "$1" "$total" "$free"; }
}
each "$disks" disk

user() { id -u "$1" >/dev/null 2>&1 && say has-user "$1"; }
each "$users" user

path() {
  if [ -L "$1" ]; then say link "$1" "$(readlink "$1")"
  elif [ -d "$1" ]; then say dir "$1" "$(stat -c "%a$t%U" "$1")"
  elif [ -f "$1" ]; then
    say file "$1" "$(stat -c "%a$t%U$t%s" "$1")"
    sed 's/^/|/' "$1"; printf '\n'
  fi
}
each "$paths" path

for d in "$store"/*; do [ -d "$d" ] && say store "${d##*/}"; done
marker() { [ -e "$1" ] && say marker "$1"; }
each "$markers" marker

proc() { # pid: seconds running and anonymous memory
  read -r up _ </proc/uptime; up=${up%%.*}
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- "$1" $stat
  started=$(( ${21} / $(getconf CLK_TCK 2>/dev/null || echo 100) ))
  anon=0
  while read -r k v _; do [ "$k" = RssAnon: ] && anon=$v && break; done <"/proc/$1/status" 2>/dev/null
  say process "$1" "$(( up - started ))" "$anon"
}

unit() {
  running=$(tr "\n" " " 2>/dev/null <"$state/units/$1/running")
  if [ -z "$pidfiles" ] && [ -d /run/systemd/system ]; then
    # shellcheck disable=SC2046
    set -- "$1" $(systemctl show -p MainPID,ActiveState,UnitFileState,NRestarts "$1.service" 2>/dev/null | sort | sed 's/=$/=-/; s/.*=//')
    # sorted: ActiveState MainPID NRestarts UnitFileState
    say unit "$1" "$2" "$3" "$4" "$5" "$running"
    [ "${3:-0}" -gt 0 ] 2>/dev/null && proc "$3"
  elif [ -x "$state/units/$1/ctl" ]; then
    pid=$("$state/units/$1/ctl" pid 2>/dev/null)
    if [ -n "$pid" ]; then say unit "$1" active "$pid" 0 enabled "$running"; proc "$pid"
    else say unit "$1" inactive 0 0 enabled "$running"; fi
  fi
}
each "$units" unit

if command -v ss >/dev/null 2>&1; then
  ss -Hltnp 2>/dev/null | while read -r _ _ _ local _ who; do say listen "$local" "$who"; done
else
  for f in /proc/net/tcp /proc/net/tcp6; do
    while read -r _ local _ st _; do [ "$st" = 0A ] && say listen-hex "$local"; done <"$f" 2>/dev/null
  done
fi

say record-path "$state/record.json"
path "$state/record.json"
say end
