#!/usr/bin/env bash
# Starts a real systemd in namespaces of its own, as root: boot.sh CHECKOUT NODE SCRATCH. Every change goes to memory and is
# gone at the end. It has no network but its own loopback, and cannot write /proc/sys. SCRATCH gets `steps.out`.
# Called again by itself inside of the namespaces.
set -euo pipefail
checkout=$1 node=$2 scratch=$3 here=$(cd "$(dirname "$0")" && pwd)

if [ "${4:-}" != inside ]; then
  # A cgroup of its own: inside, it is the root of all cgroups.
  unified=$(findmnt -n -t cgroup2 -o TARGET | head -1)
  group=$unified/sluice-test-$$
  mkdir "$group"
  trap 'for i in $(seq 50); do rmdir "$group" 2>/dev/null && break; sleep 0.1; done' EXIT
  (
    echo "$BASHPID" > "$group/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup "$here/boot.sh" "$@" inside
  ) </dev/null &
  wait $! || true
  # What systemd made in it.
  find "$group" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
  exit 0
fi

mount --make-rprivate /
mkdir -p "$scratch/memory"
mount -t tmpfs -o mode=755 tmpfs "$scratch/memory"
cd "$scratch/memory"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
root=$PWD/root
mount -t proc proc "$root/proc"
mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
mkdir -p "$root/mnt/out" && mount --bind "$scratch" "$root/mnt/out"
touch "$root/usr/local/bin/node" && mount --bind "$node" "$root/usr/local/bin/node"

# Only our units, and the journal.
units=$root/etc/systemd/system
find "$units" -mindepth 1 -delete
for unit in systemd-{sysctl,modules-load,remount-fs,update-utmp,journal-flush,sysusers,tmpfiles-setup,tmpfiles-setup-dev,udevd,udev-trigger}.service \
  {sys-kernel-debug,sys-kernel-tracing,sys-kernel-config,sys-fs-fuse-connections,dev-hugepages,dev-mqueue}.mount \
  systemd-ask-password-console.path; do
  ln -s /dev/null "$units/$unit"
done

# The program where docs/deployment.md has it installed: what is packed, with the packages of the checkout.
package=$root/opt/sluice/0.1.0/node_modules/sluice
mkdir -p "$package/dist" "$package/node_modules" "$package/../.bin"
cp -r "$checkout/dist/src" "$checkout/dist/bundle" "$checkout/dist/load" "$package/dist/"
cp "$checkout/package.json" "$package/"
chmod 755 "$package/dist/src/main.js"
mount --bind -o ro "$checkout/node_modules" "$package/node_modules"
ln -s ../sluice/dist/src/main.js "$package/../.bin/sluice"
ln -s 0.1.0 "$root/opt/sluice/current"
mkdir "$package/deploy" && cp -r "$checkout/deploy/systemd" "$package/deploy/"
# The steps of that page, which the test has copied from it. They need no systemd that runs.
chroot "$root" bash -e /mnt/out/install.sh
cp "$scratch/http-token" "$root/etc/sluice/secrets/" && chmod 600 "$root/etc/sluice/secrets/http-token"
cp "$here/steps.sh" "$here/ask.mjs" "$root/opt/"

cat > "$units/test.target" <<'UNIT'
[Unit]
Wants=steps.service
UNIT
cat > "$units/steps.service" <<'UNIT'
[Service]
Type=oneshot
DefaultDependencies=no
ExecStart=/bin/bash /opt/steps.sh
ExecStopPost=/bin/systemctl exit 0
StandardOutput=file:/mnt/out/steps.out
StandardError=file:/mnt/out/steps.out
UNIT

mkdir "$root/before"
cd "$root"
pivot_root . before
umount -l /before
# Credentials reach a service by mounts that propagate.
mount --make-rshared /
exec env -i container=unshare PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
  /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=false
