#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's /init: the other machine's root over 9p, read-only, below a tmpfs, with this kernel's modules
# laid over it. Hands over to guest.py and powers off. It must never wait for anything that may not come: tools/vm
# cuts a hang off, but a panic with a reason is better.
export PATH=/bin
/bin/busybox --install -s /bin

die() {
        echo "rawnet-vm: $*"
        poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
        insmod "/modules/$module" || die "cannot load $module"
done < /modules/order

if [ -e /job.probe ]; then
        echo "rawnet-vm: probe booted"
        poweroff -f
fi

# cache=loose: the export does not change under the guest in a way that matters to a run of minutes.
for layer in root modules; do
        mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro "$layer" "/lower/$layer" ||
                die "no 9p $layer"
done
mount -t tmpfs -o mode=0755,size=75% tmpfs /upper || die "no tmpfs"
mkdir /upper/upper /upper/work
chmod 755 /upper/upper
mount -t overlay -o lowerdir=/lower/modules:/lower/root,upperdir=/upper/upper,workdir=/upper/work root /root ||
        die "no overlay root"

cd /root || die "no root"
mount -t tmpfs -o mode=0755 run run
mount --move /proc proc
mount --move /sys sys
mount --move /dev dev
mkdir -p run/rawnet-vm dev/pts dev/shm
cp /job.json run/rawnet-vm/
mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tracefs tracefs sys/kernel/tracing 2>/dev/null
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
hostname rawnet-vm
ifconfig lo 127.0.0.1 up
exec switch_root /root "$(cat /job.runner)"
