# The lock of one host: a folder, and in it who holds it. `mkdir` decides between two who come at once.
# shellcheck shell=sh disable=SC2154 # lock, owner and lease are set above by the caller
say() { echo "@lock $*"; }
mine() { [ "$(cat "$lock/owner" 2>/dev/null)" = "$owner" ]; }
age() { echo $(( $(date +%s) - $(stat -c %Y "$lock/owner" 2>/dev/null || stat -c %Y "$lock" 2>/dev/null || date +%s) )); }
make() {
  mkdir -p "${lock%/*}" && mkdir "$lock" 2>/dev/null && printf '%s\n' "$owner" >"$lock/owner"
}
take() {
  if make || mine; then sweep_fan_out "${lock%/*}"; say yes; return; fi
  a=$(age)
  if [ "$a" -gt "$lease" ]; then over; else say held "$a" "$(cat "$lock/owner" 2>/dev/null)"; fi
}
# The old lock is renamed first: of two who find it dead, only one gets it.
over() {
  mv -T "$lock" "$lock.old.$$" 2>/dev/null && rm -rf "$lock.old.$$"
  if make || mine; then sweep_fan_out "${lock%/*}"; say yes; else say held "$(age)" "$(cat "$lock/owner" 2>/dev/null)"; fi
}
# A run that takes everything away takes this along.
renew() {
  if [ ! -d "${lock%/*}" ]; then say yes; elif mine; then touch "$lock/owner"; say yes; else say held "$(age)" "$(cat "$lock/owner" 2>/dev/null)"; fi
}
release() { if mine; then rm -rf "$lock"; fi; say yes; }
break_it() { rm -rf "$lock"; say yes; }
