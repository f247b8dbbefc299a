/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every name that more than one program or the outside world knows, defined once. */

/* D-Bus */
#define RAWNET_BUS_NAME "org.rawnet1"
#define RAWNET_PATH "/org/rawnet1"
#define RAWNET_PATH_NETWORK "/org/rawnet1/network"
#define RAWNET_PATH_LEASE "/org/rawnet1/lease"
#define RAWNET_IFACE_MANAGER "org.rawnet1.Manager"
#define RAWNET_IFACE_NETWORK "org.rawnet1.Network"
#define RAWNET_IFACE_LEASE "org.rawnet1.Lease"
#define RAWNET_SIGNAL_PROBE "DescriptorProbe" /* to one caller, with a descriptor of /dev/null */
#define RAWNET_ERROR_PREFIX "org.rawnet1.Error."

/* polkit */
#define RAWNET_ACTION_OPEN_TAP "org.rawnet1.open-tap"
#define RAWNET_ACTION_OPEN_PACKET "org.rawnet1.open-packet"
#define RAWNET_ACTION_ATTACH "org.rawnet1.attach"
#define RAWNET_ACTION_CLOSE_OTHERS "org.rawnet1.close-others"
#define RAWNET_ACTION_HOST "org.rawnet1.host"

/* org.rawnet1.Manager's Features */
#define RAWNET_FEATURE_VLAN "vlan"
#define RAWNET_FEATURE_VHOST_NET "vhost-net"
#define RAWNET_FEATURE_NFT_EGRESS "nft-egress"
#define RAWNET_FEATURE_CHECKSUM_TRICK "checksum-trick"
#define RAWNET_FEATURE_ATTACH "attach"
#define RAWNET_FEATURE_USER_NAMESPACE "user-namespace"

/* Users, sockets, files */
#define RAWNET_USER_SERVICE "_rawnet"
#define RAWNET_GROUP "rawnet"
#define RAWNET_HELPER_SOCKET "/run/rawnet/helper.sock"
/* rawnetd's own: the key of derived MAC addresses. */
#define RAWNET_STATE_DIR "/var/lib/rawnet"
#define RAWNET_KEY_FILE "mac-key"
/* The administrator's. RAWNET_SYSCONFDIR and RAWNET_VENDORDIR (what packages bring, below the prefix)
 * are the build's (meson.build). */
#define RAWNET_NETWORK_DIR RAWNET_SYSCONFDIR "/rawnet/networks"
/* Searched in this order, the first file of a name wins (as systemd.network(5) does it). */
#define RAWNET_NETWORK_DIRS RAWNET_NETWORK_DIR, "/run/rawnet/networks", RAWNET_VENDORDIR "/networks"

/* Kernel objects. A lease's id is its nsid and, in hex, its port's name; see design in
 * ARCHITECTURE.md. */
#define RAWNET_ID_MIN UINT32_C(0x10000)
#define RAWNET_ID_MAX UINT32_C(0x7fffffff)
/* New leases get ids from here up (helper/lease-id.h); earlier builds took any from RAWNET_ID_MIN.
 */
#define RAWNET_ID_FIRST UINT32_C(0x7fff0002)
/* No lease has these: the guards that a check and the helper's start try out do. */
#define RAWNET_ID_REHEARSAL UINT32_C(0x7fff0000)
#define RAWNET_ID_PROBE UINT32_C(0x7fff0001)
#define RAWNET_PORT_NAME_FORMAT "rn%x" /* a lease's port */
#define RAWNET_VLAN_NAME_FORMAT                                                                    \
        "rnv%llx" /* a shared VLAN interface in the host's namespace: ifindex, protocol, VID */
/* Its mark: the group that it is made with (ip-link(8)), "rnv". Whatever its name, it is rawnet's
 * as long as it is in that group. */
