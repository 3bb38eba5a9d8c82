/* SPDX-License-Identifier: MPL-2.0 */
/* Signals as something to poll. */
#include "client/ui/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

void signals_heeded(sigset_t *out, const int *numbers, size_t count)
{
    sigemptyset(out);
    for (size_t i = 0; i < count; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(out, numbers[i]);
    }
}

status_t signals_open(int *fd)
{
    static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    sigset_t set;
    signals_heeded(&set, watched, sizeof watched / sizeof watched[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd < 0 ? STATUS_IO_ERROR : STATUS_OK;
}

int signals_take(int fd)
{
    struct signalfd_siginfo info;
    if (fd < 0 || read(fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    return (int)info.ssi_signo;
}
