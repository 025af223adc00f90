# shellcheck shell=bash
# Installing what is missing: read by ./quickstart and ./test. Nothing here ever asks.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Each word of a list is TOOL:PACKAGE. Prints the packages whose tool is not there, each once.
missing() { # TOOL:PACKAGE…
  local pair
  for pair; do
    has "${pair%%:*}" || echo "${pair#*:}"
  done | sort -u
}

# Installs packages with apt-get, as root or by a sudo that asks no password.
install_packages() { # PACKAGE…
  (($#)) || return 0
  local sudo=()
  has apt-get || die "these are missing, and there is no apt-get here to install them: $*"
  if [[ $(id -u) != 0 ]]; then
    sudo -n true 2>/dev/null || die "these packages are missing: $*
  this needs root, or a sudo that asks no password. Run this, then the same command again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    sudo=(sudo -n)
  fi
  say "installing with apt-get: $*"
  local get=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  local log
  log=$(mktemp)
  # Lists that are there may do; new ones are fetched only where they do not.
  if ! "${get[@]}" install --no-install-recommends "$@" >"$log" 2>&1 </dev/null; then
    if ! { "${get[@]}" update && "${get[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      return 1
    fi
  fi
  rm -f "$log"
}

# A JDK of the version that the catalogue gives Java by default. Without one, sdtd downloads a Java runtime.
has_jdk() { # MAJOR
  local home tool
  tool=$(command -v javac || true)
  for home in "${JAVA_HOME:-}" "${tool:+$(readlink -f "$tool" | sed 's|/bin/javac$||')}" /usr/lib/jvm/*; do
    [[ -n $home && -x $home/bin/jlink ]] || continue
    grep -q "^JAVA_VERSION=\"$1[.\"]" "$home/release" 2>/dev/null && return 0
  done
  return 1
}

# What building needs. The C++ compiler is for librdkafka; it brings the C compiler with it.
need_build_tools() {
  if ! has cargo && [[ -x $HOME/.cargo/bin/cargo ]]; then
    PATH=$HOME/.cargo/bin:$PATH
  fi
  has cargo || die "no cargo in PATH or ~/.cargo/bin; Rust is installed as https://rustup.rs says"
  local packages
  mapfile -t packages < <(missing c++:g++ make:make mvn:maven ssh:openssh-client)
  has_jdk 17 || packages+=(openjdk-17-jdk-headless)
  ((${#packages[@]})) || return 0
  install_packages "${packages[@]}" || die "apt-get could not install: ${packages[*]}"
}
