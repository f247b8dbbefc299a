/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * polkit's password prompt on a terminal: pkttyagent(1), started while a call waits for polkit's
 * answer. Without a terminal there is none, and where it cannot be started the call goes on without
 * it: polkit then says no by itself.
 */

#include <sys/types.h>
#include <termios.h>

#include "common/util.h"

typedef struct Agent {
        pid_t pid; /* 0: none runs */
        bool have_terminal;
        struct termios terminal; /* the terminal's modes as they were, restored at the end */
} Agent;

/* Starts the agent and waits until polkit knows it. Never fails; agent->pid is 0 where there is
 * none. */
void agent_start(Agent *agent);
/* Ends it and puts the terminal back. */
void agent_stop(Agent *agent);
