#!/usr/bin/env bash
# Brings the senders that scripts/senders runs: rsyslog and syslog-ng from the packages of Debian or Ubuntu, log4j and
# logback through Maven. The packages are unpacked into the user's cache and not installed: as packages they exclude each
# other, and would start as services. Prints the folder. It is bounded in time, and does nothing if the folder is there.
# With --where it only prints the folder, whether it is there or not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# One folder for each state of this script and the pom: a change of either fetches all of it again.
hash=$(cat "$0" "$here/pom.xml" | sha256sum | cut -c1-8)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/senders-$hash
if [ -d "$folder" ] || [ "${1:-}" = --where ]; then
  echo "$folder"
  exit 0
fi
mkdir -p "$(dirname "$folder")"
partial=$(mktemp -d "$folder.partial-XXXX")
# apt-get reads and writes files here as its own user.
chmod 755 "$partial"
trap 'rm -rf "$partial"' EXIT

# The packages, and those of their dependencies that this machine lacks.
needed() { apt-get install -s -y --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'; }
fetch() {
  local packages
  packages=$(needed rsyslog rsyslog-gnutls rsyslog-openssl && needed syslog-ng-core) || return 1
  packages=$(echo "$packages" | sort -u)
  # Those that are installed already are found in the path.
  [ -z "$packages" ] || (cd "$partial/debs" && timeout 120 apt-get download -q $packages >&2)
}
if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  mkdir -p "$partial/debs" "$partial/root"
  if ! fetch 2>/dev/null; then
    timeout 120 apt-get update -q >&2 || true
    fetch
  fi
  for package in "$partial"/debs/*.deb; do
    if [ -e "$package" ]; then dpkg -x "$package" "$partial/root"; fi
  done
  rm -rf "$partial/debs"
else
  echo 'there is no apt-get: rsyslog and syslog-ng are used only if they are installed' >&2
fi
timeout 180 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$partial/jars" >&2
mv -T "$partial" "$folder" 2>/dev/null || [ -d "$folder" ]
echo "$folder"
