/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line as a list of the options that rawnetctl has to understand.
 */

#include "client/qemu/items.h"

#include <string.h>

#include "client/qemu/config.h"

typedef enum Form {
        FORM_OPTIONS, /* key=value,… or JSON */
        FORM_WORD,    /* one value, whatever is in it */
        FORM_FLAG,    /* no value */
        FORM_SET,     /* group.id.key=value */
} Form;

typedef struct Known {
        const char *name;
        QemuGroup group;
        Form form;
        const char *first_key; /* as of qemu_options_parse(); the key of a word or a flag */
        const char *flag;      /* the value of a flag */
} Known;

static const Known known_options[] = {
        {"netdev", QEMU_NETDEV, FORM_OPTIONS, "type"},
        {"nic", QEMU_NIC, FORM_OPTIONS, "type"},
        {"net", QEMU_NET, FORM_OPTIONS, "type"},
        {"device", QEMU_DEVICE, FORM_OPTIONS, "driver"},
        {"object", QEMU_OBJECT, FORM_OPTIONS, "qom-type"},
        {"machine", QEMU_MACHINE, FORM_OPTIONS, "type"},
        {"M", QEMU_MACHINE, FORM_OPTIONS, "type"},
        {"m", QEMU_MEMORY, FORM_OPTIONS, "size"},
        {"numa", QEMU_NUMA, FORM_OPTIONS, "type"},
        {"accel", QEMU_ACCEL, FORM_OPTIONS, "accel"},
        {"global", QEMU_GLOBAL, FORM_OPTIONS, "driver"},
        {"mem-path", QEMU_MEM_PATH, FORM_WORD, "path"},
        {"readconfig", QEMU_READCONFIG, FORM_WORD, "file"},
        {"set", QEMU_SET, FORM_SET, NULL},
        {"daemonize", QEMU_DAEMONIZE, FORM_FLAG, "daemonize", "on"},
        /* As QEMU treats this option (softmmu/vl.c). */
        {"enable-kvm", QEMU_MACHINE, FORM_FLAG, "accel", "kvm"},
};

/* QEMU takes one dash or two (softmmu/vl.c, lookup_opt()). */
static const Known *find_known(const char *argument) {
        if (*argument != '-')
                return NULL;
        argument += argument[1] == '-' ? 2 : 1;
        for (size_t i = 0; i < ARRAY_SIZE(known_options); i++)
                if (strcmp(argument, known_options[i].name) == 0)
                        return &known_options[i];
        return NULL;
}

/* Takes options over, also on failure. */
static int add_item(QemuItems *items, QemuGroup group, QemuOptions *options, const char *option,
                    const char *text, size_t argument) {
        if (GROW_ARRAY(items->list, items->n, items->n_allocated) < 0) {
                qemu_options_done(options);
                return -ENOMEM;
        }
        items->list[items->n++] = (QemuItem){
                .group = group,
                .options = *options,
                .option = option,
                .text = text,
                .argument = argument,
        };
        *options = (QemuOptions){};
        return 0;
}

/* As in QEMU, -set changes only what is there already. */
static int apply_set(QemuItems *items, const QemuOptions *set) {
        const char *group = qemu_options_get(set, "group"), *id = qemu_options_get(set, "id");

        for (size_t i = 0; i < items->n; i++) {
                QemuItem *item = &items->list[i];
                const char *own = qemu_options_get(&item->options, "id");
                QemuGroup wanted = strcmp(group, "netdev") == 0 ? QEMU_NETDEV : QEMU_DEVICE;

                if (item->group != wanted || item->options.json || !own || strcmp(own, id) != 0)
                        continue;
                return qemu_options_add(&item->options, qemu_options_get(set, "key"),
                                        qemu_options_get(set, "value"));
        }
        return 0;
}

/* group.id.key=value; the value is the rest, commas and all (softmmu/vl.c, qemu_set_option()). */
static int parse_set(const char *text, QemuOptions *ret) {
        static const char *const keys[] = {"group", "id", "key"};
        static const char *const ends[] = {".", ".", "="};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                size_t length = strcspn(text, ends[i]);
                _cleanup_free_ char *word = NULL;

                if (!text[length])
                        return -EINVAL;
                word = strndup(text, length);
                r = word ? qemu_options_add(ret, keys[i], word) : -ENOMEM;
                if (r < 0)
                        return r;
                text += length + 1;
        }
        return qemu_options_add(ret, "value", text);
}

static int add_set(QemuItems *items, const char *text, size_t argument) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        const char *group;
        int r = parse_set(text, &options);

        if (r < 0)
                return r == -EINVAL ? 0 : r;
        group = qemu_options_get(&options, "group");
        if (strcmp(group, "device") != 0 && strcmp(group, "netdev") != 0)
                return 0;
        r = apply_set(items, &options);
        return r < 0 ? r : add_item(items, QEMU_SET, &options, "-set", text, argument);
}

