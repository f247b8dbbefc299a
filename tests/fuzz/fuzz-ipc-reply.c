/* SPDX-License-Identifier: GPL-2.0-or-later */

/* ipc_reply_check(): what rawnetd takes from the helper may be put on the bus. The last byte is
 * the number of descriptors. */

#include "common/ipc.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t n_fds = size > 0 ? data[size - 1] : 0;
        IpcReply reply = {0};

        memcpy(&reply, data, MIN_OF(size, sizeof(reply)));
        if (ipc_reply_check(&reply, size, n_fds) != 0) {
                reply.version = IPC_VERSION;
                if (ipc_reply_check(&reply, sizeof(reply), n_fds) != 0)
                        return 0;
        }
        assert(reply.type >= IPC_OPENED && reply.type <= IPC_DROPPED);
        assert(reply.type != IPC_DROPPED || drop_name(reply.dropped.reason));
        assert(n_fds == 0 || (reply.type == IPC_OPENED && n_fds <= RAWNET_FDS_MAX));
        if (reply.type == IPC_OPENED || reply.type == IPC_LEASE) {
                const IpcLease *l = &reply.lease;
                NetworkName name;

                assert(l->id >= RAWNET_ID_MIN && l->id <= RAWNET_ID_MAX);
                assert(network_name_parse(l->network, &name, NULL) == 0);
                assert(interface_name_is_valid(l->parent) &&
                       text_is_printable_ascii(l->lease_name));
        }
        if (reply.type == IPC_FINDING) {
                const IpcFinding *f = &reply.finding;

                assert(f->error == RAWNET_OK || rawnet_error_to_dbus((RawnetError)f->error));
                assert(text_is_printable_utf8(f->text, strnlen(f->text, sizeof(f->text))));
                assert(text_is_printable_utf8(f->where, strnlen(f->where, sizeof(f->where))));
                assert(f->detail < FINDING_DETAIL_COUNT && (f->kinds & ~KINDS_ALL) == 0);
        }
        if (reply.type == IPC_REFUSED) {
                assert(rawnet_error_to_dbus((RawnetError)reply.refusal.error));
                assert(strlen(reply.refusal.text) < sizeof(reply.refusal.text));
                assert(text_is_printable_utf8(reply.refusal.text, strlen(reply.refusal.text)));
        }
        return 0;
}
