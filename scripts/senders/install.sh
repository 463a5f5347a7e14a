#!/usr/bin/env bash
# Brings the senders that scripts/senders runs: rsyslog and syslog-ng from the packages of Debian or Ubuntu, log4j and
# logback through Maven. The packages are unpacked into the user's cache and not installed: as packages they exclude each
# other, and would start as services. Prints the folder. It is bounded in time, and does nothing if the folder is there.
# With --where it only prints the folder, whether it is there or not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/unpack.sh"
begin senders "${1:-}" "$0" "$here/pom.xml"

# The packages, and those of their dependencies that this machine lacks.
needed() { apt-get install -s -y --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'; }
download() {
  local packages
  packages=$(needed rsyslog rsyslog-gnutls rsyslog-openssl rsyslog-kafka && needed syslog-ng-core syslog-ng-mod-rdkafka) || return 1
  packages=$(echo "$packages" | sort -u)
  # Those that are installed already are found in the path.
  [ -z "$packages" ] || (cd "$partial/debs" && timeout 120 apt-get download -q $packages >&2)
}
if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  mkdir -p "$partial/debs" "$partial/root"
  with_lists download
  for package in "$partial"/debs/*.deb; do
    if [ -e "$package" ]; then dpkg -x "$package" "$partial/root"; fi
  done
  rm -rf "$partial/debs"
else
  echo 'there is no apt-get: rsyslog and syslog-ng are used only if they are installed' >&2
fi
timeout 180 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$partial/jars" >&2
finish "$partial"
