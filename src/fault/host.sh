# How a drill's fault is made on a host, kept there, and ended. $dir is where it is kept, $id tells it from others,
# $units is where pid files are (nothing: systemd has the units), $state where sdtd keeps what it knows of the host.
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
conf=sdtd-drill.conf
# The priority of our routing rules: nobody else's.
pref=29874

number() { # unit: the number of its process
  if [ -n "$units" ]; then "$units/$1/ctl" pid; return; fi
  p=$(systemctl show --value -p MainPID "$1.service") && [ "${p:-0}" != 0 ] && echo "$p"
}

state() { # number: its state, and when it was started
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  s=${s##*) }
  # shellcheck disable=SC2086
  set -- $s
  echo "$1 ${20}"
}

look() { # units
  for unit; do
    p=$(number "$unit") && s=$(state "$p") || { p=; s=; }
    echo "@process $unit $p $s"
  done
}

# keep seconds: the script that ends the fault, from standard input, is here before the fault is, and a timer that
# uses it when nobody else does
keep() {
  [ ! -e "$dir" ] || { echo "the fault of another drill is here: $dir"; return 1; }
  mkdir -p "${dir%/*}" && mkdir -m 700 "$dir" && echo "$id" >"$dir/id" && cat >"$dir/end" || return 1
  if [ -z "$units" ] && command -v systemd-run >/dev/null; then
    systemd-run --quiet --collect --unit="sdtd-drill-$id" /bin/sh "$dir/end" "$1" 2>&1 || return 1
  else
    setsid /bin/sh "$dir/end" "$1" </dev/null >/dev/null 2>&1 &
  fi
  # No fault without its timer.
  n=0
  until [ -s "$dir/timer" ]; do
    [ $n -lt 100 ] || { echo "the timer that ends the fault does not start"; return 1; }
    sleep 0.1; n=$((n + 1))
  done
}

# turn seconds: waits, then whether it is our turn to end the fault
turn() {
  [ -z "$1" ] || { echo $$ >"$dir/timer"; sleep "$1"; }
  [ "$(cat "$dir/id" 2>/dev/null)" = "$id" ] && mkdir "$dir/ending" 2>/dev/null
}

lift() { # ends what is kept here, whoever left it
  [ -e "$dir" ] || return 0
  n=0
  while [ -e "$dir/ending" ] && [ $n -lt 30 ]; do sleep 1; n=$((n + 1)); done
  [ -e "$dir" ] || return 0
  # Whoever began to end it did not come to its end.
  rmdir "$dir/ending" 2>/dev/null
  timer=$(cat "$dir/timer" 2>/dev/null)
  [ ! -e "$dir/end" ] || /bin/sh "$dir/end" </dev/null 2>&1 || echo "@unended"
  # With the sleep that it waits in.
  [ -z "$timer" ] || kill -- "-$timer" 2>/dev/null
  rm -rf "$dir"
  echo "@lifted"
}

numbers() { for unit; do number "$unit"; done; }

begin_kill() { # units: all at once
  all=$(numbers "$@")
  # shellcheck disable=SC2086
  [ -n "$all" ] && kill -KILL $all
}

end_kill() { # units: whoever has nobody to bring it back
  for unit; do
    if [ -n "$units" ]; then "$units/$unit/ctl" start
    elif ! systemctl is-active --quiet "$unit.service"; then
      systemctl reset-failed "$unit.service" 2>/dev/null
      systemctl start --no-block "$unit.service"
    fi || return 1
  done
}

begin_stop() { # units
  for unit; do
    if [ -n "$units" ]; then "$units/$unit/ctl" stop; else systemctl stop "$unit.service"; fi || return 1
  done
}

end_stop() { end_kill "$@"; }

begin_pause() {
  all=$(numbers "$@")
  # shellcheck disable=SC2086
  [ -n "$all" ] && kill -STOP $all
}

end_pause() {
  all=$(numbers "$@")
  # shellcheck disable=SC2086
  [ -z "$all" ] || kill -CONT $all
}

begin_off() { # units: nobody brings them back. /run is empty after a real start of the host
  if [ -z "$units" ]; then
    for unit; do
      d=/run/systemd/system/$unit.service.d
      mkdir -p "$d" && printf '[Service]\nRestart=no\n' >"$d/$conf" || return 1
    done
    systemctl daemon-reload || return 1
  fi
  begin_kill "$@"
}

end_off() {
  if [ -z "$units" ]; then
    for unit; do
      d=/run/systemd/system/$unit.service.d
      rm -f "$d/$conf"; rmdir "$d" 2>/dev/null
    done
    systemctl daemon-reload || return 1
  fi
  end_kill "$@"
}

# begin_cut own others: ports, separated by commas. What the host says to itself goes on, and all else, SSH first
begin_cut() {
  if command -v nft >/dev/null && nft -f - 2>/dev/null <<RULES
table inet sdtd_drill {
  chain input {
    type filter hook input priority -300; policy accept;
    iifname "lo" accept
    tcp dport { $1 } counter drop
    tcp sport { $2 } counter drop
  }
  chain output {
    type filter hook output priority -300; policy accept;
    oifname "lo" accept
    tcp dport { $2 } counter drop
    tcp sport { $1 } counter drop
  }
}
RULES
  then return 0; fi
  # Without nftables: nothing that the services say goes out, so no connection of theirs lives. TCP is 6: a small
  # system has no names of protocols.
  for port in $(echo "$1" | tr , ' '); do rules add ipproto 6 sport "$port" blackhole || return 1; done
  for port in $(echo "$2" | tr , ' '); do rules add ipproto 6 dport "$port" blackhole || return 1; done
}

rules() {
  how=$1; shift
  ip -6 rule "$how" pref "$pref" "$@" 2>/dev/null
  ip rule "$how" pref "$pref" "$@" 2>&1
}

end_cut() {
  ! command -v nft >/dev/null || nft delete table inet sdtd_drill 2>/dev/null
  while ip -6 rule del pref "$pref" 2>/dev/null; do :; done
  while ip rule del pref "$pref" 2>/dev/null; do :; done
}

device() { for p; do stat -c %d "$p" 2>/dev/null; done; }

# own_disk instance: its first folder of data on a disk that the host does not need itself
own_disk() {
  needed=" $(device / /boot /etc /usr /var /var/lib /var/log /var/tmp /tmp /run /home /root "$state" | tr '\n' ' ')"
  while read -r of folder; do
    [ "$of" = "$1" ] && d=$(device "$folder") && [ -n "$d" ] || continue
    case "$needed" in *" $d "*) continue ;; esac
    echo "$folder"
    return
  done <"$state/held"
  return 1
} 2>/dev/null

