/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/offload.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Linux 7.1 has 66 features (linux/netdev_features.h); their words come 32 at a time. */
#define FEATURES_MAX 256u
#define WORDS_MAX (FEATURES_MAX / 32u)

typedef struct Features {
        uint32_t n; /* features that the kernel names; bits 0 … n - 1 */
        char names[FEATURES_MAX][ETH_GSTRING_LEN];
        struct ethtool_get_features_block words[WORDS_MAX];
} Features;

/* ioctl(2) with a command's structure; returns what the driver returned, or -errno. */
static int command(int fd, const char *link, void *data) {
        struct ifreq request = {.ifr_data = data};
        int r;

        memcpy(request.ifr_name, link, strnlen(link, IFNAMSIZ - 1));
        r = ioctl(fd, SIOCETHTOOL, &request);
        return r < 0 ? -errno : r;
}

static int open_control(void) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd < 0 ? -errno : fd;
}

int offload_off(const char *link, Refusal *ret_refusal) {
        static const uint32_t commands[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO};
        _cleanup_close_ int fd = open_control();

        if (fd < 0)
                return fd;
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                struct ethtool_value value = {.cmd = commands[i], .data = 0};
                int r = command(fd, link, &value);

                if (r < 0)
                        return refuse_errno(ret_refusal, -r, "turning offloads of %s off", link);
        }
        return 0;
}

/* How many names the kernel has for features, and the names: linux/ethtool.h, ETH_SS_FEATURES. */
static int read_names(int fd, const char *link, Features *features) {
        union {
                struct ethtool_sset_info info;
                char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
        } size = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1u << ETH_SS_FEATURES}};
        _cleanup_free_ struct ethtool_gstrings *strings = NULL;
        int r;

        r = command(fd, link, &size);
        if (r < 0)
                return r;
        memcpy(&features->n, size.info.data, sizeof(features->n));
        if (features->n == 0 || features->n > FEATURES_MAX)
                return -EPROTO;
        strings = calloc(1, sizeof(*strings) + sizeof(features->names));
        if (!strings)
                return -ENOMEM;
        strings->cmd = ETHTOOL_GSTRINGS;
        strings->string_set = ETH_SS_FEATURES;
        strings->len = features->n;
        r = command(fd, link, strings);
        if (r < 0)
                return r;
        memcpy(features->names, strings->data, features->n * ETH_GSTRING_LEN);
        return 0;
}

static int read_states(int fd, const char *link, Features *features) {
        const size_t words = (features->n + 31) / 32;
        union {
                struct ethtool_gfeatures header;
                char room[sizeof(struct ethtool_gfeatures) +
                          WORDS_MAX * sizeof(struct ethtool_get_features_block)];
        } state = {.header = {.cmd = ETHTOOL_GFEATURES, .size = (uint32_t)words}};
        int r;

        r = command(fd, link, &state);
        if (r < 0)
                return r;
        memcpy(features->words, state.header.features, words * sizeof(features->words[0]));
        return 0;
}

static bool name_is(const char *name, const char *wanted) {
        return strncmp(name, wanted, ETH_GSTRING_LEN) == 0;
}

static bool name_ends(const char *name, const char *end) {
        size_t length = strnlen(name, ETH_GSTRING_LEN), size = strlen(end);

        return length >= size && memcmp(name + length - size, end, size) == 0;
}

/* A segmentation that is not known here is not describable, so that of a later kernel is turned
 * off. Mangled IPv4 identifications belong to TCP, and the guest does not notice them. */
static bool is_describable(const char *name, bool udp) {
        static const char *const tcp[] = {"tx-tcp-segmentation", "tx-tcp6-segmentation",
                                          "tx-tcp-ecn-segmentation",
                                          "tx-tcp-mangleid-segmentation"};

        if (name_is(name, "tx-udp-segmentation"))
                return udp;
        for (size_t i = 0; i < ARRAY_SIZE(tcp); i++)
                if (name_is(name, tcp[i]))
                        return true;
        return !name_ends(name, "-segmentation") && !name_is(name, "tx-checksum-sctp") &&
               !name_is(name, "tx-checksum-fcoe-crc") && !name_is(name, "tx-gso-list");
}

/* In change: what is to be turned off or, for UDP's segmentation, back on. Returns the first
 * feature that is on and must not be, or NULL. */
static const char *plan_change(const Features *features, bool udp,
                               struct ethtool_set_features_block *change) {
        const char *stuck = NULL;

        for (uint32_t i = 0; i < features->n; i++) {
                const struct ethtool_get_features_block *word = &features->words[i / 32];
                const char *name = features->names[i];
                const uint32_t bit = 1u << i % 32;
                const bool good = is_describable(name, udp);

                if (good && !(udp && name_is(name, "tx-udp-segmentation")))
                        continue;
                if (!good && (word->active & bit) && !stuck)
                        stuck = name;
                if (!(word->available & bit) || (word->never_changed & bit))
                        continue;
                change[i / 32].valid |= bit;
                change[i / 32].requested |= good ? bit : 0;
        }
        return stuck;
}

int offload_describable(const char *link, bool udp, Refusal *ret_refusal) {
        union {
                struct ethtool_sfeatures header;
                char room[sizeof(struct ethtool_sfeatures) +
                          WORDS_MAX * sizeof(struct ethtool_set_features_block)];
        } set;
        _cleanup_close_ int fd = open_control();
        Features features = {};
        const char *stuck;
        int r;

        if (fd < 0)
                return fd;
        memset(&set, 0, sizeof(set));
        set.header.cmd = ETHTOOL_SFEATURES;
        r = read_names(fd, link, &features);
        if (r >= 0)
                r = read_states(fd, link, &features);
        if (r >= 0) {
                set.header.size = (features.n + 31) / 32;
                (void)plan_change(&features, udp, set.header.features);
                r = command(fd, link, &set);
        }
        /* Where the kernel did not do all, its answer is a flag and no error (linux/ethtool.h,
         * ETHTOOL_F_WISH). */
        if (r >= 0)
                r = read_states(fd, link, &features);
        if (r == -ENOMEM || r == -EPROTO)
                return r;
        if (r < 0)
                return refuse_errno(ret_refusal, -r, "turning offloads of %s off", link);
        stuck = plan_change(&features, udp, set.header.features);
        if (stuck)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "this kernel does not turn %.*s of the port off, and a packet socket with vnet-hdr "
                        "cannot describe such frames; ask for a tap, or for a packet port without vnet-hdr",
                        ETH_GSTRING_LEN, stuck);
        return 0;
}
