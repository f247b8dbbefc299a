/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * netavark-rawnet: podman's network driver `rawnet`. podman runs it for `podman network create -d
 * rawnet`, and netavark for each container that starts on such a network, or stops
 * (netavark-rawnet(7), netavark's plugin-API.md). JSON comes on standard input and goes to standard
 * output, an error as well: {"error": SENTENCE}, which podman shows.
 *
 * It has no privilege. In podman's user namespace it is root, and so it may set addresses in a
 * container's network namespace; the interface it gets from rawnetd, as any other client. What
 * setup has made, teardown removes without rawnetd and without the bus, because the lease ends with
 * the container's interface.
 */

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/netavark/attach.h"
#include "client/netavark/dhcp-hook.h"
#include "client/netavark/dhcp-supervisor.h"
#include "client/netavark/dhcp.h"
#include "client/netavark/json.h"
#include "client/netavark/request.h"
#include "client/netavark/route.h"
#include "client/netavark/status.h"
#include "client/netavark/system-bus.h"
#include "common/argument.h"
#include "common/log.h"
#include "common/streams.h"

#define PROGRAM "netavark-rawnet"
#define API_VERSION "1.0.0" /* netavark's plugin-API.md */
#define INPUT_MAX (4u << 20)

typedef struct Task {
        json_object *input;
        const char *path; /* of the container's network namespace; NULL for create */
} Task;

static const char help_text[] =
        "rawnet info | create | setup PATH | teardown PATH\n"
        "rawnet --version | --help\n"
        "\n"
        "The driver of `podman network create -d rawnet --opt network=NETWORK`. podman\n"
        "and netavark run it; see netavark-rawnet(7).\n";

static int print(json_object *object) {
        if (puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN)) < 0 ||
            fflush(stdout) != 0)
                return -EIO;
        return 0;
}

static void print_error(const char *text) {
        _cleanup_json_ json_object *object = json_object_new_object();

        if (object && json_set(object, "error", json_object_new_string(text)) == 0)
                print(object);
}

static int read_input(json_object **ret, Refusal *ret_refusal) {
        _cleanup_free_ char *text = malloc(INPUT_MAX);
        size_t size;

        if (!text)
                return -ENOMEM;
        size = fread(text, 1, INPUT_MAX, stdin);
        if (ferror(stdin))
                return -EIO;
        *ret = size < INPUT_MAX ? json_read(text, size) : NULL;
        if (!*ret)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "standard input is not the JSON that podman passes to a network "
                              "driver");
        return 0;
}

static int run_info(Task *task _unused_, Refusal *ret_refusal _unused_) {
        _cleanup_json_ json_object *object = json_object_new_object();

        if (!object || json_set(object, "version", json_object_new_string(RAWNET_VERSION)) < 0 ||
            json_set(object, "api_version", json_object_new_string(API_VERSION)) < 0)
                return -ENOMEM;
        return print(object);
}

static int run_create(Task *task, Refusal *ret_refusal) {
        NetavarkNetwork network = {};
        const char *client;
        int r;

        r = netavark_read_network(task->input, &network, ret_refusal);
        if (r == 0 && network.ipam == NETAVARK_IPAM_DHCP)
                r = dhcp_supervisor_check(network.name, &client, ret_refusal);
        if (r == 0)
                r = system_bus_find();
        if (r == 0)
                r = attach_check(&network, ret_refusal);
        if (r == 0)
                r = netavark_complete_network(task->input, &network);
        return r == 0 ? print(task->input) : r;
}

/* What the container has by the network's own configuration. */
static int configure(unsigned index, const NetavarkContainer *container, NetavarkStatus *status,
                     Refusal *ret_refusal) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < container->n_addresses; i++) {
                const NetavarkAddress *address = &container->addresses[i];

                r = route_add_address(index, &address->ip, ret_refusal);
                if (r == 0 && address->gateway.family != 0 && !container->network.no_default_route)
                        r = route_add(index, NULL, &address->gateway, container->network.metric,
                                      ret_refusal);
                status->addresses[status->n_addresses++] = *address;
        }
        for (size_t i = 0; r == 0 && i < container->n_routes; i++)
                r = route_add(index, &container->routes[i].destination,
                              &container->routes[i].gateway, container->routes[i].metric,
                              ret_refusal);
        return r;
}

/* In the container's namespace. */
static int set_up_interface(const Task *task, const NetavarkContainer *container,
                            NetavarkStatus *status, Refusal *ret_refusal) {
        unsigned index = if_nametoindex(container->interface);
        int r;

        if (index == 0)
                return refuse_errno(ret_refusal, errno, "podman network %s: interface %s",
                                    container->network.name, container->interface);
        r = route_raise_interface(index, ret_refusal);
        if (r == 0 && container->network.ipam == NETAVARK_IPAM_DHCP)
                r = dhcp_start(container, task->path, status, ret_refusal);
        if (r == 0)
                r = configure(index, container, status, ret_refusal);
        return r;
}

/* In the container's namespace. */
static int remove_interface(const Task *task, const char *interface, Refusal *ret_refusal) {
        unsigned index;

        dhcp_stop(interface, task->path);
        index = if_nametoindex(interface);
        return index == 0 ? 0 : route_delete_interface(index, ret_refusal);
}

/* Enters the container's network namespace. *ret is another descriptor of it: rawnetd takes the
 * kernel's own file (/proc/PID/ns/net), and podman has bound that to a path. -ENOENT: it is gone;
 * podman leaves an empty file there for a moment, and O_NONBLOCK is for a FIFO. */
static int enter(const Task *task, const NetavarkContainer *container, int *ret,
                 Refusal *ret_refusal) {
        _cleanup_close_ int bound = open(task->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        int fd;

        if (bound < 0 ? errno == ENOENT : ioctl(bound, NS_GET_NSTYPE) < 0)
                return -ENOENT;
        fd = bound >= 0 && setns(bound, CLONE_NEWNET) == 0
                     ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
                     : -1;
        if (fd < 0)
                return refuse_errno(ret_refusal, errno,
                                    "podman network %s: cannot enter the container's network "
                                    "namespace %s",
                                    container->network.name, task->path);
        *ret = fd;
        return 0;
}

static int print_status(const NetavarkStatus *status, const NetavarkContainer *container,
                        const Attached *attached) {
        _cleanup_json_ json_object *answer =
                netavark_status_json(status, container->interface, attached->mac);

        return answer ? print(answer) : -ENOMEM;
}

static int run_setup(Task *task, Refusal *ret_refusal) {
        _cleanup_(netavark_status_done) NetavarkStatus status = {};
        _cleanup_(attached_done) Attached attached = {};
        _cleanup_close_ int namespace = -1;
        NetavarkContainer container;
        int r;

        r = netavark_read_container(task->input, &container, ret_refusal);
        if (r == 0)
                r = system_bus_find();
        if (r == 0)
                r = enter(task, &container, &namespace, ret_refusal);
        if (r == -ENOENT)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "podman network %s: the container has no network namespace at %s; has "
                        "it ended meanwhile?",
                        container.network.name, task->path);
        if (r == 0)
                r = attach_interface(&container, namespace, &attached, ret_refusal);
        if (r != 0)
                return r;
        r = set_up_interface(task, &container, &status, ret_refusal);
        if (r == 0)
                r = print_status(&status, &container, &attached);
        /* podman may never call teardown for what it believes has failed. */
        if (r != 0)
                remove_interface(task, container.interface, NULL);
        return r;
}

/* A container whose namespace is gone has nothing left but perhaps its DHCP client. */
static int run_teardown(Task *task, Refusal *ret_refusal) {
        _cleanup_close_ int namespace = -1;
        NetavarkContainer container;
        int r;

        r = netavark_read_place(task->input, &container, ret_refusal);
        if (r != 0)
                return r;
        r = enter(task, &container, &namespace, ret_refusal);
        if (r == 0)
                return remove_interface(task, container.interface, ret_refusal);
        dhcp_stop(container.interface, task->path);
        return r == -ENOENT ? 0 : r;
}

static const struct {
        const char *name;
        int n_arguments; /* behind the name */
        bool has_input;
        int (*run)(Task *task, Refusal *ret_refusal);
} verbs[] = {
        {"info", 0, false, run_info},
        {"create", 0, true, run_create},
        {"setup", 1, true, run_setup},
        {"teardown", 1, true, run_teardown},
};

static int run_verb(size_t i, const char *path) {
        _cleanup_json_ json_object *input = NULL;
        Task task = {.path = path};
        Refusal refusal = {};
        int r = 0;

        if (verbs[i].has_input) {
                r = read_input(&input, &refusal);
                task.input = input;
        }
        if (r == 0)
                r = verbs[i].run(&task, &refusal);
        if (r < 0)
                refuse_errno(&refusal, r, "podman's network driver rawnet cannot finish %s",
                             verbs[i].name);
        if (r != 0)
                print_error(refusal.text);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
        const char *word = argc > 1 ? argv[1] : "";

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open(PROGRAM);
        /* If nobody reads the answer, setup has something to undo. */
        signal(SIGPIPE, SIG_IGN);
        if (dhcp_hook_is_event(word))
                return dhcp_hook(word);
        if (strcmp(word, DHCP_VERB_SUPERVISE) == 0)
                return dhcp_supervise(argc, argv);
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (strcmp(word, verbs[i].name) == 0 && argc == 2 + verbs[i].n_arguments)
                        return run_verb(i, argc > 2 ? argv[2] : NULL);
        if (argc == 2 && strcmp(word, "--version") == 0) {
                puts(PROGRAM " " RAWNET_VERSION);
                return EXIT_SUCCESS;
        }
        if (argc == 2 && strcmp(word, "--help") == 0) {
                fputs(help_text, stdout);
                return EXIT_SUCCESS;
        }
        fputs(help_text, stderr);
        return EXIT_USAGE;
}
