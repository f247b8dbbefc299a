#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the DHCP client of `rawnetctl run --kind veth --dhcp` runs, as root of the command's user
# namespace. It configures the interface and writes the command's own resolv.conf. It never changes
# a file of the host: /tmp is a directory in memory that only this client sees.
#
# udhcpc passes the event as an argument; dhcpcd(8) and dhclient-script(8) pass $reason.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

event=${1-${reason-}}
case $event in
bound | renew | BOUND | RENEW | REBIND | REBOOT) ;;
deconfig | EXPIRE | FAIL | RELEASE | STOP)
        ip -4 addr flush dev "${interface:?}"
        exit
        ;;
*) exit 0 ;;
esac

address=${ip-${new_ip_address-}}
mask=${mask-${new_subnet_mask-}}
routers=${router-${new_routers-}}
servers=${dns-${new_domain_name_servers-}}
domain=${search-${new_domain_search-${domain-${new_domain_name-}}}}

# dhcpcd sets addresses and routes itself.
if [ -z "${if_configured-}" ]; then
        if [ -n "${old_ip_address-}" ] && [ "$old_ip_address" != "$address" ]; then
                ip -4 addr flush dev "${interface:?}"
        fi
        ip -4 addr replace "$address/${mask:-32}" dev "$interface" || exit
        # onlink: the router of an address with a mask of 32 bits is on no network of its own.
        for router in $routers; do
                ip -4 route replace default via "$router" dev "$interface" onlink || exit
                break
        done
fi

# In place: the command's /etc/resolv.conf is this very file.
{
        [ -z "$domain" ] || echo "search $domain"
        for server in $servers; do
                echo "nameserver $server"
        done
} >/tmp/resolv.conf || exit
echo bound >/tmp/event
