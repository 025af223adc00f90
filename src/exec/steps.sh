# What every batch of steps begins with. Each step is one call of `step`; it answers with one line on
# standard output: @sdtd <number> changed|ok|stale|resend|bring|failed. The first failure ends the batch.
export LC_ALL=C
umask 022

step() {
  n=$1; shift
  "$@" </dev/null
  case $? in
    0) echo "@sdtd $n changed" ;;
    100) echo "@sdtd $n ok" ;;
    101) echo "@sdtd $n stale"; exit 0 ;;
    102) echo "@sdtd $n resend"; exit 0 ;;
    103) echo "@sdtd $n bring"; exit 0 ;;
    *) echo "@sdtd $n failed"; exit 0 ;;
  esac
}

own() { [ -z "$1" ] || chown -h "$1:$(id -gn "$1")" "$2"; }

add_user() {
  id -u "$1" >/dev/null 2>&1 && return 100
  useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$1"
}

make_dir() { # path owner mode
  mkdir -p "$1" && own "$2" "$1" && chmod "$3" "$1"
}

sum() { [ -f "$1" ] && sha256sum <"$1" | cut -c 1-64; }

# put_file path owner mode sum-before sum-after; the text comes from `text_of N` of the caller
put_file() {
  now=$(sum "$1"); now=${now:--}
  if [ "$now" != "$4" ] && [ "$now" != "$5" ]; then
    echo "$1 is no longer what the plan was made for" >&2
    return 101
  fi
  mkdir -p "${1%/*}" || return 1
  # Nobody else reads it before its permissions are set: it may hold a secret.
  (umask 077; "$6" >"$1.sdtd-new") && own "$2" "$1.sdtd-new" && chmod "$3" "$1.sdtd-new" && mv -f "$1.sdtd-new" "$1"
}

# put_block path begin end text-function, which prints nothing where the block shall go
put_block() {
  [ -e "$1" ] || : >"$1" || return 1
  mode=$(stat -c %a "$1")
  {
    inside=no
    while IFS= read -r line || [ -n "$line" ]; do
      if [ "$line" = "$2" ]; then inside=yes
      # On a full disk what is written is shorter, and must not take the file's place.
      elif [ "$inside" = no ]; then printf '%s\n' "$line" || return 1
      elif [ "$line" = "$3" ]; then inside=no
      fi
    done <"$1"
    "$4"
  } >"$1.sdtd-new" && chmod "$mode" "$1.sdtd-new" && mv -f "$1.sdtd-new" "$1"
}

set_sysctl() { # key before after
  setting=/proc/sys/$(printf '%s' "$1" | tr . /)
  now=$(cat "$setting") || return 1
  [ "$now" = "$3" ] && return 100
  if [ "$now" != "$2" ]; then
    echo "$1 is $now, which is not what the plan was made for" >&2
    return 101
  fi
  printf '%s\n' "$3" >"$setting"
}

make_link() { # path to
  mkdir -p "${1%/*}" && ln -sfn "$2" "$1.sdtd-new" && mv -fT "$1.sdtd-new" "$1"
}

# unpack archive sum store strip gzip owner tools-function
unpack() {
  [ -d "$3" ] && return 100
  if [ "$(sum "$1")" != "$2" ]; then
    rm -f "$1"
    echo "the package did not arrive as it was sent: its SHA-256 differs" >&2
    return 102
  fi
  # A name of its own: what an earlier run left behind may still be at work.
  new="${3%/*}/.new-$$-${3##*/}"
  rm -rf "${3%/*}"/.new-*-"${3##*/}"; mkdir -p "$new" || return 1
  fill_tree "$1" "$5" "$4" "$new" "$6" "$7" || { rm -rf "$new"; return 1; }
  sync -f "$new" 2>/dev/null
  mv -T "$new" "$3" && rm -f "$1" && return 0
  rm -rf "$new"
  [ -d "$3" ]
}

fill_tree() { # archive gzip strip tree owner tools-function
  tar -x ${2:+-z} --no-same-owner --strip-components="$3" -C "$4" -f "$1" || return 1
  chmod -R a+rX "$4" || return 1 # whoever packed it may have kept it to themselves
  "$6" "$4" || return 1
  [ -z "$5" ] || chown -R "$5:$(id -gn "$5")" "$4"
}

