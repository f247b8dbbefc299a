/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/lease-event.h"

void lease_event(const IpcLease *lease, int level, const char *message_id, LeaseEvent *ret) {
        *ret = (LeaseEvent){};
        ret->log = (LogEvent){
                .level = level,
                .message_id = message_id,
                .network = lease->network,
                .vlan = vlan_to_string(lease->vlan, ret->vlan),
                .parent = lease->parent,
                .kind = lease_kind_to_string((LeaseKind)lease->kind),
                .name = lease->lease_name,
                .mac = mac_is_zero(&lease->mac) ? NULL : mac_format(&lease->mac, ret->mac),
                .lease = lease->id,
                .since = lease->since,
                .uid = lease->uid,
        };
}

void lease_event_asked(const IpcOpen *open, LeaseEvent *ret) {
        *ret = (LeaseEvent){.log.uid = -1};
        if (open->network[0] == '\0')
                return;
        ret->log.network = open->network;
        ret->log.kind = lease_kind_to_string((LeaseKind)open->kind);
        ret->log.name = open->lease_name;
        /* The VLAN comes from the network's file, with the parent. */
        if (open->parent[0]) {
                ret->log.parent = open->parent;
                ret->log.vlan = vlan_to_string(open->vlan, ret->vlan);
        }
        /* With mac=learn it is not the one that the port will have. */
        if (open->mac_mode != IPC_MAC_LEARN && !mac_is_zero(&open->mac))
                ret->log.mac = mac_format(&open->mac, ret->mac);
}

const char *lease_event_mac(const IpcLease *lease, char buffer[static LEASE_EVENT_MAC_SIZE]) {
        char mac[MAC_TEXT_SIZE];

        buffer[0] = '\0';
        if (!mac_is_zero(&lease->mac))
                snprintf(buffer, LEASE_EVENT_MAC_SIZE, " with MAC %s",
                         mac_format(&lease->mac, mac));
        return buffer;
}
