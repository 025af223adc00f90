# What an apt-get elsewhere has to know of this host to fetch a package for it.
command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 1
# shellcheck disable=SC1091 # it is the host's own
. /etc/os-release
echo "@system $(dpkg --print-architecture) $ID ${VERSION_CODENAME:--}"
cd / || exit 1
set --
for file in var/lib/dpkg/status etc/apt/sources.list etc/apt/sources.list.d etc/apt/preferences \
  etc/apt/preferences.d etc/apt/trusted.gpg etc/apt/trusted.gpg.d etc/apt/keyrings usr/share/keyrings; do
  [ ! -e "$file" ] || set -- "$@" "$file"
done
tar -chz "$@" 2>/dev/null | base64
