# Sourced by the install.sh of scripts/senders and scripts/monitoring: a folder in the user's cache that is filled once, with
# packages of Debian or Ubuntu that are unpacked and not installed.

# begin NAME OPTION FILE...: sets $folder, another one for each content of the files. If it is there, or if the option is
# --where, prints it and ends the script. Otherwise sets $partial, an empty folder to be filled.
begin() {
  local name=$1 option=$2
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/$name-$(cat "${BASH_SOURCE[0]}" "${@:3}" | sha256sum | cut -c1-8)
  if [ -d "$folder" ] || [ "$option" = --where ]; then
    echo "$folder"
    exit 0
  fi
  mkdir -p "$(dirname "$folder")"
  partial=$(mktemp -d "$folder.partial-XXXX")
  # apt-get reads and writes files here as its own user.
  chmod 755 "$partial"
  trap 'rm -rf "$partial"' EXIT
}

# with_lists COMMAND: runs it, and once more after an update of apt's lists if it fails.
with_lists() {
  if ! "$@" 2>/dev/null; then
    timeout 120 apt-get update -q >&2 || true
    "$@"
  fi
}

# finish PATH: makes the path the folder and prints it. Another process may have been quicker.
finish() {
  mv -T "$1" "$folder" 2>/dev/null || [ -d "$folder" ]
  echo "$folder"
}
