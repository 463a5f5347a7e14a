#!/usr/bin/env bash
# Brings Prometheus and promtool from the package of Debian or Ubuntu. The package is unpacked into the user's cache and not
# installed: it would start as a service, and wants a dozen packages for its pages. Prints the folder of the programs. It
# is bounded in time, and does nothing if the folder is there. With --where it only prints the folder.
set -euo pipefail
. "$(dirname "$0")/../lib/unpack.sh"
begin prometheus "${1:-}" "$0"

download() { (cd "$partial" && timeout 120 apt-get download -q prometheus >&2); }
with_lists download
dpkg -x "$partial"/*.deb "$partial/root"
mkdir "$partial/programs"
mv "$partial"/root/usr/bin/{prometheus,promtool} "$partial/programs"
finish "$partial/programs"
