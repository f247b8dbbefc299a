/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: one network. What stands in its way rawnetd is asked, whose helper judges it
 * (Check(), org.rawnet1(5)); there are no rules here. The file is read for what is shown of it, and
 * for its mistakes where there is no rawnetd to ask.
 */

#include <string.h>

#include "client/check.h"
#include "common/network-file.h"
#include "common/text.h"

/* rawnet-helper has 30 s to answer rawnetd. */
#define CHECK_USEC UINT64_C(40000000)

typedef struct Finding {
        char *severity, *what, *where, *kinds, *text, *error, *detail;
        uint32_t vlan;
} Finding;

static const BusField finding_fields[] = {
        {"severity", "severity", "s", offsetof(Finding, severity)},
        {"what", "what", "s", offsetof(Finding, what)},
        {"where", "where", "s", offsetof(Finding, where)},
        {"kinds", "kinds", "as", offsetof(Finding, kinds)},
        {"text", "text", "s", offsetof(Finding, text)},
        {"error", "error", "s", offsetof(Finding, error)},
        {"detail", "detail", "s", offsetof(Finding, detail)},
        {"vlan", "vlan", "u", offsetof(Finding, vlan)},
};

/* One network while it is checked. */
typedef struct Subject {
        const char *name; /* NAME or NAME.VID */
        Network network;
        json_object *result, *problems, *findings, *notes;
        unsigned refused; /* KIND_BIT()s that are refused until somebody acts */
        bool errors, busy;
} Subject;

/* A refusal's sentence begins with the network's name, which is shown before it anyway. */
static const char *without_name(const char *text) {
        const char *end = strstr(text, ": ");

        if (strncmp(text, "network ", 8) != 0 || !end ||
            strcspn(text + 8, " ") < (size_t)(end - text) - 8)
                return text;
        return end + 2;
}

static void add_refusal(json_object *list, const Refusal *refusal) {
        add_sentence(list, "%s", without_name(refusal->text));
}

static unsigned kinds_of(const Finding *finding) {
        unsigned kinds = 0;

        for (LeaseKind kind = KIND_TAP; kind < KIND_UNKNOWN; kind++)
                if (strstr(finding->kinds, lease_kind_to_string(kind)))
                        kinds |= KIND_BIT(kind);
        return kinds;
}

/* States of the host's interfaces that the network is on. */
static void note_fact(const Subject *subject, const Finding *finding) {
        json_object *list, *entry;

        if (strcmp(finding->what, "host") == 0 && *finding->detail) {
                json_object_object_add(subject->result, "host-interface",
                                       json_object_new_string(finding->where));
                json_object_object_add(subject->result, "host-interface-state",
                                       json_object_new_string(finding->detail));
        }
        if (strcmp(finding->what, "vlan") != 0 || strcmp(finding->severity, "fact") != 0 ||
            !json_object_object_get_ex(subject->result, "vlan-interfaces", &list))
                return;
        entry = json_object_new_object();
        if (!entry || json_object_array_add(list, entry) < 0)
                abort();
        json_object_object_add(entry, "vlan", json_object_new_int64(finding->vlan));
        json_object_object_add(entry, "name", json_object_new_string(finding->where));
        json_object_object_add(entry, "owner", json_object_new_string(finding->detail));
}

static void take_finding(Subject *subject, const Finding *finding) {
        json_object *json = json_of_fields(finding_fields, ARRAY_SIZE(finding_fields), finding);

        if (!json || json_object_array_add(subject->findings, json) < 0)
                abort();
        note_fact(subject, finding);
        if (strcmp(finding->severity, "error") == 0) {
                subject->errors = true;
                if (finding->vlan == 0)
                        subject->refused |= kinds_of(finding);
                add_sentence(subject->problems, "%s", without_name(finding->text));
        } else if (strcmp(finding->severity, "warning") == 0) {
                add_sentence(subject->problems, "%s", without_name(finding->text));
        } else if (*finding->text) {
                subject->busy = subject->busy || strcmp(finding->severity, "busy") == 0;
                add_sentence(subject->notes, "%s", finding->text);
        }
}

static int take_findings(Subject *subject, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                Finding finding = {};

                r = bus_read_fields(reply, finding_fields, ARRAY_SIZE(finding_fields), &finding);
                if (r == 0)
                        take_finding(subject, &finding);
                bus_fields_done(finding_fields, ARRAY_SIZE(finding_fields), &finding);
        }
        return MIN_OF(r, 0);
}

/* Where rawnetd cannot be asked, one sentence for all networks says so. */
static void lose_service(Check *check, const Refusal *refusal) {
        add_refusal(json_object_object_get(check->root, "problems"), refusal);
        check->bus = sd_bus_flush_close_unref(check->bus);
}

static void ask_judge(Check *check, Subject *subject) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Refusal refusal = {};
        int r;

        r = bus_query_within(check->bus, CHECK_USEC, RAWNET_PATH, RAWNET_IFACE_MANAGER, "Check",
                             &reply, &refusal, "s", subject->name);
        if (r == RAWNET_HELPER_UNAVAILABLE) {
                lose_service(check, &refusal);
                return;
        }
        if (r == 0)
                r = take_findings(subject, reply);
        if (r != 0) {
                subject->errors = true;
                subject->refused = subject->network.kinds;
        }
        if (r > 0)
                add_refusal(subject->problems, &refusal);
        if (r < 0)
                add_sentence(subject->problems, "%s", strerror(-r));
}

