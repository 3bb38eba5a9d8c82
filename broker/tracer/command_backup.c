/* SPDX-License-Identifier: MPL-2.0 */
/* A backup of the running broker. */
#include "broker/tracer/step_text.h"
#include "broker/tracer/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A path may hold anything; a terminal is to get nothing of that. */
static void copy_printable(char *out, size_t size, text_t text)
{
    size_t count = text.size < size - 1 ? text.size : size - 1;
    for (size_t i = 0; i < count; i++)
        out[i] = text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '?';
    out[count] = '\0';
}

/* The broker has a working directory of its own. */
static bool make_absolute(const char *path, char out[static PATH_MAX])
{
    char here[PATH_MAX];
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return false;
    int size = path[0] == '/' ? snprintf(out, PATH_MAX, "%s", path)
                              : snprintf(out, PATH_MAX, "%s/%s", here, path);
    return size < PATH_MAX && size <= BACKUP_PATH_MAX_BYTES;
}

int command_backup(const tracer_options_t *options)
{
    char path[PATH_MAX];
    int code = TRACER_DONE;
    const message_t *reply = NULL;
    if (options->target.broker || options->from) {
        tracer_complain("a backup is made on the broker's own machine: name its --data DIR");
        return TRACER_USAGE;
    }
    if (!make_absolute(options->arguments[0], path)) {
        tracer_complain("the path is too long");
        return TRACER_USAGE;
    }
    connection_t *connection = tracer_connect(options, &code);
    if (!connection)
        return code;
    const backup_request_t request = {.directory = {path, strlen(path)}};
    status_t status = connection_ask_patiently(connection, VERB_backup, &request, &reply);
    if (status == STATUS_OK) {
        const backup_reply_t *made = &reply->body.backup_reply;
        const char *name = options->arguments[0];
        char shown[PATH_MAX];
        copy_printable(shown, sizeof shown, (text_t){name, strlen(name)});
        printf("%s: %llu files, %s. It holds the broker's secret key: keep it safe.\n", shown,
               (unsigned long long)made->files, text_of_bytes(made->bytes));
        code = tracer_flush() ? TRACER_DONE : TRACER_FAILED;
    } else if (reply && status != STATUS_TIMED_OUT && reply->body.backup_reply.problem.size > 0) {
        char problem[BACKUP_PROBLEM_MAX_BYTES + 1];
        copy_printable(problem, sizeof problem, reply->body.backup_reply.problem);
        tracer_complain("no backup: %s", problem);
        code = TRACER_FAILED;
    } else {
        tracer_complain("no backup: %s", tracer_cause(connection, status));
        code = status == STATUS_INTERRUPTED ? TRACER_FAILED : tracer_exit_for(status);
    }
    connection_close(&connection);
    return code;
}
