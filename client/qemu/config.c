/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A configuration file of QEMU's -readconfig (util/qemu-config.c, qemu_config_foreach()).
 */

#include "client/qemu/config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1024u * 1024u)

typedef struct Section {
        char *group; /* NULL: none has begun */
        QemuOptions options;
} Section;

static void section_done(Section *section) {
        free(section->group);
        qemu_options_done(&section->options);
        *section = (Section){};
}

/* The text between the quotes that begin at p, with *ret_end behind them; NULL: there are none. */
static char *take_quoted(char *p, char **ret_end) {
        char *end = *p == '"' ? strchr(p + 1, '"') : NULL;

        if (!end)
                return NULL;
        *end = '\0';
        *ret_end = end + 1;
        return p + 1;
}

static char *skip_blanks(char *p) {
        return p + strspn(p, " \t\r\n");
}

static int flush(Section *section, const char *path, QemuSectionFunction function, void *userdata) {
        QemuOptions options = section->options;

        section->options = (QemuOptions){};
        if (!section->group) {
                qemu_options_done(&options);
                return 0;
        }
        return function(section->group, path, &options, userdata);
}

/* [group] or [group "id"]; line is behind the bracket. */
static int begin(Section *section, char *line) {
        char *group = skip_blanks(line), *id, *end;
        size_t length = strcspn(group, " \t\"]");

        id = take_quoted(skip_blanks(group + length), &end);
        group[length] = '\0';
        section_done(section);
        section->group = strdup(group);
        if (!section->group)
                return -ENOMEM;
        return id ? qemu_options_add(&section->options, "id", id) : 0;
}

/* key = "value" */
static int add_value(Section *section, char *line) {
        size_t length = strcspn(line, " \t=");
        char *p = skip_blanks(line + length), *end, *value;

        if (length == 0 || *p != '=')
                return 0;
        value = take_quoted(skip_blanks(p + 1), &end);
        if (!value)
                return 0;
        line[length] = '\0';
        return qemu_options_add(&section->options, line, value);
}

static int parse(char *text, const char *path, QemuSectionFunction function, void *userdata) {
        _cleanup_(section_done) Section section = {};
        char *rest = text, *line;
        int r = 0;

        while (r >= 0 && (line = strsep(&rest, "\n"))) {
                line = skip_blanks(line);
                if (*line == '[') {
                        r = flush(&section, path, function, userdata);
                        if (r >= 0)
                                r = begin(&section, line + 1);
                } else if (*line != '#' && section.group)
                        r = add_value(&section, line);
        }
        return r < 0 ? r : flush(&section, path, function, userdata);
}

int qemu_config_read(const char *path, QemuSectionFunction function, void *userdata) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_free_ char *text = NULL;
        struct stat st;
        ssize_t n;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
                return -EINVAL;
        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        n = read(fd, text, (size_t)st.st_size);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        return parse(text, path, function, userdata);
}
