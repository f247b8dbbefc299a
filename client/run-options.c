/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The command line of `rawnetctl run`. Its errors are its own failures, 125: CMD's status may be 1
 * or 2.
 */

#include "client/run-options.h"

#include <string.h>
#include <strings.h>

#include "client/client.h"
#include "client/parse.h"
#include "client/run-tap.h"
#include "common/argument.h"

static const struct option run_long_options[] = {
        {"kind", required_argument, NULL, RUN_OPTION_KIND},
        {"mac", required_argument, NULL, RUN_OPTION_MAC},
        {"name", required_argument, NULL, RUN_OPTION_NAME},
        {"address", required_argument, NULL, RUN_OPTION_ADDRESS},
        {"rate", required_argument, NULL, RUN_OPTION_RATE},
        {"queues", required_argument, NULL, RUN_OPTION_QUEUES},
        {"vhost", optional_argument, NULL, RUN_OPTION_VHOST},
        {"vnet-hdr", required_argument, NULL, RUN_OPTION_VNET_HDR},
        {"port", required_argument, NULL, RUN_OPTION_PORT},
        {"interface", required_argument, NULL, RUN_OPTION_INTERFACE},
        {"tap", required_argument, NULL, RUN_OPTION_TAP},
        {"dhcp", no_argument, NULL, RUN_OPTION_DHCP},
        {},
};

/* What r says of a value; prints the refusal. */
static bool is_accepted(int r, const Refusal *refusal) {
        if (r != 0)
                log_error("%s", refusal->text);
        return r == 0;
}

static bool take_interface(const char *option, const char *value, const char **ret) {
        Refusal refusal;

        *ret = value;
        return is_accepted(interface_name_check(value, "option", option, &refusal), &refusal);
}

bool run_option_address(PortRequest *request, const char *value) {
        Refusal refusal;

        return is_accepted(
                port_request_add_address(request, value, "option", "--address", &refusal),
                &refusal);
}

bool run_option_rate(PortRequest *request, const char *value) {
        Refusal refusal;

        return is_accepted(port_request_set_rate(request, value, "option", "--rate", &refusal),
                           &refusal);
}

bool run_option_set(PortRequest *request, int option, const char *value) {
        bool flag = true;

        switch (option) {
        case RUN_OPTION_KIND:
                if (lease_kind_from_string(value, &request->kind) >= 0)
                        return true;
                log_error("--kind is tap, packet or veth, not '%s'", value);
                return false;
        case RUN_OPTION_MAC:
                request->mac = value;
                return true;
        case RUN_OPTION_NAME:
                request->name = value;
                if (*value && strlen(value) <= RAWNET_LEASE_NAME_MAX)
                        return true;
                log_error("--name has 1 to %u characters, not %zu", RAWNET_LEASE_NAME_MAX,
                          strlen(value));
                return false;
        case RUN_OPTION_ADDRESS:
                return run_option_address(request, value);
        case RUN_OPTION_RATE:
                return run_option_rate(request, value);
        case RUN_OPTION_INTERFACE:
                return take_interface("--interface", value, &request->interface);
        case RUN_OPTION_QUEUES:
                return argument_number("--queues", value, 1, RAWNET_QUEUES_MAX, &request->queues) ==
                       0;
        default:
                if (value && parse_bool(value, &flag) < 0) {
                        log_error("--%s is yes or no, not '%s'",
                                  option == RUN_OPTION_VHOST ? "vhost" : "vnet-hdr", value);
                        return false;
                }
                *(option == RUN_OPTION_VHOST ? &request->vhost : &request->vnet_hdr) = flag;
                return true;
        }
}

/* In the environment "a-b" and "A_b" would be one. */
static bool same_variable(const char *a, const char *b) {
        for (; *a && *b; a++, b++) {
                char ca = *a == '-' ? '_' : *a, cb = *b == '-' ? '_' : *b;

                if (strncasecmp(&ca, &cb, 1) != 0)
                        return false;
        }
        return *a == *b;
}

/* Options that exclude each other, refused as the service would, in the words of the command line.
 */
static bool options_agree(const PortRequest *request) {
        const bool veth = request->kind == KIND_VETH;
        const char *option = NULL, *kinds = "tap";

        if (request->kind != KIND_TAP && request->vhost > 0)
                option = "--vhost";
        else if (request->kind != KIND_TAP && request->mac && strcmp(request->mac, "learn") == 0)
                option = "--mac learn";
        else if (request->kind == KIND_TAP && request->vnet_hdr == 0) {
                option = "--vnet-hdr=no";
                kinds = "packet";
        } else if (veth && (request->vnet_hdr >= 0 || request->queues > 0)) {
                option = request->queues > 0 ? "--queues" : "--vnet-hdr";
                kinds = "tap and --kind packet";
        } else if (!veth && request->interface) {
                option = "--interface";
                kinds = "veth";
        }
        if (option)
                log_error("%s works with --kind %s only", option, kinds);
        return !option;
}

