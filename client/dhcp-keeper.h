/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "client/dhcp-client.h"

/* The process that keeps the DHCP client. command: a pidfd of the process whose end ends the client;
 * report: gets one byte when the interface has its address, and is closed without one if the client
 * ends before. Never returns. */
_Noreturn void dhcp_keeper_run(const DhcpClient *client, const char *interface, int command,
                               int report);
