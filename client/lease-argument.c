/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/lease-argument.h"

#include <string.h>

#include "client/client.h"
#include "client/objects.h"
#include "client/parse.h"
#include "common/text.h"

#define IDS_SHOWN 4u

typedef struct Found {
        size_t n;
        uint32_t ids[IDS_SHOWN]; /* the oldest */
} Found;

static void find_by_name(const Objects *objects, const char *name, bool own, Found *ret) {
        *ret = (Found){};
        for (size_t i = 0; i < objects->n_leases; i++) {
                const LeaseObject *lease = &objects->leases[i];

                if (strcmp(lease->name, name) != 0 || (own && lease->owner != getuid()))
                        continue;
                if (ret->n < IDS_SHOWN)
                        ret->ids[ret->n] = lease->id;
                ret->n++;
        }
}

static void say_ambiguous(const char *name, const Found *found) {
        char ids[IDS_SHOWN * (LEASE_ID_TEXT_SIZE + 2)] = "", id[LEASE_ID_TEXT_SIZE];
        size_t size = 0;

        for (size_t i = 0; i < MIN_OF(found->n, IDS_SHOWN); i++)
                size += (size_t)snprintf(ids + size, sizeof(ids) - size, "%s%s", i > 0 ? ", " : "",
                                         lease_id_format(found->ids[i], id));
        log_error("%zu leases have the name '%s': give the ID of one of them (%s%s)", found->n,
                  name, ids, found->n > IDS_SHOWN ? ", ..." : "");
}

/* names as the service has them: printable ASCII (RAWNET_LEASE_NAME_MAX). */
static int by_name(sd_bus *bus, const char *name, uint32_t *ret) {
        _cleanup_(objects_done) Objects objects = {};
        Refusal refusal = {};
        Found found;
        int r = objects_read(bus, &objects, &refusal);

        if (r != 0)
                return say_failure(r, &refusal);
        find_by_name(&objects, name, true, &found);
        if (found.n == 0)
                find_by_name(&objects, name, false, &found);
        if (found.n == 1) {
                *ret = found.ids[0];
                return 0;
        }
        if (found.n == 0)
                log_error("there is no lease '%s': give an ID, such as rn7fff0001, or a name that "
                          "'rawnetctl list' shows",
                          name);
        else
                say_ambiguous(name, &found);
        return EXIT_FAILURE;
}

int lease_argument(sd_bus *bus, const char *text, uint32_t *ret) {
        int r = lease_id_parse(text, ret);

        if (r == 0)
                return 0;
        if (r == -EINVAL || text_is_printable_ascii(text))
                return by_name(bus, text, ret);
        log_error("there is no lease %s; 'rawnetctl list' shows the leases", text);
        return EXIT_FAILURE;
}

int say_lease_failure(const char *text, int r, const Refusal *refusal) {
        if (r <= 0 || strstr(refusal->text, text))
                return say_failure(r, refusal);
        log_error("%s: %s", text, refusal->text);
        return EXIT_FAILURE;
}
