# One host's facts in one go: what is asked for stands in the variables above, one a line.
# Each answer is a line of fields parted by tabs; a file's text has each line behind a bar. What a tool says as it says
# it stands between the lines `raw`, with what it was asked, and `end-raw`.
# Every process that is started costs a small board some milliseconds, a shell for a pipe as well: each tool is called
# once for all, and nobody here reads what it says where that can be done at the other end.
export LC_ALL=C
set -f
nl='
'
IFS=$nl
say() { printf '%s' "$1"; shift; [ $# -eq 0 ] || printf '\t%s' "$@"; printf '\n'; }

say begin 1
read -r name </proc/sys/kernel/hostname; say hostname "$name"
[ -r /etc/machine-id ] && read -r id </etc/machine-id && say machine "$id"
# What programs are made for tells what loads them; where that is not one thing, tools are asked.
loads='' bits=''
for l in amd64=/lib64/ld-linux-x86-64.so.2 arm64=/lib/ld-linux-aarch64.so.1 armhf=/lib/ld-linux-armhf.so.3; do
  [ ! -e "${l#*=}" ] || loads=$loads${l%%=*}
done
case $loads in
  amd64|arm64|armhf) ;;
  *) if command -v dpkg >/dev/null; then loads=$(dpkg --print-architecture)
    else bits=$(getconf LONG_BIT 2>/dev/null); loads=''; fi ;;
