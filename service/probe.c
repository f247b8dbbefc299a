/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/probe.h"

static void on_probed(void *userdata, DeliveryResult result) {
        ProbeState *probe = userdata;

        probe->delivery = NULL;
        probe->finished = true;
        probe->result = result;
        probe->known(probe->userdata);
}

static int probe_refuse(const ProbeState *probe, const char *network, Refusal *ret) {
        switch (probe->result) {
        case DELIVERY_SENT:
        case DELIVERY_ABLE:
                return 0;
        case DELIVERY_UNABLE:
                return delivery_refuse_unable(network, ret);
        case DELIVERY_UNREAD:
                return delivery_refuse_unread(probe->deliveries, probe->uid, network, ret);
        case DELIVERY_GONE: /* and nobody is told */
                return -ECONNRESET;
        case DELIVERY_FAILED:
                break;
        }
        return -EIO;
}

int probe_start(ProbeState *probe, DeliveryTable *deliveries, sd_bus_message *call, uint32_t uid,
                const char *network, void (*known)(void *userdata), void *userdata, Refusal *ret) {
        int r;

        if (!probe->started) {
                r = delivery_check(deliveries, uid, network, ret);
                if (r != 0)
                        return r;
                *probe = (ProbeState){.started = true,
                                      .deliveries = deliveries,
                                      .uid = uid,
                                      .known = known,
                                      .userdata = userdata};
                r = delivery_probe(deliveries, call, uid, on_probed, probe, &probe->delivery);
                if (r < 0)
                        return r;
        }
        return probe->finished ? probe_refuse(probe, network, ret) : 0;
}

int probe_verify(const ProbeState *probe, const char *network, bool *ret_able, Refusal *ret) {
        *ret_able = probe->finished;
        return probe->finished ? probe_refuse(probe, network, ret) : 0;
}

void probe_forget(ProbeState *probe) {
        delivery_forget(TAKE_PTR(probe->delivery));
}
