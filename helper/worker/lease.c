/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/lease.h"

#include <string.h>

#include "helper/kernel/record.h"

int lease_name_network(const char *network, const char *parent, int r, Refusal *refusal) {
        static const char word[] = "network ";
        const size_t length = sizeof(word) - 1;
        Refusal said = *refusal;

        if (r == RAWNET_KERNEL_REFUSED) {
                refuse(refusal, RAWNET_KERNEL_REFUSED, "network %s on %s: the kernel refused: %s",
                       network, parent, said.text);
                refusal->kernel_errno = said.kernel_errno;
        } else if (strncmp(said.text, word, length) != 0 ||
                   strncmp(said.text + length, network, strcspn(network, ".")) != 0) {
                /* Of a module that does not know the network. */
                refuse(refusal, said.error, "network %s: %s", network, said.text);
        }
        return r;
}

int lease_find(Netlink *netlink, uint32_t id, IpcLease *ret, Refusal *ret_refusal) {
        int r = record_read(netlink, id, ret, NULL, ret_refusal);
        char label[IPC_LEASE_LABEL_SIZE];

        if (r != 0)
                return r;
        if (ret->later)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "a later version of rawnet opened lease %s, and this version leaves "
                              "it alone; end its program, or install that version again",
                              ipc_lease_label(ret, label));
        if (ret->gone)
                return refuse(
                        ret_refusal, RAWNET_NO_SUCH_LEASE,
                        "lease %s is already closed; it counts against quotas until its program "
                        "closes the file descriptors",
                        ipc_lease_label(ret, label));
        return 0;
}
