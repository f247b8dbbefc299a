/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The clients' way to rawnetd over the system bus.
 */

#include "client/bus.h"

#include <fcntl.h>
#include <string.h>

#include "client/agent.h"
#include "client/bus-call.h"
#include "client/user-name.h"

#define FIRST_TRY_USEC                                                                             \
        UINT64_C(60000000)       /* an open waits for a lease that is just ending, and in a queue */
#define NO_TIME_LIMIT UINT64_MAX /* a person types a password */

/* EXFULL is sd-bus's: the kernel had no number left for a descriptor that came with a message.
 * ECHRNG is what systemd 257 makes of EMFILE when it connects. */
static bool is_descriptor_limit(int r) {
        return r == -EMFILE || r == -EXFULL || r == -ECHRNG;
}

static int refuse_limit(Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_LIMITS_EXCEEDED, "%s", errno_text(EMFILE));
}

/* As sd_bus_open_system(3) finds it. */
static const char *bus_address(void) {
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");

        return address ? address : "unix:path=/run/dbus/system_bus_socket";
}

static int refuse_connection(int r, Refusal *ret_refusal) {
        if (is_descriptor_limit(r))
                return refuse_limit(ret_refusal);
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "the D-Bus system bus at %s closed the connection: does dbus run (systemctl status "
                        "dbus), has user %u a name (getent passwd %u), or is there a proxy that is too "
                        "old for this program (xdg-dbus-proxy before 0.1.6)?",
                        bus_address(), getuid(), getuid());
        return refuse(
                ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                "cannot reach the D-Bus system bus at %s: %s; does dbus run (systemctl status dbus)?",
                bus_address(), strerror(-r));
}

int bus_connect(sd_bus **ret, Refusal *ret_refusal) {
        int r = sd_bus_open_system(ret);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return refuse_connection(r, ret_refusal);
        return 0;
}

int bus_connect_to(sd_event *event, sd_bus **ret, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = bus_connect(&bus, ret_refusal);

        if (r == 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r == 0)
                *ret = TAKE_PTR(bus);
        return r;
}

static RawnetError error_code(const char *name) {
        for (int i = 1; i < RAWNET_ERROR_COUNT; i++)
                if (strcmp(rawnet_error_to_dbus((RawnetError)i), name) == 0)
                        return (RawnetError)i;
        return RAWNET_HELPER_UNAVAILABLE;
}

/* rawnetd's own refusals have the same name and another text. */
static bool is_refused_by_bus(const char *name, const char *message) {
        static const char daemon[] = "Rejected send message", broker[] = "Sender is not authorized";

        return strcmp(name, SD_BUS_ERROR_ACCESS_DENIED) == 0 &&
               (strncmp(message, daemon, strlen(daemon)) == 0 ||
                strncmp(message, broker, strlen(broker)) == 0);
}

/* rawnetd's sentence. */
static int refuse_in_its_words(const char *name, const char *message, Refusal *ret_refusal) {
        _cleanup_free_ char *text = user_names_in(*message ? message : name);

        return text ? refuse(ret_refusal, error_code(name), "%s", text) : -ENOMEM;
}

