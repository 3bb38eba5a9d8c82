/* SPDX-License-Identifier: MPL-2.0 */
/* The options every command takes, their defaults and their environment variables. */
#include "client/ui/global_options.h"

#include "client/ui/text_buffer.h"
#include "proto/limits.h"

#include <stdlib.h>

#define TIMEOUT_DEFAULT_MS 30000
#define HOUR_MS            3600000

#define FIELD(name) offsetof(global_options_t, name)

const option_row_t global_option_rows[] = {
    {"home", 0, OPTION_TEXT, "DIR", "keys and messages (default $XDG_DATA_HOME/conclave)",
     FIELD(home), 0, 0},
    {"broker", 0, OPTION_TEXT, "URL|FILE", "tcp://HOST:PORT#KEY, or the file that holds it",
     FIELD(broker), 0, 0},
    {"password-file", 0, OPTION_TEXT, "FILE", "take the password from FILE's first line",
     FIELD(password_file), 0, 0},
    {"poll-ms", 0, OPTION_NUMBER, "N", "poll period in milliseconds (default 5000)", FIELD(poll_ms),
     POLL_PERIOD_MIN_MS, HOUR_MS},
    {"timeout", 0, OPTION_SECONDS, "SECONDS", "how long to try a broker out of reach (default 30)",
     FIELD(timeout_ms), 0, 0},
    {"json", 0, OPTION_FLAG, NULL, "one JSON object per line", FIELD(json), 0, 0},
    {"quiet", 0, OPTION_FLAG, NULL, "say only what was asked for", FIELD(quiet), 0, 0},
    {"trace", 0, OPTION_FLAG, NULL, "give each action a trace id that the broker sees",
     FIELD(trace), 0, 0},
    {"help", 'h', OPTION_FLAG, NULL, "show help and end", FIELD(help), 0, 0},
    {"version", 'V', OPTION_FLAG, NULL, "show the version and end", FIELD(version), 0, 0},
};
const size_t global_option_count = sizeof global_option_rows / sizeof global_option_rows[0];

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void global_options_init(global_options_t *self)
{
    *self = (global_options_t){
        .home = environment("CONCLAVE_HOME"),
        .broker = environment("CONCLAVE_BROKER"),
        .password_file = environment("CONCLAVE_PASSWORD_FILE"),
        .poll_ms = POLL_PERIOD_DEFAULT_MS,
        .timeout_ms = TIMEOUT_DEFAULT_MS,
    };
}

status_t global_options_home(const global_options_t *self, char **path)
{
    const char *data = environment("XDG_DATA_HOME");
    const char *home = environment("HOME");
    text_buffer_t out = {0};
    *path = NULL;
    if (self->home)
        text_buffer_add_text(&out, self->home);
    else if (data && data[0] == '/') /* the XDG specification ignores relative ones */
        text_buffer_add_format(&out, "%s/conclave", data);
    else if (home)
        text_buffer_add_format(&out, "%s/.local/share/conclave", home);
    else
        return STATUS_NOT_FOUND;
    *path = text_buffer_take(&out);
    return STATUS_OK;
}
