#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mmdebstrap's last hook: makes a machine of the root file system in $1, as an administrator would have it who has not heard
# of rawnet: users, systemd-networkd on eth0, a trunk port eth1 that is just up. And the job that tools/system starts. It
# must never write outside $1.
set -eu
root=$1

# The kernel alone, for image.py: no boot loader and no initramfs tools are needed.
package=$(chroot "$root" apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
mkdir "$root/kernel"
(cd "$root/kernel" && chroot "$root" sh -c "cd /kernel && apt-get -q -o APT::Sandbox::User=root download $package")
# libvirtd's AppArmor profile. Debian 12 has it in a package that starts a system mode, too: of that the profile alone.
profile=/etc/apparmor.d/usr.sbin.libvirtd
if [ ! -e "$root$profile" ]; then
        chroot "$root" sh -c "cd /kernel && apt-get -q -o APT::Sandbox::User=root download libvirt-daemon-system"
        dpkg-deb --fsys-tarfile "$root"/kernel/libvirt-daemon-system_*.deb | tar -xf - -C "$root" ".$profile"
        rm "$root"/kernel/libvirt-daemon-system_*.deb
        mkdir -p "$root/etc/apparmor.d/local"
        touch "$root/etc/apparmor.d/local/usr.sbin.libvirtd"
fi

echo trunkhost > "$root/etc/hostname"
echo "127.0.0.1 localhost trunkhost" > "$root/etc/hosts"
: > "$root/etc/machine-id"
: > "$root/etc/resolv.conf"
for user in member member2 outsider; do
        chroot "$root" useradd --create-home --shell /bin/bash "$user"
done
chroot "$root" passwd --quiet --delete root

cat > "$root/etc/systemd/network/20-eth0.network" <<END
[Match]
Name=eth0

[Network]
DHCP=yes
END
cat > "$root/etc/systemd/network/20-trunk.network" <<END
[Match]
Name=eth1

[Network]
LinkLocalAddressing=no

[Link]
RequiredForOnline=no
END
# What a catch-all does to an interface that nobody keeps it off.
cat > "$root/etc/systemd/network/90-everything-else.network" <<END
[Match]
Name=!lo eth2 wire*

[Network]
DHCP=yes
LLDP=yes

[Link]
RequiredForOnline=no
END
chroot "$root" systemctl --quiet enable systemd-networkd.service
# It is there for the test that starts it.
chroot "$root" systemctl --quiet disable NetworkManager.service NetworkManager-wait-online.service NetworkManager-dispatcher.service
# Tests load the profiles that they are about.
chroot "$root" systemctl --quiet disable apparmor.service
# Only the users' own Docker runs.
if [ -e "$root/usr/sbin/dockerd" ]; then
        chroot "$root" systemctl --quiet disable docker.service docker.socket containerd.service
fi

mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\nForwardToConsole=no\n' > "$root/etc/systemd/journald.conf.d/persistent.conf"
# The console is the machine's log: nobody logs in there, and getty's vhangup would cut it off.
chroot "$root" systemctl --quiet mask serial-getty@ttyS0.service getty@tty1.service systemd-networkd-wait-online.service \
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer e2scrub_all.timer fstrim.timer \
        e2scrub_reap.service libvirtd.service virtlogd.service systemd-random-seed.service
printf '/dev/vda / ext4 defaults,noatime 0 0\n' > "$root/etc/fstab"

cat > "$root/etc/systemd/system/system-job.service" <<END
[Unit]
Description=What tools/system was told to run
Wants=dev-virtio\x2dports-status.device
After=dev-virtio\x2dports-status.device dbus.service systemd-logind.service systemd-networkd.service
RequiresMountsFor=/run/job
ConditionPathExists=/dev/vdb

[Service]
Type=exec
# Its processes are a person's at a terminal, as far as systemd is concerned: no sandbox, no limits, and what it leaves behind stays.
KillMode=process
Environment=HOME=/root
ExecStart=/bin/sh -c 'mkdir -p /run/job && tar -xf /dev/vdb -C /run/job && exec /run/job/start'

[Install]
WantedBy=multi-user.target
END
chroot "$root" systemctl --quiet enable system-job.service
