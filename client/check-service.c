/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rawnetctl check: what rawnetd reports about itself, its helper and its networks. */

#include <string.h>

#include "client/check.h"

/* The list of features is empty until then. A kernel without any of them could not serve a port. */
static bool helper_has_answered(const Check *check) {
        return json_object_array_length(check->features) > 0;
}

static bool has_feature(const Check *check, const char *feature) {
        for (size_t i = 0; i < json_object_array_length(check->features); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(check->features, i)),
                           feature) == 0)
                        return true;
        return false;
}

typedef struct ManagerObject {
        char *version, *features;
} ManagerObject;

static const BusField manager_fields[] = {
        {"Version", "version", "s", offsetof(ManagerObject, version)},
        {"Features", "features", "as", offsetof(ManagerObject, features)},
};

static int ask_manager(Check *check, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ManagerObject manager = {};
        json_object *service;
        int r;

        r = bus_query(check->bus, RAWNET_PATH, "org.freedesktop.DBus.Properties", "GetAll", &reply,
                      ret_refusal, "s", RAWNET_IFACE_MANAGER);
        if (r == 0)
                r = bus_read_fields(reply, manager_fields, ARRAY_SIZE(manager_fields), &manager);
        if (r == 0) {
                service = json_of_fields(manager_fields, ARRAY_SIZE(manager_fields), &manager);
                if (!service)
                        abort();
                check->features = json_object_object_get(service, "features");
                json_object_object_add(check->root, "service", service);
        }
        bus_fields_done(manager_fields, ARRAY_SIZE(manager_fields), &manager);
        return r;
}

static int ask_service(Check *check, Refusal *ret_refusal) {
        int r = bus_connect(&check->bus, ret_refusal);

        if (r == 0)
                r = ask_manager(check, ret_refusal);
        if (r == 0)
                r = objects_read(check->bus, &check->objects, ret_refusal);
        return r;
}

/* Findings that concern every network. */
void check_service(Check *check, json_object *problems, json_object *notes) {
        Refusal refusal = {};
        int r = ask_service(check, &refusal);

        if (r != 0) {
                add_sentence(problems, "%s", r > 0 ? refusal.text : strerror(-r));
                check->bus = sd_bus_flush_close_unref(check->bus);
                return;
        }
        if (!helper_has_answered(check)) {
                add_sentence(problems,
                             "rawnet-helper has not answered rawnetd yet, so no port can be "
                             "opened, and what this kernel lacks is not known: see systemctl "
                             "status rawnet-helper.socket rawnet-helper.service");
                check->bus = sd_bus_flush_close_unref(check->bus);
                return;
        }
        if (!has_feature(check, RAWNET_FEATURE_VHOST_NET))
                add_sentence(
                        notes,
                        "/dev/vhost-net is not available to rawnet-helper, so --vhost is refused; load it with: "
                        "modprobe vhost_net");
}

static const NetworkObject *find_object(const Objects *objects, const char *name) {
        for (size_t i = 0; i < objects->n_networks; i++)
                if (strcmp(objects->networks[i].name, name) == 0)
                        return &objects->networks[i];
        return NULL;
}

static bool is_loaded(const Objects *objects, const void *name) {
        const NetworkObject *object = find_object(objects, name);

        return object && !*object->error;
}

const NetworkObject *check_wait_object(Check *check, const char *name) {
        Refusal refusal = {};

        if (check->bus && !is_loaded(&check->objects, name)) {
                objects_done(&check->objects);
                if (objects_read_when(check->bus, is_loaded, name, &check->objects, &refusal) != 0)
                        check->objects = (Objects){};
        }
        return find_object(&check->objects, name);
}
