/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/names.h"

/* The file's name while it is written. */
#define NEW_KEY_FILE RAWNET_KEY_FILE ".new"

/* 0, -ENOENT, -EBADMSG where the file is not a key of ours, or -errno. */
static int read_key(int directory, MachineKey *ret) {
        _cleanup_close_ int fd =
                openat(directory, RAWNET_KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        uint8_t bytes[MAC_KEY_SIZE + 1];
        struct stat status;
        ssize_t n;

        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) || (status.st_mode & 077))
                return -EBADMSG;
        n = read(fd, bytes, sizeof(bytes));
        if (n < 0)
                return -errno;
        if (n != MAC_KEY_SIZE)
                return -EBADMSG;
        ret->known = true;
        memcpy(ret->bytes, bytes, sizeof(ret->bytes));
        return 0;
}

static int write_key(int fd) {
        uint8_t bytes[MAC_KEY_SIZE];

        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
                return -EIO;
        if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
                return -EIO;
        return fsync(fd) < 0 ? -errno : 0;
}

/* The file appears complete, and never replaces another one: a second rawnetd may make it at the
 * same time. */
static int make_key(int directory) {
        _cleanup_close_ int fd = -1;
        int r;

        (void)unlinkat(directory, NEW_KEY_FILE, 0);
        fd = openat(directory, NEW_KEY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0600);
        if (fd < 0)
                return -errno;
        r = write_key(fd);
        if (r == 0 && linkat(directory, NEW_KEY_FILE, directory, RAWNET_KEY_FILE, 0) < 0 &&
            errno != EEXIST)
                r = -errno;
        (void)unlinkat(directory, NEW_KEY_FILE, 0);
        if (r == 0 && fsync(directory) < 0)
                r = -errno;
        return r;
}

int machine_key_load_at(const char *path, MachineKey *ret, Refusal *ret_refusal) {
        _cleanup_close_ int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MachineKey key = {};
        int r;

        r = directory < 0 ? -errno : read_key(directory, &key);
        if (r == -ENOENT && directory >= 0) {
                r = make_key(directory);
                if (r == 0)
                        r = read_key(directory, &key);
        }
        if (r == 0) {
                *ret = key;
                return 0;
        }
        if (r == -EBADMSG)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "%s/" RAWNET_KEY_FILE
                        " is not a file of %u bytes with mode 0600; restore it from a "
                        "backup, or remove it for a new key, which changes the addresses of all named ports",
                        path, MAC_KEY_SIZE);
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "cannot read or make %s/" RAWNET_KEY_FILE ": %s", path, strerror(-r));
}

void machine_key_load(MachineKey *ret) {
        Refusal refusal = {};

        *ret = (MachineKey){};
        if (machine_key_load_at(RAWNET_STATE_DIR, ret, &refusal) != 0)
                log_warning("named ports get another MAC address each time: %s", refusal.text);
}

bool machine_mac_derive(const MachineKey *key, const MacPrefix *prefix, uint32_t uid,
                        const char *network, const char *name, MacAddress *ret) {
        if (!key->known)
                return false;
        mac_derive(prefix, key->bytes, uid, network, name, ret);
        return true;
}

int machine_mac(const MachineKey *key, const MacPrefix *prefix, uint32_t uid, const char *network,
                const char *name, MacAddress *ret) {
        return machine_mac_derive(key, prefix, uid, network, name, ret) ? 0
                                                                        : mac_random(prefix, ret);
}
