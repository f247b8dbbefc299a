/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/run-veth.h"

#include <string.h>

#include "client/interface.h"
#include "client/run-dhcp.h"
#include "client/run-tap.h"

int run_veth_open(RunOptions *options, RunVeth *ret, Refusal *ret_refusal) {
        int r = 0;

        if (!run_options_veth(options))
                return 0;
        if (options->dhcp)
                r = run_dhcp_find(&ret->dhcp, ret_refusal);
        if (r == 0)
                r = run_namespace_open(options->tap, &ret->namespace, ret_refusal);
        for (size_t i = 0; i < options->n_ports && r == 0; i++)
                options->ports[i].request.namespace = ret->namespace.network;
        return r;
}

/* rawnetd's word for the port is its own; CMD needs the name in its namespace. */
static int name_port(Port *port, const char *name) {
        char *copy = strdup(name);

        if (!copy)
                return -ENOMEM;
        free(port->interface);
        port->interface = copy;
        return 0;
}

static int raise_port(Port *port, const char *tap, Refusal *ret_refusal) {
        const char *interface = port->request.interface;
        int r;

        if (tap)
                r = run_tap_make(tap, interface, port->mtu, ret_refusal);
        else
                r = interface_raise_running(interface, ret_refusal);
        return r == 0 ? name_port(port, tap ? tap : interface) : r;
}

int run_veth_enter(RunVeth *veth, RunOptions *options, Refusal *ret_refusal) {
        int r;

        if (!run_options_veth(options))
                return 0;
        r = run_namespace_enter(&veth->namespace, ret_refusal);
        for (size_t i = 0; i < options->n_ports && r == 0; i++)
                if (options->ports[i].request.kind == KIND_VETH)
                        r = raise_port(&options->ports[i], options->tap, ret_refusal);
        if (r == 0 && veth->dhcp)
                r = run_dhcp_start(veth->dhcp, options->ports[0].request.interface,
                                   options->ports[0].request.network, ret_refusal);
        return r;
}

void run_veth_done(RunVeth *veth) {
        run_namespace_done(&veth->namespace);
}
