/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl attach: an interface on a network for a container that runs. rawnetd gets a descriptor
 * of the container's network namespace. Afterwards a child enters that namespace, which belongs to
 * the user, and raises the interface there: rawnet itself can not.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "client/bus.h"
#include "client/client.h"
#include "client/interface.h"
#include "common/fork-pair.h"
#include "common/text.h"

#define DEFAULT_PREFIX "eth"
#define DEFAULT_TRIES 64u

typedef struct AttachOptions {
        uint32_t pid;
        PortRequest request;
} AttachOptions;

static int refuse_pid(uint32_t pid, int errnum, Refusal *ret_refusal) {
        switch (errnum) {
        case ENOENT:
        case ESRCH:
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "there is no process %" PRIu32
                              "; give one that runs in the container",
                              pid);
        case EACCES:
        case EPERM:
                return refuse(ret_refusal, RAWNET_ACCESS_DENIED,
                              "you may not look into process %" PRIu32
                              ": it is another user's, or has privileges that you have not; give a "
                              "process of your own container",
                              pid);
        default:
                return refuse_errno(ret_refusal, errnum,
                                    "opening the network namespace of process %" PRIu32, pid);
        }
}

static int open_namespace(uint32_t pid, int *ret, Refusal *ret_refusal) {
        char path[48];
        int fd;

        snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/net", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return refuse_pid(pid, errno, ret_refusal);
        *ret = fd;
        return 0;
}

/* --- in the container --- */

/* Its user namespace first: who created that one has every capability in it (user_namespaces(7)).
 */
static int enter(int namespace_fd) {
        _cleanup_close_ int user_fd = ioctl(namespace_fd, NS_GET_USERNS);

        if (user_fd < 0 || setns(user_fd, CLONE_NEWUSER) < 0 ||
            setns(namespace_fd, CLONE_NEWNET) < 0)
                return -errno;
        return 0;
}

static int raise_here(const char *name) {
        Refusal refusal;

        return interface_raise(name, &refusal) == 0 ? 0 : -refusal.kernel_errno;
}

/* The first of eth0, eth1 … that nothing here is called. -EEXIST: there is none. */
static int first_free(char ret[static IFNAMSIZ]) {
        for (unsigned i = 0; i < DEFAULT_TRIES; i++) {
                snprintf(ret, IFNAMSIZ, DEFAULT_PREFIX "%u", i);
                if (if_nametoindex(ret) == 0)
                        return errno == ENODEV ? 0 : -errno;
        }
        return -EEXIST;
}

typedef enum Task {
        TASK_NAME,
        TASK_RAISE
} Task;

typedef struct Answer {
        int result; /* 0 or -errno */
        char name[IFNAMSIZ];
} Answer;

_Noreturn static void do_task(Task task, int namespace_fd, const char *name, int answer_fd) {
        Answer answer = {};

        answer.result = enter(namespace_fd);
        if (answer.result == 0)
                answer.result = task == TASK_NAME ? first_free(answer.name) : raise_here(name);
        _exit(write(answer_fd, &answer, sizeof(answer)) == sizeof(answer) ? EXIT_SUCCESS
                                                                          : EXIT_FAILURE);
}

/* A child does it: rawnetctl itself stays where the bus and the terminal's agent know it. 0 or
 * -errno. */
static int in_container(Task task, int namespace_fd, const char *name, Answer *ret) {
        _cleanup_close_ int fd = -1;
        pid_t pid = fork_with_pipe(&fd);
        ssize_t n;

        if (pid < 0)
                return pid;
        if (pid == 0)
                do_task(task, namespace_fd, name, fd);
        n = read(fd, ret, sizeof(*ret));
        (void)waitpid(pid, NULL, 0);
        return n == sizeof(*ret) ? ret->result : -EIO;
}

/* --- the command --- */

/* What cannot be looked up is left to rawnetd, which says why the namespace is none that this user
 * may attach to. */
static void choose_name(int namespace_fd, char ret[static IFNAMSIZ]) {
        Answer answer;

        if (in_container(TASK_NAME, namespace_fd, NULL, &answer) == 0)
                memcpy(ret, answer.name, IFNAMSIZ);
        else
                snprintf(ret, IFNAMSIZ, DEFAULT_PREFIX "0");
}

static int attach(AttachOptions *options, Port *port, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int namespace_fd = -1;
        char chosen[IFNAMSIZ];
        Answer answer;
        int r;

        r = open_namespace(options->pid, &namespace_fd, ret_refusal);
        if (r != 0)
                return r;
        if (!options->request.interface) {
                choose_name(namespace_fd, chosen);
                options->request.interface = chosen;
        }
        options->request.namespace = namespace_fd;
        port_init(port, NULL, &options->request);
        r = bus_connect(&bus, ret_refusal);
        if (r == 0)
                r = bus_open_port(bus, port, ret_refusal);
        if (r != 0)
                return r;
        printf("%s: interface %s of process %" PRIu32 " on %s, MAC %s, MTU %" PRIu32 "\n",
               port->interface, port->request.interface, options->pid, port->request.network,
               port->mac, port->mtu);
        r = in_container(TASK_RAISE, namespace_fd, port->request.interface, &answer);
        if (r < 0)
                log_warning("interface %s is down, because it could not be raised: %s; raise it in "
                            "the container (ip link set %s up)",
                            port->request.interface, strerror(-r), port->request.interface);
        /* Neither chosen nor the descriptor outlives this function. */
        port->request.interface = NULL;
        port->request.namespace = -1;
        return 0;
}

enum {
        ATTACH_PID = 256,
        ATTACH_INTERFACE,
        ATTACH_MAC,
        ATTACH_NAME
};

static int parse_pid(const char *text, uint32_t *ret) {
        if (text_parse_u32(text, 1, INT32_MAX, ret) == 0)
                return 0;
        log_error("attach: --pid is the number of a process, not '%s'", text);
        return EXIT_USAGE;
}

/* 0 or the exit status. */
static int parse(int argc, char **argv, AttachOptions *ret) {
        static const struct option long_options[] = {
                {"pid", required_argument, NULL, ATTACH_PID},
                {"interface", required_argument, NULL, ATTACH_INTERFACE},
                {"mac", required_argument, NULL, ATTACH_MAC},
                {"name", required_argument, NULL, ATTACH_NAME},
                {}};
        AttachOptions options = {.request = PORT_REQUEST_INIT};
        int c, r = 0;

        options.request.kind = KIND_VETH;
        while (r == 0 && (c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
                switch (c) {
                case ATTACH_PID:
                        r = parse_pid(optarg, &options.pid);
                        break;
                case ATTACH_INTERFACE:
                        options.request.interface = optarg;
                        break;
                case ATTACH_MAC:
                        options.request.mac = optarg;
                        break;
                case ATTACH_NAME:
                        options.request.name = optarg;
                        break;
                default:
                        return say_bad_option(c, argv);
                }
        }
        if (r != 0)
                return r;
        if (options.pid == 0 || argc - optind != 1) {
                log_error("attach: %s (rawnetctl attach --pid PID NETWORK)",
                          options.pid == 0 ? "--pid is missing"
                          : optind == argc ? "which network?"
                                           : "too many arguments");
                return EXIT_USAGE;
        }
        options.request.network = argv[optind];
        *ret = options;
        return 0;
}

int verb_attach(int argc, char **argv) {
        _cleanup_(port_done) Port port;
        AttachOptions options;
        Refusal refusal = {};
        int r;

        port_init(&port, NULL, &PORT_REQUEST_INIT);
        r = parse(argc, argv, &options);
        if (r != 0)
                return r;
        r = attach(&options, &port, &refusal);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