#define RAWNET_VLAN_GROUP UINT32_C(0x726e76)
#define RAWNET_VLAN_ALIAS_PREFIX "rawnet: VLAN " /* followed by a description */
#define RAWNET_OWN_NAME_PREFIX "rn" /* no interface that an administrator names may begin so */
/* A host interface (HostInterface=): its name while it is being made, and its alias, which ends
 * with the network's name. Interfaces of older releases have the same alias, so it cannot change.
 */
#define RAWNET_HOST_NAME_PREFIX "rnh"
#define RAWNET_HOST_ALIAS_PREFIX "rawnet: host leg of "

/* Limits */
#define RAWNET_NETWORK_NAME_MAX 32u /* of a file's NAME */
#define RAWNET_FULL_NAME_MAX 37u    /* NAME.4094 */
#define RAWNET_LEASE_NAME_MAX 64u
#define VLAN_ID_MAX 4094u         /* IEEE 802.1Q-2018, 9.6: 4095 is reserved, 0 means no VLAN */
#define RAWNET_TAP_MTU_MAX 65521u /* drivers/net/tun.c: MAX_MTU less ETH_HLEN */
#define NETWORK_MTU_MIN 68u       /* RFC 791, and linux/if_ether.h: ETH_MIN_MTU */
#define NETWORK_MTU_MAX 65535u    /* linux/if_ether.h: ETH_MAX_MTU */
#define RAWNET_QUEUES_MAX 16u
/* Queues of one user's ports over all networks, unless rawnetd's --queues-per-user= says otherwise;
 * and the most that it may say, which is where rawnet-helper refuses by itself: one queue in each
 * of the most leases that a user may have. */
#define RAWNET_QUEUES_PER_USER 128u
#define RAWNET_QUEUES_PER_USER_MAX 4096u
/* Leases with mac=learn whose guest has not sent its first frame yet. Each keeps a process and a
 * descriptor of rawnet-helper; TasksMax= and LimitNOFILE= of rawnet-helper.service leave room for
 * all of them beside the workers. */
#define RAWNET_LEARNING_PER_USER_MAX 16u
#define RAWNET_LEARNING_MAX 256u
/* veth leases of all users: each has a process of rawnet-helper (helper/child/keep.h). TasksMax= of
 * rawnet-helper.service leaves room for all of them beside the others. */
#define RAWNET_ATTACHED_MAX 4096u
/* dbus-daemon's default max_message_unix_fds for a system bus connection, dbus-daemon(1) */
#define RAWNET_FDS_MAX 16u
/* Both daemons' --idle-seconds= */
#define RAWNET_IDLE_SECONDS 30u
#define RAWNET_IDLE_SECONDS_MAX 86400u
/* rawnet-vhost(1), --busy-poll= and --coalesce=, µs */
#define RAWNET_BUSY_POLL_MAX 1000000u
#define RAWNET_COALESCE_MAX 10000u

/* Journal events, the MESSAGE_ID= of log_event() (sd_journal_send(3)); explained in
 * systemd/rawnet.catalog. */
#define RAWNET_EVENT_OPENED "d8141f479581476994268bf323dadbb4"
#define RAWNET_EVENT_REFUSED "6adb09ff20f549539a2a4bdebe7732fd"
#define RAWNET_EVENT_ENDED "797cad538a664f4090b5e7fa4592af89"
#define RAWNET_EVENT_REVOKED "f0f8c2f44a4c42e7a964fbe18938bf53"
#define RAWNET_EVENT_KERNEL_REFUSED "153303ee7bb342f1bdbe66a8d63dbc52"
#define RAWNET_EVENT_DROPPED "72502471835c4200932ffad91125c612"
#define RAWNET_EVENT_LEARNED "e43971a67db048a49c15b804b2cc104f"
#define RAWNET_EVENT_FOUND "9566a36591084477acc1c30ebff1182e"
#define RAWNET_EVENT_ADDRESS_REFUSED "850804c49e27425a96167aa82792d60e"
