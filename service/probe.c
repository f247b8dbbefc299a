/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/probe.h"

#include "service/request.h"

static void on_probed(void *userdata, DeliveryResult result) {
        Request *request = userdata;

        request->probe = (ProbeState){.started = true, .finished = true, .result = result};
        if (request->stage == REQUEST_PROBE)
                request_requeue(request);
}

static int probe_refuse(const Request *request, const char *network, Refusal *ret) {
        switch (request->probe.result) {
        case DELIVERY_SENT:
        case DELIVERY_ABLE:
                return 0;
        case DELIVERY_UNABLE:
                return delivery_refuse_unable(network, ret);
        case DELIVERY_UNREAD:
                return delivery_refuse_unread(request->service->deliveries, request->uid, network,
                                              ret);
        case DELIVERY_GONE: /* and nobody hears it */
                return -ECONNRESET;
        case DELIVERY_FAILED:
                break;
        }
        return -EIO;
}

int probe_start(Request *request, const char *network, Refusal *ret) {
        ProbeState *probe = &request->probe;
        DeliveryTable *deliveries = request->service->deliveries;
        int r;

        if (!probe->started) {
                r = delivery_check(deliveries, request->uid, network, ret);
                if (r != 0)
                        return r;
                probe->started = true;
                r = delivery_probe(deliveries, request->message, request->uid, on_probed, request,
                                   &probe->delivery);
                if (r < 0)
                        return r;
        }
        return probe->finished ? probe_refuse(request, network, ret) : 0;
}

int probe_verify(Request *request, const char *network, bool *ret_able, Refusal *ret) {
        *ret_able = request->probe.finished;
        if (request->probe.finished)
                return probe_refuse(request, network, ret);
        request->stage = REQUEST_PROBE;
        return 0;
}

void probe_forget(Request *request) {
        Delivery *delivery = request->probe.delivery;

        request->probe.delivery = NULL;
        delivery_forget(delivery);
}
