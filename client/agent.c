/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * polkit's password prompt on a terminal.
 */

#include "client/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>

#define AGENT_PATH RAWNET_PKTTYAGENT /* meson_options.txt */
#define AGENT_READY_MS 10000         /* polkitd starts for it in well under a second */

/* Is there a person to ask? */
static bool has_terminal(void) {
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* polkitd looks at an agent registered with --fallback only after it found the caller's login
 * session (polkit polkitbackendinteractiveauthority.c, get_authentication_agent_for_subject()), so
 * without a session it would never be asked. With one, --fallback leaves the prompt to the
 * desktop's own agent where there is one. */
static bool in_session(void) {
        _cleanup_free_ char *session = NULL;

        if (sd_pid_get_session(0, &session) >= 0)
                return true;
        return sd_uid_get_display(getuid(), &session) >= 0;
}

static void agent_exec(int notify_fd, pid_t parent, bool fallback) {
        char *fd_text = NULL, *pid_text = NULL;

        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
                _exit(1);
        if (asprintf(&fd_text, "%d", notify_fd) < 0 || asprintf(&pid_text, "%ld", (long)parent) < 0)
                _exit(1);
        if (fcntl(notify_fd, F_SETFD, 0) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
                _exit(1);
        if (fallback)
                execl(AGENT_PATH, AGENT_PATH, "--process", pid_text, "--notify-fd", fd_text,
                      "--fallback", (char *)NULL);
        else
                execl(AGENT_PATH, AGENT_PATH, "--process", pid_text, "--notify-fd", fd_text,
                      (char *)NULL);
        _exit(1);
}

void agent_start(Agent *agent) {
        int ends[2];
        pid_t parent = getpid(), pid;
        bool fallback = in_session();
        struct pollfd wait;

        *agent = (Agent){};
        if (!has_terminal() || access(AGENT_PATH, X_OK) < 0)
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        agent->have_terminal = tcgetattr(STDIN_FILENO, &agent->terminal) == 0;
        pid = fork();
        if (pid == 0)
                agent_exec(ends[1], parent, fallback);
        safe_close(ends[1]);
        if (pid > 0) {
                agent->pid = pid;
                /* pkttyagent closes its end once it is registered, or by exiting; a call before
                 * that finds no agent. */
                wait = (struct pollfd){.fd = ends[0], .events = POLLIN};
                while (poll(&wait, 1, AGENT_READY_MS) < 0 && errno == EINTR)
                        ;
        }
        safe_close(ends[0]);
}

void agent_stop(Agent *agent) {
        if (agent->pid <= 0)
                return;
        kill(agent->pid, SIGTERM);
        kill(agent->pid, SIGCONT);
        while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        agent->pid = 0;
        if (agent->have_terminal)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &agent->terminal);
}
