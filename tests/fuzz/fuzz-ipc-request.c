/* SPDX-License-Identifier: GPL-2.0-or-later */

/* ipc_request_check(): what the helper takes from rawnetd has its strings ended and its numbers in
 * range. */

#include <linux/if_ether.h>

#include "common/ipc.h"
#include "fuzz.h"

static void check_host(const IpcHost *h, bool up) {
        size_t length = network_name_length(h->network);

        assert(length >= 1 && length < sizeof(h->network) && h->network[length] == '\0');
        assert(interface_name_is_valid(h->parent) == up &&
               interface_name_is_valid(h->interface) == up);
        assert(mac_is_zero(&h->mac) != up && h->vlan <= VLAN_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const IpcOpen *o;
        IpcRequest request = {0};
        size_t n_fds;

        memcpy(&request, data, MIN_OF(size, sizeof(request)));
        n_fds = request.operation == IPC_OPEN && request.open.kind == KIND_VETH;
        if (ipc_request_check(&request, size, n_fds) != 0) {
                /* Most inputs: a right head lets the mutations reach what is behind it. */
                request.version = IPC_VERSION;
                request.serial = 1;
                if (ipc_request_check(&request, sizeof(request), n_fds) != 0)
                        return 0;
        }
        assert(request.operation >= IPC_OPEN && request.operation <= IPC_CHECK);
        if (request.operation == IPC_HOST_UP || request.operation == IPC_HOST_DOWN)
                check_host(&request.host, request.operation == IPC_HOST_UP);
        if (request.operation == IPC_CHECK) {
                NetworkName name;

                assert(network_name_parse(request.check.network, &name, NULL) == 0);
                assert(request.check.kinds >= 1 && (request.check.kinds & ~KINDS_ALL) == 0);
        }
        if (request.operation != IPC_OPEN)
                return 0;
        o = &request.open;
        assert(strnlen(o->network, sizeof(o->network)) < sizeof(o->network));
        assert(strnlen(o->parent, sizeof(o->parent)) < sizeof(o->parent));
        assert(strnlen(o->lease_name, sizeof(o->lease_name)) < sizeof(o->lease_name));
        assert(text_is_printable_ascii(o->lease_name) && interface_name_is_valid(o->parent));
        assert(o->kind <= KIND_VETH && o->mode <= MODE_EXCLUSIVE &&
               o->guest_servers <= GUEST_SERVERS_ALL);
        assert(interface_name_is_sane(o->interface) == (o->kind == KIND_VETH));
        assert(address_list_is_valid(&o->addresses));
        assert(o->rate == 0 || (o->rate >= 1000000 && o->rate <= 100000000000));
        assert(o->queues >= 1 && o->queues * (1u + o->vhost) <= RAWNET_FDS_MAX);
        assert(o->protocol == ETH_P_8021Q || (o->protocol == ETH_P_8021AD && o->vlan != 0));
        assert(o->vlan <= VLAN_ID_MAX && o->vhost <= 1 && o->vnet_hdr <= 1);
        assert(o->up <= (o->kind == KIND_VETH));
        return 0;
}
