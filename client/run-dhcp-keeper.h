/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The keeper of `rawnetctl run --dhcp` (dhcp-keeper.h): its client writes to directories in memory,
 * and ends with the command.
 */

#include "client/dhcp-client.h"

/* On the tmpfs at DHCP_PLACE in the command's mount namespace. client/dhcp-script.in knows
 * resolv.conf and event. */
#define RUN_DHCP_RESOLV_CONF DHCP_PLACE "/resolv.conf"
#define RUN_DHCP_EVENT DHCP_PLACE "/event" /* a FIFO */
#define RUN_DHCP_LOG DHCP_PLACE "/log"
#define RUN_DHCP_RUN DHCP_PLACE "/run"
#define RUN_DHCP_LIB DHCP_PLACE "/lib"

/* command: a pidfd of the process whose end ends the client; report: gets one byte when the
 * interface has its address, and is closed without one if the client ends before. Never returns. */
_Noreturn void run_dhcp_keep(const DhcpClient *client, const char *interface, int command,
                             int report);
