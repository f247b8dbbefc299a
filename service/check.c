/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/check.h"

#include <string.h>

#include "common/log.h"
#include "common/network-file.h"
#include "service/quota.h"

/* The answer is the loss of the helper, perhaps to be restarted, and not a judgement: true, and the
 * request waits for the next helper, unless it has done so before. */
static bool ask_again(Request *request, const Refusal *refusal) {
        if (!refusal || request->lost_helper || helper_connected(request->service->helper))
                return false;
        request_end_check(request);
        request->stage = REQUEST_SYNC;
        return true;
}

static void on_answer(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                      const Refusal *refusal) {
        Request *request = userdata;
        int r = -EBADMSG;

        closer_close(request->service->closer, fds, n_fds);
        if (reply && reply->type == IPC_FINDING) {
                request->check_use->found(request, &reply->finding);
                return;
        }
        if (ask_again(request, refusal))
                return;
        if (refusal) {
                request_refuse(request, refusal);
                return;
        }
        if (reply->type == IPC_DONE)
                r = request->check_use->reply(request);
        request_finish(request, r);
}

int check_ask(Request *request, const char *network, uint8_t kinds, const CheckUse *use,
              Refusal *ret_refusal) {
        IpcRequest ipc = {.operation = IPC_CHECK, .check = {.kinds = kinds}};
        int r;

        if (!requests_may_check(request->service, request->uid)) {
                request->stage = REQUEST_CHECK;
                return 0;
        }
        snprintf(ipc.check.network, sizeof(ipc.check.network), "%s", network);
        r = helper_call(request->service->helper, &ipc, on_answer, request, ret_refusal);
        if (r != 0)
                return r;
        request->stage = REQUEST_HELPER;
        request->checks = true;
        request->check_use = use;
        return 0;
}

/* --- findings on the bus --- */

static const char *const severities[] = {
        [FINDING_ERROR] = "error", [FINDING_BUSY] = "busy", [FINDING_WARNING] = "warning",
        [FINDING_NOTE] = "note",   [FINDING_FACT] = "fact",
};

static const char *const topics[] = {
        [FINDING_FILE] = "file", [FINDING_PARENT] = "parent", [FINDING_VLAN] = "vlan",
        [FINDING_HOST] = "host", [FINDING_PORT] = "port",     [FINDING_LEASES] = "leases",
};

static const char *const details[FINDING_DETAIL_COUNT] = {
        [FINDING_OWNER_HOST] = "host",
        [FINDING_OWNER_RAWNET] = "rawnet",
        [FINDING_HOST_UP] = "up",
        [FINDING_HOST_DOWN] = "down",
        [FINDING_HOST_MISSING] = "missing",
        [FINDING_HOST_OTHER] = "other",
        [FINDING_HOST_MISPLACED] = "misplaced",
};

static int append_kinds(sd_bus_message *m, uint8_t kinds) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "kinds");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (LeaseKind kind = KIND_TAP; r >= 0 && kind < KIND_UNKNOWN; kind++)
                if (kinds & KIND_BIT(kind))
                        r = sd_bus_message_append_basic(m, 's', lease_kind_to_string(kind));
        for (size_t i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* ipc_reply_check() has checked it. */
static int append_finding(sd_bus_message *m, const IpcFinding *finding) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "severity", "s",
                                          severities[finding->severity], "what", "s",
                                          topics[finding->topic], "where", "s", finding->where,
                                          "text", "s", finding->text);
        if (r >= 0)
                r = append_kinds(m, finding->kinds);
        if (r >= 0 && finding->error != RAWNET_OK)
                r = sd_bus_message_append(m, "{sv}", "error", "s",
                                          rawnet_error_to_dbus(finding->error));
        if (r >= 0 && finding->detail != FINDING_DETAIL_NONE)
                r = sd_bus_message_append(m, "{sv}", "detail", "s", details[finding->detail]);
        if (r >= 0 && finding->vlan != 0)
                r = sd_bus_message_append(m, "{sv}", "vlan", "u", (uint32_t)finding->vlan);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int begin_reply(Request *request) {
        int r;

        request->findings = sd_bus_message_unref(request->findings);
        r = sd_bus_message_new_method_return(request->message, &request->findings);
        return r < 0 ? r : sd_bus_message_open_container(request->findings, 'a', "a{sv}");
}

static int send_reply(Request *request) {
        int r = request->findings ? sd_bus_message_close_container(request->findings) : -ENOMEM;

        return r < 0 || request->caller_gone ? r : sd_bus_message_send(request->findings);
}

/* --- Check() --- */

/* A finding that cannot be appended is not left out: then there is no reply. */
static void add_finding(Request *request, const IpcFinding *finding) {
        if (request->findings && append_finding(request->findings, finding) < 0)
                request->findings = sd_bus_message_unref(request->findings);
}

static const CheckUse check_use = {add_finding, send_reply};

/* A bad network file is reported without the helper. */
static int reply_bad_file(Request *request, const char *path, const Refusal *refusal) {
        const IpcFinding finding =
                ipc_finding(FINDING_ERROR, FINDING_FILE, path, KINDS_ALL, refusal);
        int r;

        r = begin_reply(request);
        if (r >= 0)
                r = append_finding(request->findings, &finding);
        if (r >= 0)
                r = send_reply(request);
        if (r >= 0)
                request->stage = REQUEST_REPLIED;
        return MIN_OF(r, 0);
}

/* One more port for the caller, of one queue. */
static int append_quota(Request *request, const Network *network) {
        Refusal refusal = {};
        IpcFinding finding;
        int r;

        request->open.uid = request->uid;
        request->open.queues = 1;
        r = quota_check(request, network, &refusal);
        if (r <= 0)
                return r;
        finding = ipc_finding(FINDING_BUSY, FINDING_LEASES, "", (uint8_t)network->kinds, &refusal);
        return append_finding(request->findings, &finding);
}

static int check_step(Request *request, void *userdata, Refusal *ret) {
        const char *full_name;
        Network network = {};
        NetworkName name;
        uint16_t vlan;
        int r;

        r = sd_bus_message_read_basic(request->message, 's', &full_name);
        if (r < 0)
                return r;
        r = network_name_parse(full_name, &name, ret);
        if (r != 0)
                return r;
        snprintf(request->open.network, sizeof(request->open.network), "%s", full_name);
        r = request_wait_file(request, network_file_load(name.name, &network, ret));
        if (r == RAWNET_BAD_NETWORK_FILE)
                return reply_bad_file(request, network.path, ret);
        if (r != 0 || request->stage == REQUEST_FILE)
                return r;
        if (name.vlan != 0)
                r = network_pick_vlan(&network, &name, &vlan, ret);
        if (r != 0)
                return r;
        if (!helper_ready(request->service->helper))
                return request_wait_sync(request, ret);
        r = begin_reply(request);
        if (r >= 0)
                r = append_quota(request, &network);
        if (r < 0)
                return r;
        return check_ask(request, full_name, (uint8_t)network.kinds, &check_use, ret);
}

int check_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, userdata, check_step, NULL);
}
