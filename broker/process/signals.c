/* SPDX-License-Identifier: MPL-2.0 */
/* By signalfd. */
#include "broker/process/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

status_t signals_open(int *fd)
{
    sigset_t read_here;
    sigset_t blocked;
    *fd = -1;
    sigemptyset(&read_here);
    sigaddset(&read_here, SIGTERM);
    sigaddset(&read_here, SIGINT);
    sigaddset(&read_here, SIGHUP);
    sigaddset(&read_here, SIGUSR1);
    blocked = read_here;
    sigaddset(&blocked, SIGPIPE);
    sigaddset(&blocked, SIGXFSZ); /* a file too large for a limit is a write that fails */
    if (setenv("ZSYS_SIGHANDLER", "false", 1) != 0 ||
        pthread_sigmask(SIG_BLOCK, &blocked, NULL) != 0) {
        return STATUS_IO_ERROR;
    }
    *fd = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 ? STATUS_OK : STATUS_IO_ERROR;
}

signal_kind_t signals_read(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return SIGNAL_NONE;
    }
    switch (info.ssi_signo) {
    case SIGHUP:
        return SIGNAL_RELOAD;
    case SIGUSR1:
        return SIGNAL_LOG_LEVEL;
    default:
        return SIGNAL_STOP;
    }
}