esac
arch=''
[ ! -r /proc/sys/kernel/arch ] || read -r arch </proc/sys/kernel/arch
say kernel "${arch:-$(uname -m)}" "$bits" "$loads"
os=''
[ ! -r /etc/os-release ] || while IFS='=' read -r k v; do
  [ "$k" != PRETTY_NAME ] || { v=${v#[\"\']}; os=${v%[\"\']}; break; }
done </etc/os-release
say os "${os:-$(uname -sr)}"
while IFS=' ' read -r k v _; do [ "$k" = MemTotal: ] && say memory "$v" && break; done </proc/meminfo
cpus=0
if IFS= read -r online 2>/dev/null </sys/devices/system/cpu/online; then # as in 0-3,6
  while [ -n "$online" ]; do
    r=${online%%,*}; cpus=$((cpus + ${r#*-} - ${r%-*} + 1))
    case $online in *,*) online=${online#*,} ;; *) online='' ;; esac
  done
else cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); fi
say cpus "$cpus"
while IFS="	 " read -r k _ v _; do [ "$k" = Uid: ] && break; done </proc/self/status
if [ "$v" = 0 ]; then say user root; else say user "$(id -un)"; fi
[ -d /run/systemd/system ] && [ -z "$pidfiles" ] && systemd=yes && say systemd yes

# shellcheck disable=SC2086 # here and below: one word a line
if [ -n "$disks" ]; then
  there=''
  for d in $disks; do
    while [ ! -e "$d" ] && [ "$d" != / ]; do d=${d%/*}; [ -n "$d" ] || d=/; done
    there=$there$d$nl
  done
  say raw disks $disks
  df -Pk $there 2>/dev/null
  say end-raw
fi

# shellcheck disable=SC2086
[ -z "$users" ] || { say raw users; getent passwd $users 2>/dev/null; say end-raw; }

# Names that are all known cost one call. Where they are not, each is asked for by itself, all at the same time. sudo
# asks for the host's own name each time: what it would wait for is not waited for here.
# shellcheck disable=SC2086
if command -v getent >/dev/null; then
  say looks-up yes
  names=$name$nl$names
  say raw names $names
  timeout 3 getent ahostsv4 $names 2>/dev/null
  known=$?
  say end-raw
  if [ "$known" != 0 ]; then
    for n in $names; do
      { a=$(timeout 3 getent ahostsv4 "$n" 2>/dev/null) && printf 'resolves\t%s\t%s\n' "$n" "${a%%[!0-9.]*}"; } &
    done
    wait
  fi
fi
# What the kernel tells of a process is as old as the process: that of `stat` tells the time.
there=/proc/self/$nl texts=''
for p in $paths "$state/record.json"; do
  [ -L "$p" ] || [ -e "$p" ] || continue
  there=$there$p$nl
  [ ! -L "$p" ] && [ -f "$p" ] && [ -s "$p" ] && [ -r "$p" ] && texts=$texts$p$nl
done
# The kernel gives a number in one go only, and a shell would read it byte by byte.
[ ! -r /proc/sys/vm/swappiness ] || texts=/proc/sys/vm/swappiness$nl$texts
# shellcheck disable=SC2086
QUOTING_STYLE=literal stat --printf 'path\t%n\t%f\t%U\t%s\t%Y\t%N\n' $there 2>/dev/null

set +f
for d in "$store"/*; do [ -d "$d" ] && say store "${d##*/}"; done
# Which of them other clusters' units run from.
others=''
for f in "${state%/*}"/*/units/*/ctl; do
  case $f in "$state"/*) ;; *) [ ! -r "$f" ] || others=$others$f$nl ;; esac
done
if [ -n "$systemd" ]; then
  for f in /etc/systemd/system/*.service; do
    own=${f##*/}
    case $nl$units$nl in *"$nl${own%.service}$nl"*) ;; *) [ ! -f "$f" ] || others=$others$f$nl ;; esac
  done
fi
set -f
# shellcheck disable=SC2086
[ -z "$texts$others" ] || awk 'others {
      while (i = index($0, store "/")) {
        $0 = substr($0, i + length(store) + 1)
        if (match($0, /^[^\/"\047 ]+/)) print "used\t" substr($0, 1, RLENGTH)
      }
      next
    }
    FILENAME == "/proc/sys/vm/swappiness" { print "swappiness\t" $0; next }
    FNR == 1 { print "text\t" FILENAME } { print "|" $0 }' store="$store" $texts others=yes $others 2>/dev/null
for m in $markers; do [ -e "$m" ] && say marker "$m"; done

proc() { # pid: seconds running (the kernel tells it in hundredths) and anonymous memory
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  IFS=' ' read -r up _ </proc/uptime
  IFS=' ' read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ <<END
${stat##*) }
END
  anon=0
  while IFS="	 " read -r k v _; do [ "$k" = RssAnon: ] && anon=$v && break; done <"/proc/$1/status" 2>/dev/null
  say process "$1" "$(( ${up%%.*} - started / 100 ))" "$anon"
}

idle=''
unit() { # name state pid restarts enabled
  running=''
  [ "$3" != 0 ] || idle=yes
  { while IFS= read -r w; do running="$running$w "; done <"$state/units/$1/running"; } 2>/dev/null
  say unit "$@" "$running"
  [ "$3" = 0 ] || proc "$3"
}

# Who listens: told where something is to be started, whose port may be taken.
listeners() {
  [ -n "$idle" ] || return 0
  if command -v ss >/dev/null 2>&1; then
    ss -Hltnp 2>/dev/null | while IFS=' ' read -r _ _ _ local _ who; do say listen "$local" "$who"; done
  else
    for f in /proc/net/tcp /proc/net/tcp6; do
      while IFS=' ' read -r _ local _ st _; do [ "$st" = 0A ] && say listen-hex "$local"; done <"$f" 2>/dev/null
    done
  fi
}

if [ -z "$units" ]; then :
elif [ -n "$systemd" ]; then
  names=''
  for u in $units; do names=$names$u.service$nl; done
  told() { [ -z "$u" ] || unit "$u" "$active" "${pid:-0}" "${restarts:-0}" "${enabled:--}"; u=''; }
  # A block of lines a unit, an empty line between two.
  # shellcheck disable=SC2086
  systemctl show -p Id,MainPID,ActiveState,UnitFileState,NRestarts $names 2>/dev/null | {
    u=''
    while IFS='=' read -r k v; do
      case $k in
        Id) u=${v%.service} ;;
        MainPID) pid=$v ;;
        ActiveState) active=$v ;;
        NRestarts) restarts=$v ;;
        UnitFileState) enabled=$v ;;
        '') told ;;
      esac
    done
    told
    listeners
  }
else
  for u in $units; do
    [ -x "$state/units/$u/ctl" ] || { idle=yes; continue; }
    pid=$("$state/units/$u/ctl" pid 2>/dev/null)
    if [ -n "$pid" ]; then unit "$u" active "$pid" 0 enabled; else unit "$u" inactive 0 0 enabled; fi
  done
  listeners
fi

say record-path "$state/record.json"
say end
