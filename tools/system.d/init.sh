#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The initramfs of tools/system: loads what the disk needs, mounts it, hands over to systemd. It must never do more:
# every other module is loaded by the real system, when it is asked for.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
while read -r module; do
        insmod "/modules/$module" || poweroff -f
done < /modules/order
mount -t ext4 -o noatime /dev/vda /root || poweroff -f
exec switch_root /root /lib/systemd/systemd
