/* SPDX-License-Identifier: MPL-2.0 */
/* All or nothing: a file with an error changes no setting. */
#include "broker/settings/reload.h"

typedef struct {
    log_t *log;
    uint64_t problems;
    uint64_t changed;
    uint64_t restarts;
} reload_t;

static void log_problem(void *context, const options_problem_t *problem)
{
    reload_t *self = context;
    self->problems++;
    LOG(self->log, LEVEL_ERROR, log_event("config_error"), log_text("file", problem->file),
        log_count("line", problem->line), log_text("text", problem->text));
}

static void log_changed(void *context, const char *name, const char *old, const char *new)
{
    reload_t *self = context;
    self->changed++;
    LOG(self->log, LEVEL_INFO, log_event("config_changed"), log_text("key", name),
        log_text("old", old), log_text("new", new));
}

static void log_restart(void *context, const char *name, const char *old, const char *new)
{
    reload_t *self = context;
    self->restarts++;
    LOG(self->log, LEVEL_INFO, log_event("config_needs_restart"), log_text("key", name),
        log_text("running", old), log_text("new", new));
}

bool reload_options(options_t *options, log_t *log)
{
    reload_t self = {.log = log};
    options_t fresh;
    if (!options->config[0]) {
        LOG(log, LEVEL_WARN, log_event("config_not_reloaded"),
            log_text("text", "there is no config file: the broker was started without --config"));
        return false;
    }
    if (options_load(&fresh, options->argc, options->argv, log_problem, &self) != STATUS_OK) {
        LOG(log, LEVEL_ERROR, log_event("config_not_reloaded"), log_text("file", options->config),
            log_count("errors", self.problems), log_text("text", "all settings stay as they are"),
            log_text("hint", "mend the file, check it with --check-config, reload again"));
        return false;
    }
    options_take_reloaded(options, &fresh, log_changed, log_restart, &self);
    LOG(log, LEVEL_INFO, log_event("config_reloaded"), log_text("file", options->config),
        log_count("changed", self.changed), log_count("need_restart", self.restarts));
    return self.changed > 0;
}
