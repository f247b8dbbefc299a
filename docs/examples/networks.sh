#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Says of each network whether the caller may open a tap there, and then opens a port for a command. busctl cannot hold a
# port, because it closes its descriptors when it exits: rawnetctl run opens it, and the command holds it.
#
#     networks.sh NETWORK COMMAND [ARGUMENT...]
set -eu

manager() {
        busctl call org.rawnet1 /org/rawnet1 org.rawnet1.Manager "$@"
}

rawnetctl networks | while read -r network _; do
        case $(manager CanOpen ss "$network" tap 2>&1) in
        's "yes"') echo "$network: you may open ports" ;;
        's "challenge"') echo "$network: you may open ports with a password" ;;
        *) echo "$network: no ports for you: rawnetctl check $network says why" ;;
        esac
done

network=$1
shift
exec rawnetctl run --kind packet --name networks.sh "$network" -- "$@"