static int add_section(const char *group, const char *file, QemuOptions *options, void *userdata) {
        static const char *const names[][2] = {
                {"netdev", "[netdev] of"}, {"nic", "[nic] of"},       {"net", "[net] of"},
                {"device", "[device] of"}, {"object", "[object] of"}, {"machine", "[machine] of"},
                {"memory", "[memory] of"}, {"numa", "[numa] of"},     {"accel", "[accel] of"},
                {"global", "[global] of"},
        };
        static const QemuGroup groups[] = {
                QEMU_NETDEV,  QEMU_NIC,    QEMU_NET,  QEMU_DEVICE, QEMU_OBJECT,
                QEMU_MACHINE, QEMU_MEMORY, QEMU_NUMA, QEMU_ACCEL,  QEMU_GLOBAL,
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strcmp(group, names[i][0]) == 0)
                        return add_item(userdata, groups[i], options, names[i][1], file, 0);
        qemu_options_done(options);
        return 0;
}

/* value: NULL for a flag. */
static int add_known(QemuItems *items, const Known *known, const char *option, const char *value,
                     size_t argument) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        int r = 0;

        switch (known->form) {
        case FORM_SET:
                return add_set(items, value, argument);
        case FORM_OPTIONS:
                r = qemu_options_parse(value, known->first_key, &options);
                /* QEMU complains about text that is no JSON. */
                if (r == -EINVAL)
                        return 0;
                break;
        case FORM_WORD:
                r = qemu_options_add(&options, known->first_key, value);
                break;
        case FORM_FLAG:
                r = qemu_options_add(&options, known->first_key, known->flag);
                value = "";
                break;
        }
        if (r < 0)
                return r;
        r = add_item(items, known->group, &options, option, value, argument);
        if (r < 0 || known->group != QEMU_READCONFIG)
                return r;
        r = qemu_config_read(value, add_section, items);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                items->unread = value;
        return 0;
}

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static bool names_qemu(const char *word) {
        word = last_part(word);
        return strncmp(word, "qemu-system-", strlen("qemu-system-")) == 0 ||
               strcmp(word, "qemu-kvm") == 0;
}

/* `numactl -m 0 qemu-system-x86_64 …`: numactl's options are not QEMU's. Without a word that is
 * surely QEMU's, all of the line is the first word's. */
static size_t find_program(char **argv) {
        for (size_t i = 0; argv[i]; i++) {
                const Known *known = find_known(argv[i]);

                if (names_qemu(argv[i]))
                        return i;
                if (known && (known->group == QEMU_NETDEV || known->group == QEMU_NIC ||
                              known->group == QEMU_DEVICE))
                        break;
        }
        return 0;
}

int qemu_items_parse(char **argv, QemuItems *ret) {
        _cleanup_(qemu_items_done) QemuItems items = {.argv = argv, .program = find_program(argv)};

        for (size_t i = items.program + 1; argv[items.program] && argv[i]; i++) {
                const Known *known = find_known(argv[i]);
                const char *option = argv[i];
                int r;

                if (!known) {
                        /* The value of another option is not an option, whatever it looks like.
                         * Only QEMU knows whether that option takes a value. */
                        if (*option == '-' && argv[i + 1] && !find_known(argv[i + 1]))
                                i++;
                        continue;
                }
                if (known->form != FORM_FLAG && !argv[++i])
                        break;
                r = add_known(&items, known, option, known->form == FORM_FLAG ? NULL : argv[i], i);
                if (r < 0)
                        return r;
        }
        *ret = items;
        items = (QemuItems){};
        return 0;
}

void qemu_items_done(QemuItems *items) {
        for (size_t i = 0; i < items->n; i++)
                qemu_options_done(&items->list[i].options);
        free(items->list);
        *items = (QemuItems){};
}

const char *qemu_items_last(const QemuItems *items, QemuGroup group, const char *key) {
        for (size_t i = items->n; i > 0; i--) {
                const QemuItem *item = &items->list[i - 1];
                const char *value =
                        item->group == group ? qemu_options_get(&item->options, key) : NULL;

                if (value)
                        return value;
        }
        return NULL;
}

const QemuItem *qemu_items_object(const QemuItems *items, const char *id) {
        for (size_t i = items->n; i > 0; i--) {
                const QemuItem *item = &items->list[i - 1];
                const char *own = qemu_options_get(&item->options, "id");

                if (item->group == QEMU_OBJECT && own && strcmp(own, id) == 0)
                        return item;
        }
        return NULL;
}