int bus_refuse(const sd_bus_error *error, int r, Refusal *ret_refusal) {
        const char *name = error->name, *message = error->message ? error->message : strerror(-r);

        if (is_descriptor_limit(r))
                return refuse_limit(ret_refusal);
        if (!name)
                return r == -ENOMEM ? r : refuse_connection(r, ret_refusal);
        if (strcmp(name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
            strcmp(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0)
                return refuse(ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                              "the service %s is not on the system bus: rawnetd is not installed, "
                              "or dbus does not know it yet "
                              "(systemctl reload dbus)",
                              RAWNET_BUS_NAME);
        if (strncmp(name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0 ||
            strncmp(name, "org.freedesktop.systemd1.", 25) == 0 ||
            strcmp(name, "org.freedesktop.DBus.Error.TimedOut") ==
                    0) /* dbus-daemon waited for rawnetd's start */
                return refuse(ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                              "rawnetd could not be started: %s (journalctl -u rawnetd says why)",
                              message);
        if (strcmp(name, SD_BUS_ERROR_TIMEOUT) == 0)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "rawnetd did not answer in time; see: journalctl -u rawnetd -u rawnet-helper");
        if (strcmp(name, SD_BUS_ERROR_NO_REPLY) == 0 ||
            strcmp(name, SD_BUS_ERROR_DISCONNECTED) == 0)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "rawnetd ended, or took too long, before it answered; see: journalctl -u rawnetd -u rawnet-helper");
        if (is_refused_by_bus(name, message))
                return refuse(
                        ret_refusal, RAWNET_ACCESS_DENIED,
                        "the system bus does not let you call rawnetd: its policy (/etc/dbus-1/system.d) allows it to others, such as "
                        "members of group " RAWNET_GROUP
                        "; ask an administrator, and log in again after a change of your groups");
        return refuse_in_its_words(name, message, ret_refusal);
}

static int query(sd_bus *bus, uint64_t usec, const char *path, const char *interface,
                 const char *member, sd_bus_message **ret_reply, Refusal *ret_refusal,
                 const char *types, va_list arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, RAWNET_BUS_NAME, path, interface, member);
        if (r < 0)
                return bus_refuse(&error, r, ret_refusal);
        if (types) {
                r = sd_bus_message_appendv(m, types, arguments);
                if (r < 0)
                        return r;
        }
        r = bus_call(bus, m, usec, true, &error, ret_reply);
        return r < 0 ? bus_refuse(&error, r, ret_refusal) : 0;
}

int bus_query(sd_bus *bus, const char *path, const char *interface, const char *member,
              sd_bus_message **ret_reply, Refusal *ret_refusal, const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = query(bus, BUS_QUERY_USEC, path, interface, member, ret_reply, ret_refusal, types,
                  arguments);
        va_end(arguments);
        return r;
}

int bus_query_within(sd_bus *bus, uint64_t usec, const char *path, const char *interface,
                     const char *member, sd_bus_message **ret_reply, Refusal *ret_refusal,
                     const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = query(bus, usec, path, interface, member, ret_reply, ret_refusal, types, arguments);
        va_end(arguments);
        return r;
}

int bus_call_authorized(sd_bus *bus, BusBuild build, const void *userdata,
                        sd_bus_message **ret_reply, Refusal *ret_refusal) {
        Agent agent = {};
        int r = 0;

        for (int interactive = 0; interactive <= 1; interactive++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                r = build(bus, userdata, &m);
                if (r < 0)
                        return r == -ENOTCONN ? refuse_connection(r, ret_refusal) : r;
                r = sd_bus_message_set_allow_interactive_authorization(m, interactive);
                if (r < 0)
                        return r;
                if (interactive)
                        agent_start(&agent);
                r = bus_call(bus, m, interactive ? NO_TIME_LIMIT : FIRST_TRY_USEC, !interactive,
                             &error, ret_reply);
                if (interactive)
                        agent_stop(&agent);
                if (r >= 0)
                        return 0;
                r = bus_refuse(&error, r, ret_refusal);
                if (!sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                        return r;
        }
        return r;
}

static int append_option(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list arguments;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0) {
                va_start(arguments, type);
                r = sd_bus_message_appendv(m, type, arguments);
                va_end(arguments);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_addresses(sd_bus_message *m, const PortRequest *request) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "addresses");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && i < request->n_addresses; i++)
                r = sd_bus_message_append_basic(m, 's', request->addresses[i]);
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* The message has only what the user said: the service owns the defaults and the rules. */
static int append_options(sd_bus_message *m, const PortRequest *request) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && request->mac && *request->mac)
                r = append_option(m, "mac", "s", request->mac);
        if (r >= 0 && request->name && *request->name)
                r = append_option(m, "name", "s", request->name);
        if (r >= 0 && request->n_addresses > 0)
                r = append_addresses(m, request);
        if (r >= 0 && request->rate > 0)
                r = append_option(m, "rate", "t", request->rate);
        if (r >= 0 && request->queues > 0)
                r = append_option(m, "queues", "u", request->queues);
        if (r >= 0 && request->vhost >= 0)
                r = append_option(m, "vhost", "b", request->vhost);
        if (r >= 0 && request->vnet_hdr >= 0)
                r = append_option(m, "vnet-hdr", "b", request->vnet_hdr);
        if (r >= 0 && request->up >= 0)
                r = append_option(m, "up", "b", request->up);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static const char *method_of(LeaseKind kind) {
        return kind == KIND_TAP ? "OpenTap" : kind == KIND_PACKET ? "OpenPacket" : "Attach";
}