/* polkit's answer for the caller, now; "no" where the network refuses anyway. A range is asked
 * about by its first VLAN. */
static void ask_polkit(Check *check, Subject *subject, LeaseKind kind, json_object *answers) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Network *network = &subject->network;
        const char *answer = "no", *kind_text = lease_kind_to_string(kind);
        _cleanup_free_ char *full = NULL;
        Refusal refusal = {};
        int r = 0;

        if (network->vlan_first != network->vlan_last && !strchr(subject->name, '.') &&
            asprintf(&full, "%s.%u", subject->name, network->vlan_first) < 0)
                abort();
        if (!(subject->refused & KIND_BIT(kind)))
                r = bus_query_within(check->bus, CHECK_USEC, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                     "CanOpen", &reply, &refusal, "ss", full ? full : subject->name,
                                     kind_text);
        if (r == RAWNET_HELPER_UNAVAILABLE) {
                lose_service(check, &refusal);
                return;
        }
        if (r == 0 && reply)
                r = sd_bus_message_read_basic(reply, 's', &answer);
        if (r > 0 && refusal.error != RAWNET_OK)
                add_sentence(subject->problems, "%s: %s", kind_text, without_name(refusal.text));
        else if (r < 0)
                add_sentence(subject->problems, "%s: %s", kind_text, strerror(-r));
        else
                json_object_object_add(answers, kind_text, json_object_new_string(answer));
}

static void ask_service(Check *check, Subject *subject) {
        json_object *answers = json_object_new_object();
        const NetworkObject *object;

        if (!answers || json_object_object_add(subject->result, "can-open", answers) < 0)
                abort();
        object = check_wait_object(check, subject->network.name);
        if (check->bus && !object)
                add_sentence(subject->problems,
                             "rawnetd has not loaded this file; see: journalctl -u rawnetd");
        for (LeaseKind kind = KIND_TAP; check->bus && kind < KIND_UNKNOWN; kind++)
                if (subject->network.kinds & KIND_BIT(kind))
                        ask_polkit(check, subject, kind, answers);
}

static void show_file(const Subject *subject, uint16_t vlan) {
        const Network *network = &subject->network;
        json_object *result = subject->result, *vlans = add_list(result, "vlans");

        json_object_object_add(result, "path", json_object_new_string(network->path));
        json_object_object_add(result, "parent", json_object_new_string(network->parent));
        json_object_array_add(vlans, json_object_new_int64(vlan ? vlan : network->vlan_first));
        json_object_array_add(vlans, json_object_new_int64(vlan ? vlan : network->vlan_last));
        if (network->vlan_first > 0)
                (void)add_list(result, "vlan-interfaces");
}

/* Reads the file. 0, a refusal or -errno, which is shown, except a mistake in the file that rawnetd
 * can report. */
static int read_file(const Check *check, Subject *subject) {
        Network *network = &subject->network;
        Refusal refusal = {};
        NetworkName name;
        uint16_t vlan;
        int r;

        r = network_name_parse(subject->name, &name, &refusal);
        if (r == 0)
                r = network_file_load_wait(name.name, network, &refusal);
        if (r == 0 && name.vlan > 0)
                r = network_pick_vlan(network, &name, &vlan, &refusal);
        if (r == 0) {
                show_file(subject, name.vlan);
                return 0;
        }
        subject->errors = true;
        if (r < 0)
                add_sentence(subject->problems, "%s", strerror(-r));
        else if (r != RAWNET_BAD_NETWORK_FILE || !check->bus)
                add_refusal(subject->problems, &refusal);
        return r;
}

static const char *state_of(const Check *check, const Subject *subject) {
        /* Does the network serve one kind of ports, or some VLANs of a range? */
        if (subject->errors)
                return subject->network.kinds & ~subject->refused ? "partial" : "error";
        if (!check->bus)
                return "unknown";
        if (json_object_array_length(subject->problems) > 0)
                return "warning";
        return subject->busy ? "busy" : "ok";
}

void check_network(Check *check, json_object *networks, const char *name) {
        Subject subject = {.name = name, .result = json_object_new_object()};
        int r;

        if (!subject.result || json_object_array_add(networks, subject.result) < 0)
                abort();
        json_object_object_add(subject.result, "name", json_object_new_string(name));
        subject.problems = add_list(subject.result, "problems");
        subject.findings = add_list(subject.result, "findings");
        subject.notes = json_object_object_get(check->root, "notes");
        r = read_file(check, &subject);
        if (check->bus && (r == 0 || r == RAWNET_BAD_NETWORK_FILE))
                ask_judge(check, &subject);
        if (check->bus && r == 0)
                ask_service(check, &subject);
        json_object_object_add(subject.result, "state",
                               json_object_new_string(state_of(check, &subject)));
}