free() { # folder: KiB
  # shellcheck disable=SC2046
  set -- $(df -Pk "$1" | tail -n 1)
  echo "$4"
}

left() { [ ! -e "$dir/disk" ] || echo "@left $(free "$(cat "$dir/disk")")"; }

# Takes all room that there is, again and again, by a file without a name: it goes with whoever has it open, be that by
# a signal or with the power. $1 is the folder.
hold() {
  exec 9>>"$1/.sdtd-drill" && rm "$1/.sdtd-drill" || return 1
  echo $$ >"$dir/holder"
  until [ "$(cat "$dir/id" 2>/dev/null)" != "$id" ]; do
    kib=$(free "$1")
    if [ "$kib" -gt 0 ]; then
      # At once where that can be; what is left of it, byte by byte.
      fallocate -o "$(stat -L -c %s /proc/self/fd/9)" -l "${kib}k" /proc/self/fd/9 ||
        dd if=/dev/zero bs=4k count="$((kib / 4 + 1))" >&9
    fi
    sleep 0.2
  done
}

# begin_disk instance unit. Without fallocate no large disk is filled: that would take too long, and wear it
begin_disk() {
  folder=$(own_disk "$1") || { echo "the data of $1 have no disk of their own"; return 1; }
  kib=$(free "$folder")
  if [ "$kib" -gt 4194304 ] && ! command -v fallocate >/dev/null; then
    echo "$folder: there is no fallocate, and $kib KiB are too many to be written"; return 1
  fi
  echo "$folder" >"$dir/disk"
  if [ -z "$units" ] && command -v systemd-run >/dev/null; then
    systemd-run --quiet --collect --unit="sdtd-drill-$id-disk" /bin/sh "$dir/end" hold "$folder" 2>&1 || return 1
  else
    setsid /bin/sh "$dir/end" hold "$folder" </dev/null >/dev/null 2>&1 &
  fi
  n=0
  until [ -s "$dir/holder" ] && [ "$(free "$folder")" = 0 ]; do
    [ $n -lt 100 ] || { echo "$folder does not fill up"; return 1; }
    sleep 0.2; n=$((n + 1))
  done
}

end_disk() { # instance unit
  holder=$(cat "$dir/holder" 2>/dev/null)
  [ -z "$holder" ] || kill -KILL -- "-$holder" 2>/dev/null
  shift
  end_kill "$@"
}