# apt_install package archive sum unit...; archive and sum are of what the operator's machine brought, once this host
# could not get the package itself. Getting is apart from installing: only a package that can't be had is brought.
apt_install() {
  command -v apt-get >/dev/null || { echo "this host has no apt-get" >&2; return 1; }
  [ "$(id -u)" = 0 ] || { echo "apt-get needs root, and sdtd has no root here" >&2; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  package=$1 archive=$2 sent=$3; shift 3
  [ -n "$archive" ] || apt install --download-only "$package" ||
    { apt update; apt install --download-only "$package"; } || return 103
  hushed mask "$@" || return 1
  if [ -n "$archive" ]; then apt_brought "$archive" "$sent"; else apt install "$package"; fi
  code=$?
  hushed unmask "$@" && hushed disable "$@"
  return "$code"
}

# Units that a package would start are masked while it is installed, then disabled; a mask of this kind does not
# outlive the system's next start.
hushed() { # mask|unmask|disable unit...
  how=$1; shift
  [ $# != 0 ] && [ -d /run/systemd/system ] || return 0
  [ "$how" = disable ] || set -- --runtime "$@"
  systemctl "$how" --quiet "$@" >&2
}

# Somebody else's apt may hold the lock for a while; a mirror that does not answer is not waited for.
apt() {
  how=$1; shift
  [ "$how" = update ] || set -- -y --no-install-recommends "$@"
  apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=0 -o Acquire::http::Timeout=10 \
    -o Acquire::https::Timeout=10 "$how" "$@" >&2 || return 1 # its own code for a failure is 100
}

apt_brought() { # archive sum
  if [ "$(sum "$1")" != "$2" ]; then
    rm -f "$1"
    echo "the packages did not arrive as they were sent: their SHA-256 differs" >&2
    return 102
  fi
  debs="${1%.part}.debs"
  rm -rf "$debs"; mkdir -p "$debs" && tar -x -C "$debs" -f "$1" && apt install "$debs"/*.deb
  code=$?
  rm -rf "$debs"
  [ "$code" != 0 ] || rm -f "$1"
  return "$code"
}

tool() { # file: its text comes on standard input
  if [ -e "$1" ]; then cat >/dev/null; else mkdir -p "${1%/*}" && cat >"$1" && chmod 0755 "$1"; fi
}

once() { # marker user seconds hook
  [ -e "$1" ] && return 100
  [ -e "$1.begun" ] && export SDTD_RESUMED=1
  : >>"$1.begun" || return 1
  # That of a run which was cut off a moment ago may still be at it: its end is waited for.
  exec 8<"$1.begun"
  flock -w "$3" 8 || { echo "it is still being done, by a run that was cut off" >&2; return 1; }
  [ ! -e "$1" ] || { exec 8<&-; rm -f "$1.begun"; return 100; }
  # What it says is shown where it fails.
  as "$2" timeout "$3" "$4" >&2
  code=$?
  [ "$code" != 124 ] || echo "it was not done within $3 s" >&2
  [ "$code" = 0 ] || { exec 8<&-; return 1; }
  mv -f "$1.begun" "$1"
  exec 8<&-
}

as() { # user command...
  u=$1; shift
  if [ -z "$u" ] || [ "$u" = "$(id -un)" ]; then "$@"
  else setpriv --reuid="$u" --regid="$(id -gn "$u")" --init-groups "$@"
  fi
}

unit() { # change unit seconds-to-stop
  if [ -n "$units" ]; then pid_unit "$@"; else systemd_unit "$@"; fi
}

systemd_unit() {
  case $1 in
    start) enabled "$2" && { systemctl reset-failed "$2.service" 2>/dev/null; systemctl start --no-block "$2.service"; } ;;
    restart) enabled "$2" && systemctl stop "$2.service" && systemctl start --no-block "$2.service" ;;
    stop) { timeout "$3" systemctl stop "$2.service" || end "$2" $?; } && ! systemctl is-active --quiet "$2.service" ;;
    reload) systemctl daemon-reload && systemctl reload "$2.service" && settled "$2" ;;
    adopt) settled "$2" ;;
    enable) systemctl enable --quiet "$2.service" ;;
    disable) systemctl disable --quiet --now "$2.service" 2>/dev/null; return 0 ;;
  esac
}

# To enable a unit makes systemd read all unit files again: only where there is something new.
enabled() { # unit
  [ "$(systemctl show -p NeedDaemonReload,UnitFileState --value "$1.service" | sort | tr '\n' ' ')" = "enabled no " ] ||
    systemctl enable --quiet "$1.service"
}

end() { # unit code: what does not stop in time is killed; what is not known (5) is gone already, by a run that was cut off
  [ "$2" = 5 ] && return 0
  [ "$2" = 124 ] && systemctl kill -s KILL "$1.service" && systemctl stop "$1.service" &&
    { systemctl reset-failed "$1.service" 2>/dev/null || :; }
}

pid_unit() {
  ctl="$units/$2/ctl"
  case $1 in
    start) "$ctl" start ;;
    restart) "$ctl" stop && "$ctl" start ;;
    stop) [ ! -x "$ctl" ] || timeout "$3" "$ctl" stop || { kill -KILL "$("$ctl" pid)" 2>/dev/null; "$ctl" stop; } ;;
    disable) [ ! -x "$ctl" ] || "$ctl" stop ;;
    reload) "$ctl" reload && settled "$2" ;;
    adopt) settled "$2" ;;
    enable) return 100 ;;
  esac
}

settled() { cp -f "$state/units/$1/wanted" "$state/units/$1/running"; }

remove() {
  [ -e "$1" ] || [ -L "$1" ] || return 100
  rm -rf "$1"
}

remove_empty() { rmdir "$1" 2>/dev/null || return 100; }
