/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/manager.h"

#include "service/can-open.h"
#include "service/check.h"
#include "service/host.h"
#include "service/lease-object.h"
#include "service/metrics.h"
#include "service/network-object.h"
#include "service/open.h"

static const struct {
        uint32_t bit;
        const char *name;
} features[] = {
        {IPC_FEATURE_VLAN, RAWNET_FEATURE_VLAN},
        {IPC_FEATURE_VHOST_NET, RAWNET_FEATURE_VHOST_NET},
        {IPC_FEATURE_EGRESS, RAWNET_FEATURE_NFT_EGRESS},
        {IPC_FEATURE_CHECKSUM_TRICK, RAWNET_FEATURE_CHECKSUM_TRICK},
        {IPC_FEATURE_USER_NAMESPACE, RAWNET_FEATURE_USER_NAMESPACE},
        {UINT32_MAX, RAWNET_FEATURE_ATTACH},
};

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        return sd_bus_message_append_basic(reply, 's', RAWNET_VERSION);
}

static int get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Service *service = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
                if (!(helper_features(service->helper) & features[i].bit))
                        continue;
                r = sd_bus_message_append_basic(reply, 's', features[i].name);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("OpenTap", SD_BUS_ARGS("s", network, "a{sv}", options),
                                SD_BUS_RESULT("ah", taps, "ah", vhosts, "o", lease, "a{sv}", info),
                                open_method_tap, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenPacket", SD_BUS_ARGS("s", network, "a{sv}", options),
                                SD_BUS_RESULT("ah", packets, "o", lease, "a{sv}", info),
                                open_method_packet, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "Attach",
                SD_BUS_ARGS("s", network, "h", namespace, "s", interface, "a{sv}", options),
                SD_BUS_RESULT("o", lease, "a{sv}", info), open_method_attach,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CanOpen", SD_BUS_ARGS("s", network, "s", kind),
                                SD_BUS_RESULT("s", answer), can_open_method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_ARGS("s", network),
                                SD_BUS_RESULT("aa{sv}", findings), check_method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("HostUp", SD_BUS_ARGS("s", network), SD_BUS_RESULT("s", interface),
                                host_method_up, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("HostDown", SD_BUS_ARGS("s", network), SD_BUS_NO_RESULT,
                                host_method_down, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetMetrics", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("t", since, "a(sa{ss}t)", samples), metrics_method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS(RAWNET_SIGNAL_PROBE, SD_BUS_ARGS("h", descriptor), 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Features", "as", get_features, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

int manager_register(Service *service) {
        int r;

        r = sd_bus_add_object_manager(service->bus, NULL, RAWNET_PATH);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(service->bus, NULL, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                     manager_vtable, service);
        if (r < 0)
                return r;
        r = network_object_register(service);
        if (r < 0)
                return r;
        return lease_object_register(service);
}

void manager_features_changed(Service *service) {
        (void)sd_bus_emit_properties_changed(service->bus, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                             "Features", NULL);
}
