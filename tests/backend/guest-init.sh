#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# /init of the guest of tests/lib/console.py: the network card's driver, then a shell that runs each line of the console and says its
# exit status, "status N". It must never end by itself: the kernel would panic.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
        insmod "/modules/$module"
done </modules/order
# Bytes as they come, and no echo of what the test types.
stty -echo -icanon

# Errors of every protocol's checksums: /proc/net/snmp has pairs of lines, names and values.
checksum_errors() {
        awk '$1 in column { sum += $column[$1]; next }
             { for (i = 2; i <= NF; i++) if ($i == "InCsumErrors") column[$1] = i }
             END { print sum + 0 }' /proc/net/snmp
}

# $1 the interface, eth0 if not given.
get_address() {
        ip link set "${1:-eth0}" up
        udhcpc -i "${1:-eth0}" -f -n -q -t 20 -T 1 -s /bin/dhcp-event
}

# Down and up again through the neighbour; says what arrived. $1 neighbour, $2 bytes.
move() {
        wget -q -O /tmp/data "http://$1/bulk/$2" || return 1
        echo "down $(sha256sum </tmp/data | cut -d ' ' -f 1)"
        echo "up $({ echo "$2" && cat /tmp/data; } | nc "$1" 9001)"
}

ip link set lo up
echo "ready"
while true; do
        if read -r line; then
                eval "$line"
                echo "status $?"
        fi
done
