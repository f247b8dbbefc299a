/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * QEMU's control socket.
 */

#include "client/qmp.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "common/text.h"
#include "common/unix-socket.h"

#define QMP_MESSAGE_MAX (1024u * 1024u)

struct Qmp {
        const char *path;
        int fd;
        uint64_t id;
        unsigned patience_ms; /* as qmp_connect() got it */
        uint64_t left_ms;     /* milliseconds left of it; 0: the peer is given up, and every command
                               * fails at once */
        char text[4096];      /* the bytes that were received last */
        size_t read, used;    /* how many of them the tokener has read, and how many there are */
        json_tokener *tokener;
        size_t message_size; /* bytes that the tokener has of a message that is not complete */
        char error_class[64];
        const char *device;
        bool deleted;
};

void qmp_close(Qmp *qmp) {
        if (!qmp)
                return;
        safe_close(qmp->fd);
        if (qmp->tokener)
                json_tokener_free(qmp->tokener);
        free(qmp);
}

const char *qmp_error_class(const Qmp *qmp) {
        return qmp->error_class;
}

static void json_putp(json_object **object) {
        json_object_put(*object);
}

static uint64_t now_ms(void) {
        return clock_usec(CLOCK_MONOTONIC) / 1000;
}

static const char *text_of(json_object *object, const char *key) {
        json_object *value;

        return json_object_object_get_ex(object, key, &value) &&
                               json_object_is_type(value, json_type_string)
                       ? json_object_get_string(value)
                       : "";
}

/* Takes one message from the received bytes. QEMU writes it on one line, or with pretty=on on many;
 * a message ends where its object ends. 1, 0 (none yet), or -EBADMSG. */
static int take_message(Qmp *qmp, json_object **ret) {
        size_t length = qmp->used - qmp->read;
        json_object *message =
                json_tokener_parse_ex(qmp->tokener, qmp->text + qmp->read, (int)length);
        enum json_tokener_error error = json_tokener_get_error(qmp->tokener);

        if (error != json_tokener_continue)
                length = json_tokener_get_parse_end(qmp->tokener);
        qmp->read += length;
        qmp->message_size += length;
        if (error == json_tokener_continue)
                return qmp->message_size >= QMP_MESSAGE_MAX ? -EBADMSG : 0;
        qmp->message_size = 0;
        /* The tokener also takes what is no object, "null" among it. */
        if (error != json_tokener_success || !json_object_is_type(message, json_type_object)) {
                json_object_put(message);
                return -EBADMSG;
        }
        *ret = message;
        return 1;
}

/* The deadline by which the rest of the patience is used up. */
static uint64_t deadline(const Qmp *qmp) {
        return now_ms() + qmp->left_ms;
}

/* Takes the time since the deadline was computed off the patience. A peer that does not speak QMP,
 * or not in time, is given up: the next command would wait in vain once more. */
static void use_patience(Qmp *qmp, uint64_t until_ms, int r) {
        uint64_t now = now_ms();

        qmp->left_ms = r == 0 && until_ms > now ? until_ms - now : 0;
}

/* Reads what is there. 0; -ETIMEDOUT; -ECONNRESET: QEMU has closed it; or -errno. */
static int read_more(Qmp *qmp, uint64_t until_ms) {
        struct pollfd p = {qmp->fd, POLLIN, 0};
        uint64_t now = now_ms();
        ssize_t n;
        int r;

        /* Also for a peer that never stops sending. */
        if (now >= until_ms)
                return -ETIMEDOUT;
        r = poll(&p, 1, (int)(until_ms - now));
        if (r == 0)
                return -ETIMEDOUT;
        n = r < 0 ? -1 : recv(qmp->fd, qmp->text, sizeof(qmp->text), 0);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        qmp->read = 0;
        qmp->used = (size_t)n;
        return n == 0 ? -ECONNRESET : 0;
}

static void note_event(Qmp *qmp, json_object *message) {
        json_object *data;

        if (qmp->device && strcmp(text_of(message, "event"), "DEVICE_DELETED") == 0 &&
            json_object_object_get_ex(message, "data", &data) &&
            strcmp(text_of(data, "device"), qmp->device) == 0)
                qmp->deleted = true;
}

/* The next message of any kind. 0 or -errno, as read_more(). */
static int next_message(Qmp *qmp, uint64_t until_ms, json_object **ret) {
        int r = 0;

        while (r == 0) {
                r = qmp->read < qmp->used ? take_message(qmp, ret) : 0;
                if (r == 0)
                        r = read_more(qmp, until_ms);
        }
        return MIN_OF(r, 0);
}

static int refuse_trouble(const Qmp *qmp, int r, const char *what, Refusal *ret_refusal) {
        if (r == -ENOMEM)
                return r;
        if (r == -ETIMEDOUT)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "QEMU at %s does not answer %s within %u s in all; a control socket serves one "
                        "program at a time: give QEMU another -qmp for this one",
                        qmp->path, what, qmp->patience_ms / 1000);
        if (r == -EBADMSG)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "what answers at %s does not speak QMP; name the socket of QEMU's -qmp option",
                        qmp->path);
        return refuse(ret_refusal, RAWNET_HELPER_UNAVAILABLE, "QEMU at %s, asked for %s: %s",
                      qmp->path, what,
                      r == -ECONNRESET ? "it closed the connection" : strerror(-r));
}

