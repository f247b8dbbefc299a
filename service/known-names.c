/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/known-names.h"

#include <string.h>

static unsigned find(const KnownNames *names, const char *name) {
        unsigned i = 0;

        while (i < KNOWN_NAMES_MAX && strcmp(names->name[i], name) != 0)
                i++;
        return i;
}

bool known_names_has(const KnownNames *names, const char *name) {
        return name[0] != '\0' && find(names, name) < KNOWN_NAMES_MAX;
}

void known_names_add(KnownNames *names, const char *name) {
        size_t size = strlen(name) + 1;

        if (size > KNOWN_NAME_SIZE || known_names_has(names, name))
                return;
        memcpy(names->name[names->next], name, size);
        names->next = (names->next + 1) % KNOWN_NAMES_MAX;
}

void known_names_remove(KnownNames *names, const char *name) {
        unsigned i = find(names, name);

        if (name[0] != '\0' && i < KNOWN_NAMES_MAX)
                names->name[i][0] = '\0';
}
