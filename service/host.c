/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/host.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/network-file.h"
#include "common/terms.h"
#include "service/machine.h"
#include "service/authorize.h"

static int check_name(const char *name, Refusal *ret) {
        NetworkName parsed;
        int r;

        r = network_name_parse(name, &parsed, ret);
        if (r == 0 && parsed.vlan != 0)
                r = refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "network %s: only a network of one VLAN has a host interface, and a VLAN of a range has "
                        "none; name a network without .VID",
                        name);
        return r;
}

/* Removing goes by the network's name, and works without its file: the details may be empty. */
static int plan_down(Request *request, const char *name, Network *ret_network) {
        Network network = {};
        Refusal ignored;
        int r;

        r = request_wait_file(request, network_file_load(name, &network, &ignored));
        if (r < 0 || request->stage == REQUEST_FILE)
                return r;
        *ret_network = r == 0 ? network : (Network){};
        return 0;
}

/* parent and interface are "" where there is no file; then vlan and protocol mean nothing. */
static void question_fill(PolkitQuestion *question, const IpcRequest *terms, const char *parent,
                          uint16_t vlan, uint16_t protocol, const char *interface) {
        char number[8], where[WIRE_TEXT_SIZE];
        bool known = parent[0] != '\0';

        *question = (PolkitQuestion){.action = RAWNET_ACTION_HOST, .terms = *terms};
        polkit_detail(question, "network", terms->host.network);
        polkit_detail(question, "parent", parent);
        polkit_detail(question, "vlan", known ? vlan_to_string(vlan, number) : "");
        polkit_detail(question, "protocol", known ? vlan_protocol_detail(vlan, protocol) : "");
        polkit_detail(question, "interface", interface);
        polkit_detail(question, "where",
                      known ? wire_to_string(parent, vlan, where) : "no network file");
}

static void log_done(const Request *request) {
        const IpcHost *host = &request->host;

        if (host->interface[0])
                log_info("host interface %s of network %s: brought up for user %" PRIu32,
                         host->interface, host->network, request->uid);
        else
                log_info("host interface of network %s: removed for user %" PRIu32, host->network,
                         request->uid);
}

static void on_done(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                    const Refusal *refusal) {
        Request *request = userdata;
        int r = 0;

        closer_close(request->service->closer, fds, n_fds);
        if (refusal) {
                request_refuse(request, refusal);
                return;
        }
        if (reply->type == IPC_DONE)
                log_done(request);
        else
                r = -EBADMSG;
        if (r < 0)
                log_error(
                        "rawnet-helper's answer for the host interface of network %s makes no sense",
                        request->host.network);
        else if (!request->caller_gone && request->host.interface[0])
                r = sd_bus_reply_method_return(request->message, "s", request->host.interface);
        else if (!request->caller_gone)
                r = sd_bus_reply_method_return(request->message, NULL);
        request_finish(request, r);
}

static int call_helper(Request *request, IpcRequest *ipc, Refusal *ret) {
        int r;

        request->host = ipc->host;
        r = helper_call(request->service->helper, ipc, on_done, request, ret);
        if (r == 0)
                request->stage = REQUEST_HELPER;
        return r;
}

static int read_name(Request *request, IpcRequest *ipc, Refusal *ret) {
        const char *name;
        int r;

        r = sd_bus_message_read_basic(request->message, 's', &name);
        if (r < 0)
                return r;
        r = check_name(name, ret);
        if (r != 0)
                return r;
        snprintf(ipc->host.network, sizeof(ipc->host.network), "%s", name);
        request->host = ipc->host;
        return 0;
}

static int up_step(Request *request, void *userdata, Refusal *ret) {
        IpcRequest ipc = {.operation = IPC_HOST_UP};
        IpcHost *host = &ipc.host;
        PolkitQuestion question;
        char what[96];
        const MacPrefix *prefix;
        Network network;
        bool yes = false;
        int r;

        r = read_name(request, &ipc, ret);
        if (r == 0)
                r = request_wait_file(request, terms_host(network_file_load, host, &network, ret));
        if (r != 0 || request->stage == REQUEST_FILE)
                return r;
        r = network_choose_mac(&network, host->network, &prefix, ret);
        if (r != 0)
                return r;
        request->service->host_asked = true;
        question_fill(&question, &ipc, host->parent, host->vlan, host->protocol, host->interface);
        snprintf(what, sizeof(what), "make the host interface of network %s", host->network);
        r = authorize(request, &question, what, &yes, ret);
        if (r != 0 || !yes)
                return r;
        /* No lease's name is empty: the address is the host interface's alone. After polkit's
         * answer, since it is another one each time where there is no key. */
        r = machine_mac(&request->service->key, prefix, 0, host->network, "", &host->mac);
        return r < 0 ? r : call_helper(request, &ipc, ret);
}

static int down_step(Request *request, void *userdata, Refusal *ret) {
        IpcRequest ipc = {.operation = IPC_HOST_DOWN};
        PolkitQuestion question;
        char what[96];
        Network network;
        bool yes = false;
        int r;

        r = read_name(request, &ipc, ret);
        if (r == 0)
                r = plan_down(request, ipc.host.network, &network);
        if (r != 0 || request->stage == REQUEST_FILE)
                return r;
        question_fill(&question, &ipc, network.parent, network.vlan_first, network.protocol,
                      network.host_interface);
        snprintf(what, sizeof(what), "remove the host interface of network %s", ipc.host.network);
        r = authorize(request, &question, what, &yes, ret);
        if (r != 0 || !yes)
                return r;
        return call_helper(request, &ipc, ret);
}

int host_method_up(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, userdata, up_step, NULL);
}

int host_method_down(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, userdata, down_step, NULL);
}

static void on_swept(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                     const Refusal *refusal) {
        Service *service = userdata;

        closer_close(service->closer, fds, n_fds);
        if (refusal)
                log_warning(
                        "host interfaces that no network file asks for may stay until rawnet-helper's next start: %s",
                        refusal->text);
}

void host_sweep(Service *service) {
        IpcRequest ipc = {.operation = IPC_HOST_SWEEP};
        Refusal refusal = {};
        int r;

        r = helper_call(service->helper, &ipc, on_swept, service, &refusal);
        if (r != 0)
                log_warning("cannot ask rawnet-helper to look at the host interfaces: %s",
                            r > 0 ? refusal.text : strerror(-r));
}
