/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/streams.h"

#include <fcntl.h>

#include "common/util.h"

int streams_ensure(void) {
        /* A write to standard output fails as it did while standard output was closed, so that
         * rawnetctl's exit status reports it. */
        static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                int null;

                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                /* open() returns the lowest free number, and those below are open by now. Without
                 * CLOEXEC, as for the three always. */
                null = open("/dev/null", modes[fd]);
                if (null < 0)
                        return -errno;
                if (null != fd) {
                        safe_close(null);
                        return -EBADF;
                }
        }
        return 0;
}
