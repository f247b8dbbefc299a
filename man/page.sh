#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scdoc's page, $1 being scdoc, under the line that says that it has tables (man(1), PREPROCESSORS): without it they are drawn only where
# nobody has said otherwise. Input and output are the standard ones.
set -eu
printf '%s\n' "'\\\" t"
exec "$1"
