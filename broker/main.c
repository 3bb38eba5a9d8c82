/* SPDX-License-Identifier: MPL-2.0 */
/* conclaved: the only file of the broker that prints or exits. */
#include "broker/backup/offline.h"
#include "broker/broker.h"
#include "broker/process/signals.h"
#include "broker/users/user_command.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* As good as kill -9: whatever was acknowledged is on disk. */
static void leave(void)
{
    _exit(EXIT_STOPPED);
}

static int run(options_t *options)
{
    int signal_fd;
    log_t *log =
        log_new(STDERR_FILENO, (log_format_t)options->log_format, (log_level_t)options->log_level);
    status_t status = signals_open(&signal_fd);
    if (status == STATUS_OK && sodium_init() < 0) {
        status = STATUS_IO_ERROR;
    }
    if (status == STATUS_OK) {
        status = broker_run(options, log, signal_fd, leave);
        close(signal_fd);
    } else {
        LOG(log, LEVEL_ERROR, log_event("start_failed"), log_status("status", status));
    }
    log_destroy(&log);
    return status == STATUS_OK ? EXIT_STOPPED : EXIT_START_FAILED;
}

static int run_offline(const options_t *options)
{
    status_t status = sodium_init() < 0 ? STATUS_IO_ERROR : STATUS_OK;
    if (status == STATUS_OK && options->action == OPTIONS_FSCK) {
        status = offline_fsck(options, stdout, stderr);
    } else if (status == STATUS_OK) {
        status = offline_restore(options, stdout, stderr);
    }
    bool is_told = fflush(stdout) == 0 && !ferror(stdout);
    return status == STATUS_OK && is_told ? EXIT_STOPPED : EXIT_START_FAILED;
}

static int run_user(int argc, char **argv)
{
    forbid_core_dumps();
    status_t status =
        sodium_init() < 0 ? STATUS_IO_ERROR : user_command_run(argc, argv, stdout, stderr);
    bool is_told = fflush(stdout) == 0 && !ferror(stdout);
    if (status == STATUS_USAGE) {
        return EXIT_USAGE;
    }
    return status == STATUS_OK && is_told ? EXIT_STOPPED : EXIT_START_FAILED;
}

/* An error also where only the journal shows it. */
static void tell_problem(void *context, const options_problem_t *problem)
{
    (void)context;
    const char *severity = log_fd_is_journal(STDERR_FILENO) ? "<3>" : "";
    if (!problem->file) {
        fprintf(stderr, "%sconclaved: %s\n", severity, problem->text);
    } else if (problem->line == 0) {
        fprintf(stderr, "%s%s: %s\n", severity, problem->file, problem->text);
    } else {
        fprintf(stderr, "%s%s:%zu: %s\n", severity, problem->file, problem->line, problem->text);
    }
}

/* What is only printed; the exit code says whether it could be. */
static int print(const options_t *options)
{
    switch (options->action) {
    case OPTIONS_HELP:
        options_print_help(stdout);
        break;
    case OPTIONS_VERSION:
        puts("conclaved " CONCLAVE_VERSION);
        break;
    case OPTIONS_CHECK_CONFIG:
        puts("OK");
        break;
    case OPTIONS_PRINT_CONFIG:
        options_print_config(options, stdout);
        break;
    case OPTIONS_FSCK:
    case OPTIONS_RUN:
        break;
    }
    return fflush(stdout) != 0 || ferror(stdout) ? EXIT_START_FAILED : EXIT_STOPPED;
}

int main(int argc, char **argv)
{
    options_t options;
    if (argc > 1 && strcmp(argv[1], "user") == 0) {
        return run_user(argc, argv);
    }
    if (options_load(&options, argc, argv, tell_problem, NULL) != STATUS_OK) {
        fputs("Try 'conclaved --help'.\n", stderr);
        return EXIT_USAGE;
    }
    if (options.action != OPTIONS_RUN && options.action != OPTIONS_FSCK) {
        return print(&options);
    }
    forbid_core_dumps();
    bool is_online = options.action == OPTIONS_RUN && !options.restore[0];
    return is_online ? run(&options) : run_offline(&options);
}
