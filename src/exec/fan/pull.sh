# Takes a package from the host before this one, from the byte on that is here, and tells when it was let in and how
# far it is: @in; @at and a number.
# shellcheck shell=sh disable=SC2154 # incoming, cluster, run, sum, size, known, user, port and address: set above
export LC_ALL=C
umask 022
own="/run/sdtd-fan-out.$cluster/$run"
part=$incoming/$sum.part
mkdir -p "$incoming" && : >>"$part" && at=$(stat -c %s "$part") || exit 1
echo "@at $at"
[ "$at" -lt "$size" ] || exit 0
cd "$own" && printf '%s\n' "$known" >"known-$sum" && rm -f "pipe-$sum" && mkfifo -m 600 "pipe-$sum" || exit 1
here=''
# shellcheck disable=SC2317 # by the trap
tidy() {
  trap '' HUP INT PIPE TERM
  # shellcheck disable=SC2086 # one word a process
  kill $here 2>/dev/null
  rm -f "pipe-$sum" "known-$sum" "said-$sum"
}
trap 'exit 1' HUP INT PIPE TERM
trap tidy EXIT
# The cheapest cipher for this processor first.
if grep -qw aes /proc/cpuinfo; then set -- aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com
else set -- chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com; fi
# Nothing of this host's own settings, and no key but the run's; the other one must be who it was seen to be.
ssh -F /dev/null -T -x -a -i key -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o LogLevel=ERROR \
  -o PreferredAuthentications=publickey -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=known-$sum" \
  -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=before -o UpdateHostKeys=no -o Compression=no \
  -o ConnectTimeout=8 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o "Ciphers=$1,aes128-ctr,aes256-ctr" \
  -l "$user" -p "$port" -- "$address" "$sum $at $size" </dev/null >"pipe-$sum" 2>"said-$sum" &
ssh=$! here=$!
{
  # What a login prints first is not the package.
  while IFS= read -r said && [ "$said" != @sdtd ]; do :; done
  [ "${said:-}" = @sdtd ] || exit 0
  echo @in
  exec dd of="$part" bs=256k seek="$at" oflag=seek_bytes conv=notrunc status=none
} <"pipe-$sum" &
writer=$! here="$here $!"
# What it writes is told by the kernel: to start something each second on fifty hosts is work too. The pauses hold nothing
# that the end of this one waits for.
while sleep 1 >/dev/null 2>&1; do
  { read -r _ now <"/proc/$writer/fdinfo/1"; } 2>/dev/null && [ "$now" -gt "$at" ] && echo "@at $now"
done &
here="$here $!"
wait "$writer"
kill "$!"
wait "$ssh"
code=$?
now=$(stat -c %s "$part")
echo "@at $now"
[ "$now" -ge "$size" ] && exit 0
tail -n 1 "said-$sum" | while IFS= read -r said; do echo "@said $said"; done
exit "$((code ? code : 1))"