static int build_open(sd_bus *bus, const void *userdata, sd_bus_message **ret) {
        const PortRequest *request = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, RAWNET_BUS_NAME, RAWNET_PATH,
                                           RAWNET_IFACE_MANAGER, method_of(request->kind));
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', request->network);
        if (r >= 0 && request->kind == KIND_VETH)
                r = sd_bus_message_append(m, "hs", request->namespace, request->interface);
        if (r >= 0)
                r = append_options(m, request);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* The message keeps its own descriptors; ours are copies above the standard three. */
static int read_descriptors(sd_bus_message *m, Port *port, size_t *count) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "h");
        while (r >= 0) {
                int fd, copy;

                r = sd_bus_message_read_basic(m, 'h', &fd);
                if (r <= 0)
                        break;
                if (port->n_queues + port->n_vhosts >= RAWNET_FDS_MAX)
                        return -EBADMSG;
                copy = fcntl(fd, F_DUPFD_CLOEXEC, PORT_FIRST_NUMBER);
                if (copy < 0)
                        return -errno;
                port->fds[port->n_queues + port->n_vhosts] = copy;
                (*count)++;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_opened(sd_bus_message *m, Port *port) {
        static const BusField fields[] = {
                {"id", NULL, "u", offsetof(Port, lease)},
                {"mac", NULL, "s", offsetof(Port, mac)},
                {"mtu", NULL, "u", offsetof(Port, mtu)},
                {"interface", NULL, "s", offsetof(Port, interface)},
                {"vlan", NULL, "u", offsetof(Port, vlan)},
        };
        const bool veth = port->request.kind == KIND_VETH;
        const size_t queues = veth ? 0 : port->request.queues ? port->request.queues : 1;
        const char *path;
        int r = 0;

        if (!veth)
                r = read_descriptors(m, port, &port->n_queues);
        if (r >= 0 && port->request.kind == KIND_TAP)
                r = read_descriptors(m, port, &port->n_vhosts);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'o', &path);
        if (r >= 0)
                r = bus_read_fields(m, fields, ARRAY_SIZE(fields), port);
        /* The caller has room for exactly the descriptors that it asked for. */
        if (r >= 0 && (port->n_queues != queues ||
                       port->n_vhosts != (port->request.vhost > 0 ? port->n_queues : 0)))
                r = -EBADMSG;
        return r < 0 ? r : 0;
}

int bus_open_port(sd_bus *bus, Port *port, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_call_authorized(bus, build_open, &port->request, &reply, ret_refusal);
        if (r == -EINVAL) /* D-Bus strings are UTF-8 */
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "the network, the lease's name and the MAC address must be UTF-8 text");
        if (r != 0)
                return r;
        r = read_opened(reply, port);
        if (is_descriptor_limit(r))
                return refuse_limit(ret_refusal);
        if (r < 0)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "network %s: cannot read rawnetd's answer: %s; are rawnetctl and rawnetd of one "
                        "version?",
                        port->request.network, strerror(-r));
        return 0;
}

char *bus_lease_path(uint32_t lease) {
        char *path;

        return asprintf(&path, "%s/%u", RAWNET_PATH_LEASE, lease) < 0 ? NULL : path;
}

static int build_close(sd_bus *bus, const void *userdata, sd_bus_message **ret) {
        const uint32_t *lease = userdata;
        _cleanup_free_ char *path = bus_lease_path(*lease);

        if (!path)
                return -ENOMEM;
        return sd_bus_message_new_method_call(bus, ret, RAWNET_BUS_NAME, path, RAWNET_IFACE_LEASE,
                                              "Close");
}

int bus_close_lease(sd_bus *bus, uint32_t lease, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        return bus_call_authorized(bus, build_close, &lease, &reply, ret_refusal);
}
