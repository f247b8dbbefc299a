/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/lease-argument.h"

#include <string.h>

#include "client/client.h"
#include "client/objects.h"
#include "client/parse.h"
#include "client/user-name.h"
#include "common/text.h"

#define SHOWN_MAX 4u

typedef struct Found {
        size_t n;
        const LeaseObject *leases[SHOWN_MAX]; /* the oldest */
} Found;

static void find_by_name(const Objects *objects, const char *name, bool own, Found *ret) {
        *ret = (Found){};
        for (size_t i = 0; i < objects->n_leases; i++) {
                const LeaseObject *lease = &objects->leases[i];

                if (strcmp(lease->name, name) != 0 || (own && lease->owner != getuid()))
                        continue;
                if (ret->n < SHOWN_MAX)
                        ret->leases[ret->n] = lease;
                ret->n++;
        }
}

/* "rn7fff0001 of member on lab, ..." */
static void print_found(FILE *out, const Found *found) {
        _cleanup_(user_name_done) UserName user = {};
        char id[LEASE_ID_TEXT_SIZE];

        for (size_t i = 0; i < MIN_OF(found->n, SHOWN_MAX); i++) {
                const LeaseObject *lease = found->leases[i];
                const char *name = user_name(&user, lease->owner);

                fprintf(out, "%s%s of %s on %s", i > 0 ? ", " : "", lease_id_format(lease->id, id),
                        name ? name : "?", lease->network);
        }
        if (found->n > SHOWN_MAX)
                fputs(", ...", out);
}

static void say_ambiguous(const char *name, const Found *found) {
        _cleanup_free_ char *list = NULL;
        size_t size;
        FILE *out = open_memstream(&list, &size);

        if (out)
                print_found(out, found);
        if (!out || fclose(out) != 0)
                log_error("%zu leases have the name '%s': give the ID of one of them", found->n,
                          name);
        else
                log_error("%zu leases have the name '%s': give the ID of one of them (%s)",
                          found->n, name, list);
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
                *ret = found.leases[0]->id;
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
