/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl metrics: what GetMetrics() has, as OpenMetrics text.
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 *
 * It has counters and gauges only: other types are errors for node_exporter's textfile collector,
 * which reads Prometheus' older format. Both take what is printed here.
 */

#include "client/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "client/bus.h"
#include "client/client.h"

#define NO_END " What a lease counts between the last reading and its end is missing."

typedef struct Family {
        const char *sample; /* on the bus */
        const char *name;
        bool counter;
        const char *unit; /* the name's end; NULL: none */
        const char *help;
} Family;

/* The order in which they are printed. */
static const Family families[] = {
        {"leases", "rawnet_leases", false, NULL, "Leases that are open."},
        {"leases_closed", "rawnet_leases_closed", false, NULL,
         "Leases that were closed and whose program still holds them. They count against quotas."},
        {"leases_max", "rawnet_leases_max", false, NULL, "MaxLeases= of the network."},
        {"leases_opened", "rawnet_leases_opened", true, NULL, "Leases that were opened."},
        {"leases_ended", "rawnet_leases_ended", true, NULL, "Leases that ended, by reason."},
        {"refused", "rawnet_requests_refused", true, NULL,
         "Requests that were refused, by error. InteractiveAuthorizationRequired is a request before "
         "its user is asked for a password. No network: it was about none that exists."},
        {"rx_bytes", "rawnet_received_bytes", true, "bytes",
         "Bytes that guests have received." NO_END},
        {"tx_bytes", "rawnet_sent_bytes", true, "bytes", "Bytes that guests have sent." NO_END},
        {"rx_packets", "rawnet_received_frames", true, "frames",
         "Frames that guests have received." NO_END},
        {"tx_packets", "rawnet_sent_frames", true, "frames",
         "Frames that guests have sent." NO_END},
        {"guard_dropped", "rawnet_guard_dropped_frames", true, "frames",
         "Frames that the guard dropped, by reason." NO_END},
};

typedef struct Sample {
        const Family *family;
        char *labels; /* {network="lab",kind="tap"}, or "" */
        uint64_t value;
} Sample;

typedef struct Samples {
        uint64_t since; /* µs, CLOCK_REALTIME */
        Sample *samples;
        size_t n, n_allocated;
} Samples;

static void samples_done(Samples *samples) {
        for (size_t i = 0; i < samples->n; i++)
                free(samples->samples[i].labels);
        free(samples->samples);
}

static const Family *family_of(const char *sample) {
        for (size_t i = 0; i < ARRAY_SIZE(families); i++)
                if (strcmp(families[i].sample, sample) == 0)
                        return &families[i];
        return NULL;
}

static bool label_is_valid(const char *label) {
        size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyz_");

        return n > 0 && label[n] == '\0';
}

static void print_escaped(FILE *out, const char *text) {
        for (; *text; text++) {
                if (*text == '\n') {
                        fputs("\\n", out);
                        continue;
                }
                if (*text == '"' || *text == '\\')
                        fputc('\\', out);
                fputc(*text, out);
        }
}

static int read_labels(sd_bus_message *m, char **ret) {
        _cleanup_free_ char *labels = NULL;
        const char *separator = "{", *label, *value;
        size_t size = 0;
        FILE *out = open_memstream(&labels, &size);
        int r;

        if (!out)
                return -errno;
        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &label, &value)) > 0) {
                if (!label_is_valid(label))
                        continue;
                fprintf(out, "%s%s=\"", separator, label);
                print_escaped(out, value);
                fputc('"', out);
                separator = ",";
        }
        if (*separator == ',')
                fputc('}', out);
        if (fclose(out) != 0)
                return -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                *ret = TAKE_PTR(labels);
        return MIN_OF(r, 0);
}

/* A later rawnetd may have samples that this version does not know: they are left out. */
static int read_sample(sd_bus_message *m, Samples *samples) {
        _cleanup_free_ char *labels = NULL;
        const char *name;
        uint64_t value;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r >= 0)
                r = read_labels(m, &labels);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 't', &value);
        if (r < 0 || !family_of(name))
                return MIN_OF(r, 0);
        if (GROW_ARRAY(samples->samples, samples->n, samples->n_allocated) < 0)
                return -ENOMEM;
        samples->samples[samples->n++] = (Sample){
                .family = family_of(name),
                .labels = TAKE_PTR(labels),
                .value = value,
        };
        return 0;
}

static int read_samples(sd_bus_message *m, Samples *ret) {
        int r;

        r = sd_bus_message_read_basic(m, 't', &ret->since);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(sa{ss}t)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sa{ss}t")) > 0) {
                r = read_sample(m, ret);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return MIN_OF(r, 0);
}

static void print_sample(FILE *out, const Sample *sample, uint64_t since) {
        const char *name = sample->family->name;

        fprintf(out, "%s%s%s %" PRIu64 "\n", name, sample->family->counter ? "_total" : "",
                sample->labels, sample->value);
        if (sample->family->counter)
                fprintf(out, "%s_created%s %" PRIu64 ".%06" PRIu64 "\n", name, sample->labels,
                        since / 1000000, since % 1000000);
}

static void print_family(FILE *out, const Family *family, const Samples *samples) {
        fprintf(out, "# TYPE %s %s\n", family->name, family->counter ? "counter" : "gauge");
        if (family->unit)
                fprintf(out, "# UNIT %s %s\n", family->name, family->unit);
        fprintf(out, "# HELP %s %s\n", family->name, family->help);
        for (size_t i = 0; i < samples->n; i++)
                if (samples->samples[i].family == family)
                        print_sample(out, &samples->samples[i], samples->since);
}

int metrics_print(sd_bus_message *m, FILE *out) {
        _cleanup_(samples_done) Samples samples = {};
        int r;

        r = read_samples(m, &samples);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(families); i++)
                print_family(out, &families[i], &samples);
        fputs("# EOF\n", out);
        return 0;
}

int verb_metrics(int argc, char **argv) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        static const struct option none[] = {{}};
        Refusal refusal = {};
        int c, r;

        c = getopt_long(argc, argv, ":", none, NULL);
        if (c >= 0)
                return say_bad_option(c, argv);
        if (optind < argc) {
                log_error("metrics: too many arguments (see 'rawnetctl help metrics')");
                return EXIT_USAGE;
        }
        r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = bus_query(bus, RAWNET_PATH, RAWNET_IFACE_MANAGER, "GetMetrics", &reply,
                              &refusal, NULL);
        if (r == 0)
                r = metrics_print(reply, stdout);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
