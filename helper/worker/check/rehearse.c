/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/check/rehearse.h"

#include <linux/netlink.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "helper/report.h"
#include "helper/worker/host/parent.h"
#include "helper/worker/host/vlan-guard.h"

int rehearse_port(const JobContext *job, LeasePlan *plan, bool *ret_entered, Refusal *ret_refusal) {
        int fds[RAWNET_FDS_MAX], r;
        IpcLease lease;
        size_t n_fds = 0;
        Child child;

        plan->rehearsal = true;
        plan->lease.id = RAWNET_ID_REHEARSAL;
        plan->lease.since = clock_usec(CLOCK_REALTIME);
        /* Nobody else is on the wire of the rehearsal. */
        plan->mac_mode = IPC_MAC_GIVEN;
        plan->lease.mac = (MacAddress){{0x02, 0, 0, 0, 0, 1}};
        r = child_start(&job->privilege, &child);
        if (r < 0)
                return r;
        r = child_hear(&child, CHILD_READY, &lease, fds, &n_fds, ret_refusal);
        *ret_entered = r == 0;
        if (r == 0)
                r = report_send(job->report_fd, (Report){REPORT_NAMESPACE});
        if (r == 0)
                r = child_go(&child, plan, &job->guard, job->report_fd, -1);
        if (r == 0)
                r = child_hear(&child, CHILD_DONE, &lease, fds, &n_fds, ret_refusal);
        /* Before the check is answered, and not at the end of this process: to close one takes the
         * kernel 16 ms, and the caller could ask for the next check meanwhile. */
        fd_pass_close_all(fds, n_fds);
        safe_close(child.socket_fd);
        (void)waitpid(child.pid, NULL, 0);
        (void)guard_program_remove(&job->guard, plan->lease.id);
        return link_kind_is_missing(r, ret_refusal)
                       ? parent_no_vlan(&plan->network, plan->lease.vlan, ret_refusal)
                       : r;
}

int rehearse_vlan_guard(const JobContext *job, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink owner = {};
        const pid_t daemon = getppid();
        Refusal refusal = {};
        int fd = -1, r;

        r = privilege_enter_lease(&job->privilege, &refusal);
        if (r > 0)
                return 0;
        if (r == 0)
                r = privilege_die_with(daemon);
        if (r == 0)
                r = netlink_open(&owner, NETLINK_NETFILTER);
        if (r == 0)
                fd = mnl_socket_get_fd(owner.socket);
        else if (r != -EPROTONOSUPPORT)
                return r;
        r = vlan_guard_install(fd, &refusal);
        /* The namespace cannot be used: explain_powerless() of namespace.c. */
        if (r == RAWNET_KERNEL_REFUSED && refusal.kernel_errno == EPERM)
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}
