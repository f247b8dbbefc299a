#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# /init of the demo's guest. Gets an address, talks to the neighbour, says what it found in lines "demo: KEY VALUE" on the
# console, and powers off at a word from there. NEIGHBOUR4, NEIGHBOUR6 and SIZE come from the kernel's command line.
# It must never end by itself: the kernel would panic.
export PATH=/bin
/bin/busybox --install -s /bin

say() {
        echo "demo: $*"
}

# Sum of the InCsumErrors of every protocol: /proc/net/snmp has pairs of lines, names and values.
checksum_errors() {
        awk '$1 in column { sum += $column[$1]; next }
             { for (i = 2; i <= NF; i++) if ($i == "InCsumErrors") column[$1] = i }
             END { print sum + 0 }' /proc/net/snmp
        awk '$1 ~ /InCsumErrors/ { sum += $2 } END { print sum + 0 }' /proc/net/snmp6
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
        insmod "/modules/$module" || say "failed module $module"
done </modules/order

set -- /sys/class/net/e*
nic=${1##*/}
say "kernel $(uname -r)"
say "mac $(cat "/sys/class/net/$nic/address")"
say "features $(cat "/sys/class/net/$nic/device/features")"
ip link set lo up
echo 0 >"/proc/sys/net/ipv6/conf/$nic/accept_dad"
ip link set "$nic" up
udhcpc -i "$nic" -f -n -q -t 20 -T 1 -s /bin/dhcp-event >/tmp/dhcp 2>&1
grep '^demo:' /tmp/dhcp || say "failed dhcp: $(tail -n 1 /tmp/dhcp)"

# The router's advertisement comes when it comes: each try waits a second at most.
address6=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        address6=$(ip -6 addr show dev "$nic" scope global | awk '$1 == "inet6" { print $2 }')
        [ -n "$address6" ] && break
        # shellcheck disable=SC3045  # busybox has it
        read -r -t 1 _
done
say "ra $address6"
say "ping4 $(ping -c 3 -W 5 -q "$NEIGHBOUR4" | grep received)"
say "ping6 $(ping6 -c 3 -W 5 -q "$NEIGHBOUR6" | grep received)"

wget -q -O /tmp/data "http://$NEIGHBOUR4/bulk/$SIZE" || say "failed download"
say "download $(sha256sum </tmp/data | cut -d ' ' -f 1) $(wc -c </tmp/data)"
say "upload $({ echo "$SIZE" && cat /tmp/data; } | nc "$NEIGHBOUR4" 9001)"
# shellcheck disable=SC2046  # two numbers
say "checksum-errors" $(checksum_errors)
say "done"
read -r _
say "off"
poweroff -f
