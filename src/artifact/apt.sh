# Fetches a package of a host's distribution, with all that it needs and that host lacks, by this machine's apt-get
# in a folder of its own: nothing of this machine's own packages is read or changed.
#   apt-get folder package architecture theirs; prints the files' names
# `theirs` says that the host's sources and keys are asked instead of this machine's.
set -eu
apt=$1 root=$2 package=$3 arch=$4 theirs=$5
command -v "$apt" >/dev/null || { echo "E: \`apt-get\` is not installed here" >&2; exit 127; }
mkdir -p "$root/lists/partial" "$root/archives/partial" "$root/none/partial"

get() {
  "$apt" -q ${theirs:+-o "Dir::Etc=$root/etc/apt"} \
    -o "Dir::State=$root" -o "Dir::State::lists=$root/lists" -o "Dir::State::status=$root/var/lib/dpkg/status" \
    -o "Dir::Cache=$root" -o "Dir::Cache::archives=$root/archives" \
    -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o APT::Sandbox::User= \
    -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
    -o APT::Update::Error-Mode=any "$@"
}

get update >&2
get install -y --no-install-recommends --download-only "$package" >&2
# The folder serves other hosts too: which of its files are for this one is told as if none were there.
get -q -o "Dir::Cache::archives=$root/none" install -y --no-install-recommends --print-uris "$package" |
  sed -n "s/^'[^']*' \([^ /]*\.deb\) .*/\1/p"
