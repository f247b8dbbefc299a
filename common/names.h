/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Every name that more than one program, or the outside world, knows: once, here.
 */

/* D-Bus */
#define RAWNET_BUS_NAME "org.rawnet1"
#define RAWNET_PATH "/org/rawnet1"
#define RAWNET_PATH_NETWORK "/org/rawnet1/network"
#define RAWNET_PATH_LEASE "/org/rawnet1/lease"
#define RAWNET_IFACE_MANAGER "org.rawnet1.Manager"
#define RAWNET_IFACE_NETWORK "org.rawnet1.Network"
#define RAWNET_IFACE_LEASE "org.rawnet1.Lease"
#define RAWNET_ERROR_PREFIX "org.rawnet1.Error."

/* polkit */
#define RAWNET_ACTION_OPEN_TAP "org.rawnet1.open-tap"
#define RAWNET_ACTION_OPEN_PACKET "org.rawnet1.open-packet"
#define RAWNET_ACTION_CLOSE_OTHERS "org.rawnet1.close-others"

/* Users, sockets, files */
#define RAWNET_USER_SERVICE "_rawnet"
#define RAWNET_USER_HELPER "_rawnet-helper"
#define RAWNET_GROUP "rawnet"
#define RAWNET_HELPER_SOCKET "/run/rawnet/helper.sock"
/* Searched in this order, the first file of a name wins (as systemd.network(5) does it). */
#define RAWNET_NETWORK_DIRS "/etc/rawnet/networks", "/run/rawnet/networks", "/usr/lib/rawnet/networks"

/* Kernel objects. A lease's id is its nsid and, in hex, its port's name; see design in ARCHITECTURE.md. */
#define RAWNET_ID_MIN UINT32_C(0x10000)
#define RAWNET_ID_MAX UINT32_C(0x7fffffff)
#define RAWNET_PORT_NAME_FORMAT "rn%x"  /* a lease's port */
#define RAWNET_VLAN_NAME_FORMAT "rnv%x" /* a shared VLAN interface in the host's namespace */

/* Limits */
#define RAWNET_NETWORK_NAME_MAX 32u /* of a file's NAME */
#define RAWNET_FULL_NAME_MAX 37u    /* NAME.4094 */
#define RAWNET_LEASE_NAME_MAX 64u
#define RAWNET_QUEUES_MAX 16u
/* dbus-daemon's default max_message_unix_fds for a system bus connection, dbus-daemon(1) */
#define RAWNET_FDS_MAX 16u
