/* SPDX-License-Identifier: MPL-2.0 */
/* conclave: sets the process up, runs a command, and turns its outcome into an exit code. */
#include "client/ui/command_line.h"
#include "client/ui/complaint.h"
#include "client/ui/exit_code.h"
#include "client/ui/locale.h"
#include "client/ui/signals.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS_MAX 3 /* of a command whose holder ended under it */

static status_t run(invocation_t *self)
{
    status_t status = self->command->run(self);
    for (unsigned runs = 1;
         status == STATUS_HOLDER_ENDED && self->command->is_repeatable && runs < RUNS_MAX; runs++) {
        complaint_forget(self);
        status = self->command->run(self);
    }
    return status;
}

static int finish(invocation_t *self, status_t status)
{
    if (self->signal_number) { /* a wish, not a failure: says nothing */
        if (self->what.size && status != STATUS_INTERRUPTED)
            complaint_print(self, status);
        return EXIT_SIGNAL + self->signal_number;
    }
    complaint_print(self, status);
    return exit_code_of(status);
}

int main(int argc, char **argv)
{
    invocation_t self = {.in = stdin, .out = stdout, .err = stderr, .signal_fd = -1};
    const struct rlimit no_core = {0, 0};
    self.ascii = locale_init();
    self.out_format = format_for_stream(stdout, self.ascii);
    self.err_format = format_for_stream(stderr, self.ascii);
    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &no_core); /* keys stay out of core files */
    status_t status = sodium_init() < 0 ? STATUS_IO_ERROR : STATUS_OK;
    if (status == STATUS_OK)
        status = signals_open(&self.signal_fd);
    if (status != STATUS_OK)
        complain(&self, status, "this machine can't be used");
    if (status == STATUS_OK)
        status = command_line_parse(&self, argc, argv);
    if (status == STATUS_OK && self.globals.version) {
        printf("conclave %s\n", CONCLAVE_VERSION);
    } else if (status == STATUS_OK && self.globals.help) {
        char *help = command_line_help(self.command);
        fputs(help, stdout);
        free(help);
    } else if (status == STATUS_OK) {
        status = run(&self);
    }
    int code = finish(&self, status);
    invocation_wipe(&self);
    if (self.signal_fd >= 0)
        close(self.signal_fd);
    return code;
}
