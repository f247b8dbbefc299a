/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/streams.h"

#include <fcntl.h>

#include "common/util.h"

int streams_ensure(void) {
        /* A write to standard output fails as it did while that was closed: rawnetctl's exit status
         * must tell. */
        static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                int null;

                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                /* The lowest free number: those below are open by now. Without CLOEXEC, as the
                 * three always are. */
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
