#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What udhcpc(8) runs in the demo's guest at each event: it sets the address, and says where it came from.
# shellcheck disable=SC2154  # udhcpc sets interface, ip, mask and serverid
case "$1" in
deconfig)
        ip -4 addr flush dev "$interface"
        ;;
bound | renew)
        ip addr add "$ip/$mask" dev "$interface"
        echo "demo: dhcp $ip/$mask from $serverid"
        ;;
esac