/* Takes NAME=NETWORK apart in place. */
static bool add_port(RunOptions *options, const PortRequest *request, char *text) {
        PortRequest with_network = *request;
        char *equals = strchr(text, '='), *name;

        if (!equals || !equals[1]) {
                log_error("--port is NAME=NETWORK, not '%s'", text);
                return false;
        }
        if (!options_agree(request))
                return false;
        *equals = '\0';
        with_network.network = equals + 1;
        if (!port_name_valid(text)) {
                log_error("--port's name is 1 to 32 letters, digits, - and _, not '%s'", text);
                return false;
        }
        for (size_t i = 0; i < options->n_ports; i++)
                if (same_variable(options->ports[i].name, text)) {
                        if (strcmp(options->ports[i].name, text) == 0)
                                log_error(
                                        "--port %s is given twice; choose another name for one of them",
                                        text);
                        else
                                log_error(
                                        "--port %s and --port %s would have the same variables in the environment; "
                                        "choose another name for one of them",
                                        options->ports[i].name, text);
                        return false;
                }
        if (options->n_ports >= RUN_PORTS_MAX) {
                log_error("more than %u ports", RUN_PORTS_MAX);
                return false;
        }
        name = strdup(text);
        if (!name) {
                log_error("out of memory");
                return false;
        }
        port_init(&options->ports[options->n_ports++], name, &with_network);
        return true;
}

/* What is left after the options: [NETWORK] [--] CMD ARG… */
static bool take_command(RunOptions *options, PortRequest *request, char **rest,
                         bool after_dashes) {
        if (options->n_ports == 0) {
                if (!*rest || (after_dashes && !(rest[1] && strcmp(rest[1], "--") == 0))) {
                        log_error("run: which network? (rawnetctl run NETWORK -- CMD ARG...)");
                        return false;
                }
                if (!options_agree(request))
                        return false;
                request->network = *rest++;
                port_init(&options->ports[options->n_ports++], NULL, request);
        }
        if (*rest && strcmp(*rest, "--") == 0)
                rest++;
        else if (*rest && **rest == '-') {
                log_error(
                        "run: %s comes after the network: write options before the network, and -- "
                        "before the command",
                        *rest);
                return false;
        }
        if (!*rest) {
                log_error("run: which command? (rawnetctl run NETWORK -- CMD ARG...)");
                return false;
        }
        options->command = rest;
        return true;
}

bool run_options_veth(const RunOptions *options) {
        for (size_t i = 0; i < options->n_ports; i++)
                if (options->ports[i].request.kind == KIND_VETH)
                        return true;
        return false;
}

/* Each interface of kind veth has a name, and no other has the same. */
static bool name_interfaces(RunOptions *options) {
        unsigned n = 0;

        for (size_t i = 0; i < options->n_ports; i++) {
                PortRequest *request = &options->ports[i].request;

                if (request->kind != KIND_VETH)
                        continue;
                if (!request->interface) {
                        (void)snprintf(options->interfaces[i], IFNAMSIZ, "eth%u", n);
                        request->interface = options->interfaces[i];
                }
                n++;
                for (size_t k = 0; k < i; k++) {
                        const char *other = options->ports[k].request.interface;

                        if (!other || strcmp(other, request->interface) != 0)
                                continue;
                        log_error("two ports would both be interface %s: give each an --interface "
                                  "before its --port",
                                  other);
                        return false;
                }
        }
        return true;
}

/* --tap and --dhcp are about the one interface that CMD has. */
static bool namespace_options_agree(const RunOptions *options) {
        const Port *port = &options->ports[0];
        const char *option = options->tap ? "--tap" : options->dhcp ? "--dhcp" : NULL;

        if (!option)
                return true;
        if (port->request.kind != KIND_VETH || port->name) {
                log_error(port->name ? "%s works with one network, without --port"
                                     : "%s works with --kind veth only",
                          option);
                return false;
        }
        if (options->tap && options->dhcp) {
                log_error("--dhcp gives the command an address, --tap leaves that to the guest: "
                          "choose one of them");
                return false;
        }
        if (options->tap && (strcmp(options->tap, port->request.interface) == 0 ||
                             strcmp(options->tap, RUN_TAP_BRIDGE) == 0 ||
                             strcmp(port->request.interface, RUN_TAP_BRIDGE) == 0)) {
                log_error("--tap %s: the tap, interface %s and the bridge between them, %s, need "
                          "three names",
                          options->tap, port->request.interface, RUN_TAP_BRIDGE);
                return false;
        }
        return true;
}

static bool set_option(RunOptions *options, PortRequest *request, int option, const char *value) {
        if (option == RUN_OPTION_TAP)
                return take_interface("--tap", value, &options->tap);
        if (option == RUN_OPTION_DHCP) {
                options->dhcp = true;
                return true;
        }
        return run_option_set(request, option, value);
}

int run_options_parse(int argc, char **argv, RunOptions *ret) {
        PortRequest request = PORT_REQUEST_INIT;
        const char *pending = NULL; /* an option with no port behind it yet */
        int c, i;

        *ret = (RunOptions){};
        while ((c = getopt_long(argc, argv, "+:", run_long_options, &i)) >= 0) {
                if (c == '?' || c == ':') {
                        say_bad_option(c, argv);
                        return EXIT_OWN_FAILURE;
                }
                if (c == RUN_OPTION_PORT) {
                        if (!add_port(ret, &request, optarg))
                                return EXIT_OWN_FAILURE;
                        pending = NULL;
                        continue;
                }
                if (!set_option(ret, &request, c, optarg))
                        return EXIT_OWN_FAILURE;
                pending = run_long_options[i].name;
        }
        if (pending && ret->n_ports > 0) {
                log_error("run: --%s comes after the last --port and would apply to none: write it "
                          "before its --port",
                          pending);
                return EXIT_OWN_FAILURE;
        }
        if (!take_command(ret, &request, argv + optind, strcmp(argv[optind - 1], "--") == 0) ||
            !name_interfaces(ret) || !namespace_options_agree(ret))
                return EXIT_OWN_FAILURE;
        return 0;
}

void run_options_done(RunOptions *options) {
        for (size_t i = 0; i < options->n_ports; i++)
                port_done(&options->ports[i]);
        *options = (RunOptions){};
}
