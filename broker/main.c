/* SPDX-License-Identifier: MPL-2.0 */
/* conclaved: the only file of the broker that prints or exits. */
#include "broker/broker.h"
#include "broker/signals.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_STOPPED = 0, EXIT_START_FAILED = 1, EXIT_USAGE = 2 };

/* A core dump would hold the broker's secret key. CONCLAVE_ALLOW_CORE is for debugging. */
static void forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};
    if (!getenv("CONCLAVE_ALLOW_CORE")) {
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_DUMPABLE, 0);
    }
}

static int run(const options_t *options)
{
    int signal_fd;
    log_t *log = log_new(STDERR_FILENO, options->log_format, options->log_level);
    status_t status = signals_open(&signal_fd);
    if (status == STATUS_OK && sodium_init() < 0) {
        status = STATUS_IO_ERROR;
    }
    if (status == STATUS_OK) {
        status = broker_run(options, log, signal_fd);
        close(signal_fd);
    } else {
        LOG(log, LEVEL_ERROR, log_event("start_failed"), log_status("status", status));
    }
    log_destroy(&log);
    return status == STATUS_OK ? EXIT_STOPPED : EXIT_START_FAILED;
}

int main(int argc, char **argv)
{
    options_t options;
    char problem[256];
    if (options_parse(&options, argc, argv, problem, sizeof problem) != STATUS_OK) {
        fprintf(stderr, "conclaved: %s\nTry 'conclaved --help'.\n", problem);
        return EXIT_USAGE;
    }
    if (options.mode == OPTIONS_HELP) {
        return fputs(options_help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_START_FAILED : 0;
    }
    if (options.mode == OPTIONS_VERSION) {
        return puts("conclaved " CONCLAVE_VERSION) < 0 || fflush(stdout) != 0 ? EXIT_START_FAILED
                                                                              : 0;
    }
    forbid_core_dumps();
    return run(&options);
}