/* The "return" or "error" of the command with this id. */
static int read_answer(Qmp *qmp, const char *command, Refusal *ret_refusal) {
        uint64_t until = deadline(qmp);

        for (;;) {
                _cleanup_(json_putp) json_object *message = NULL;
                json_object *id, *error;
                int r = next_message(qmp, until, &message);

                use_patience(qmp, until, r);
                if (r < 0)
                        return refuse_trouble(qmp, r, command, ret_refusal);
                if (*text_of(message, "event")) {
                        note_event(qmp, message);
                        continue;
                }
                if (!json_object_object_get_ex(message, "id", &id) ||
                    json_object_get_uint64(id) != qmp->id)
                        continue;
                if (json_object_object_get_ex(message, "return", NULL))
                        return 0;
                if (!json_object_object_get_ex(message, "error", &error))
                        return refuse_trouble(qmp, -EBADMSG, command, ret_refusal);
                snprintf(qmp->error_class, sizeof(qmp->error_class), "%s", text_of(error, "class"));
                r = refuse(ret_refusal, RAWNET_KERNEL_REFUSED, "QEMU at %s refuses %s: %s",
                           qmp->path, command, text_of(error, "desc"));
                text_make_printable(ret_refusal->text);
                return r;
        }
}

int qmp_execute(Qmp *qmp, const char *command, json_object *arguments, int fd,
                Refusal *ret_refusal) {
        _cleanup_(json_putp) json_object *message = json_object_new_object();
        const char *text;
        int r;

        qmp->error_class[0] = '\0';
        if (!message) {
                json_object_put(arguments);
                return -ENOMEM;
        }
        json_object_object_add(message, "execute", json_object_new_string(command));
        if (arguments)
                json_object_object_add(message, "arguments", arguments);
        json_object_object_add(message, "id", json_object_new_uint64(++qmp->id));
        text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN);
        if (!text)
                return -ENOMEM;
        /* A QEMU that reads has room for a command. */
        r = fd_pass_send(qmp->fd, text, strlen(text), &fd, fd >= 0, MSG_DONTWAIT);
        if (r < 0)
                return refuse_trouble(qmp, r == -EAGAIN ? -ETIMEDOUT : r, command, ret_refusal);
        return read_answer(qmp, command, ret_refusal);
}

void qmp_watch_device(Qmp *qmp, const char *name) {
        qmp->device = name;
        qmp->deleted = false;
}

int qmp_wait_deleted(Qmp *qmp, unsigned seconds, Refusal *ret_refusal) {
        uint64_t until = now_ms() + seconds * UINT64_C(1000);

        while (!qmp->deleted) {
                _cleanup_(json_putp) json_object *message = NULL;
                int r = next_message(qmp, until, &message);

                if (r == -ETIMEDOUT)
                        return refuse(
                                ret_refusal, RAWNET_NETWORK_BUSY,
                                "the guest has not released %s within %u s; it has been asked: when it "
                                "runs and takes notice, try again",
                                qmp->device, seconds);
                if (r < 0)
                        return refuse_trouble(qmp, r, "the device's end", ret_refusal);
                note_event(qmp, message);
        }
        return 0;
}

static int greet(Qmp *qmp, Refusal *ret_refusal) {
        _cleanup_(json_putp) json_object *greeting = NULL;
        uint64_t until = deadline(qmp);
        int r = next_message(qmp, until, &greeting);

        use_patience(qmp, until, r);
        if (r == 0 && !json_object_object_get_ex(greeting, "QMP", NULL))
                r = -EBADMSG;
        if (r < 0)
                return refuse_trouble(qmp, r, "a greeting", ret_refusal);
        return qmp_execute(qmp, "qmp_capabilities", NULL, -1, ret_refusal);
}

/* What QEMU's -qmp takes, and we do not: descriptors are passed over a UNIX socket alone. */
static int check_kind(const char *path, Refusal *ret_refusal) {
        static const char *const others[] = {
                "tcp:", "telnet:", "websocket:", "udp:", "fd:", "pipe:", "vc", "stdio"};

        if (strncmp(path, "unix:", 5) == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s: write the socket's path alone: --qmp %.*s", path,
                              (int)strcspn(path + 5, ","), path + 5);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strncmp(path, others[i], strlen(others[i])) == 0 && access(path, F_OK) < 0)
                        return refuse(
                                ret_refusal, RAWNET_INVALID_ARGS,
                                "%s: --qmp takes the path of a UNIX socket, because a port's descriptors can only be "
                                "passed over one; give QEMU one more control socket: -qmp "
                                "unix:/run/user/%u/vm.qmp,server=on,wait=off",
                                path, (unsigned)getuid());
        return 0;
}

int qmp_connect(const char *path, unsigned patience_ms, Qmp **ret, Refusal *ret_refusal) {
        const struct timeval timeout = {patience_ms / 1000, patience_ms % 1000 * 1000};
        struct sockaddr_un address;
        _cleanup_(qmp_closep) Qmp *qmp = NULL;
        int r;

        r = check_kind(path, ret_refusal);
        if (r == 0)
                r = unix_address(path, &address, ret_refusal);
        if (r != 0)
                return r;
        qmp = calloc(1, sizeof(*qmp));
        if (!qmp)
                return -ENOMEM;
        qmp->tokener = json_tokener_new();
        if (!qmp->tokener)
                return -ENOMEM;
        qmp->path = path;
        qmp->left_ms = qmp->patience_ms = patience_ms;
        qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (qmp->fd < 0)
                return -errno;
        /* For connect() alone, which waits while the queue of the listening socket is full
         * (unix(7)). */
        if (setsockopt(qmp->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        if (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return errno == EAGAIN
                               ? refuse_trouble(qmp, -ETIMEDOUT, "a connection", ret_refusal)
                               : refuse(ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                                        "cannot reach QEMU at %s: %s; start it with -qmp unix:%s,server=on,wait=off",
                                        path, strerror(errno), path);
        r = greet(qmp, ret_refusal);
        if (r == 0)
                *ret = TAKE_PTR(qmp);
        return r;
}
