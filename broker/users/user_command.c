/* SPDX-License-Identifier: MPL-2.0 */
/* Words first, then options; the store is reached through whoever holds it. */
#include "broker/users/user_command.h"

#include "broker/clock.h"
#include "broker/files/data_dir.h"
#include "broker/operator_client/connection.h"
#include "broker/rules/users.h"
#include "broker/store/store_rocksdb.h"
#include "proto/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOUR_MS        UINT64_C(3600000)
#define VALID_HOURS    UINT64_C(72)
#define VALID_MAX_DAYS 365
#define INVITE_TEXT    (sodium_base64_ENCODED_LEN(INVITE_BYTES, BASE64))
#define BASE64         sodium_base64_VARIANT_URLSAFE_NO_PADDING

typedef struct user_job user_job_t;
typedef status_t verb_fn(user_job_t *self);

struct user_job {
    FILE *out;
    FILE *err;
    name_t name;
    uint64_t valid_ms;
    bool json;
    bool wants_help;
    store_t *store;     /* NULL: a broker runs */
    connection_t *link; /* to it */
};

static void write_time(char out[static 32], uint64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* An invite, for a new name or for one that is given free. */
static status_t invite(user_job_t *self, bool is_reset)
{
    user_invite_reply_t reply = {.until_ms = wall_clock_ms() + self->valid_ms};
    user_invite_request_t request = {
        .name = self->name, .valid_ms = self->valid_ms, .reset = is_reset};
    const message_t *answer;
    char text[INVITE_TEXT], until[32];
    status_t status;
    if (self->link) {
        status = connection_ask(self->link, VERB_user_invite, &request, &answer);
        if (status == STATUS_OK) {
            reply = answer->body.user_invite_reply;
        }
    } else if (is_reset) {
        status =
            users_reset(self->store, &self->name, wall_clock_ms(), self->valid_ms, reply.invite);
    } else {
        status =
            users_invite(self->store, &self->name, wall_clock_ms(), self->valid_ms, reply.invite);
    }
    if (status != STATUS_OK) {
        return status;
    }
    sodium_bin2base64(text, sizeof text, reply.invite, INVITE_BYTES, BASE64);
    write_time(until, reply.until_ms);
    if (self->json) {
        fprintf(self->out, "{\"name\":\"%s\",\"invite\":\"%s\",\"until\":\"%s\"}\n",
                self->name.text, text, until);
    } else {
        fprintf(self->out,
                "%s\n\nGive this invite to %s over a safe channel; until %s it registers that name "
                "once:\n  conclave --broker URL register %s --invite %s\n",
                text, self->name.text, until, self->name.text, text);
    }
    sodium_memzero(text, sizeof text);
    sodium_memzero(&reply, sizeof reply);
    return STATUS_OK;
}

static status_t verb_add(user_job_t *self)
{
    return invite(self, false);
}

static status_t verb_reset(user_job_t *self)
{
    return invite(self, true);
}

static status_t enable(user_job_t *self, bool is_enabled)
{
    user_enable_request_t request = {.name = self->name, .enabled = is_enabled};
    const message_t *answer;
    status_t status = self->link ? connection_ask(self->link, VERB_user_enable, &request, &answer)
                                 : users_enable(self->store, &self->name, is_enabled);
    if (status == STATUS_OK) {
        fprintf(self->out, "%s is %s\n", self->name.text, is_enabled ? "enabled" : "disabled");
    }
    return status;
}

static status_t verb_enable(user_job_t *self)
{
    return enable(self, true);
}

static status_t verb_disable(user_job_t *self)
{
    return enable(self, false);
}

/* Names are of a-z 0-9 . _ - whatever the store holds: name8_read takes no others. */
static void print_entry(const user_job_t *self, const user_entry_record_t *entry)
{
    static const char *const states[] = {"gone", "active", "disabled", "reset", "invited"};
    const char *state = entry->state <= USER_INVITED ? states[entry->state] : "?";
    char time[32];
    write_time(time, entry->since_ms ? entry->since_ms : entry->until_ms);
    if (self->json) {
        fprintf(self->out,
                "{\"name\":\"%s\",\"state\":\"%s\",\"%s\":\"%s\",\"groups\":%" PRIu64 "}\n",
                entry->name.text, state, entry->since_ms ? "since" : "until", time, entry->groups);
    } else {
        fprintf(self->out, "%-32s  %-8s  %s %s  %6" PRIu64 "\n", entry->name.text, state,
                entry->since_ms ? "since" : "until", time, entry->groups);
    }
}

static status_t list(user_job_t *self, bool invited)
{
    user_entry_record_t *entries = mem_zalloc(USERS_PER_REPLY_MAX, sizeof *entries);
    user_list_request_t request = {.invited = invited};
    user_list_reply_t reply = {.users = {entries, 0}, .more = 1};
    const message_t *answer;
    status_t status = STATUS_OK;
    while (status == STATUS_OK && reply.more) {
        if (self->link) {
            status = connection_ask(self->link, VERB_user_list, &request, &answer);
            reply = status == STATUS_OK ? answer->body.user_list_reply : (user_list_reply_t){0};
        } else {
            reply.users.items = entries;
            status = users_list(self->store, &request.after, invited, USERS_PER_REPLY_MAX, &reply);
        }
        for (size_t i = 0; status == STATUS_OK && i < reply.users.count; i++) {
            print_entry(self, &reply.users.items[i]);
            request.after = reply.users.items[i].name;
        }
        reply.more = reply.users.count > 0 ? reply.more : 0;
    }
    free(entries);
    return status;
}

static status_t verb_list(user_job_t *self)
{
    if (!self->json) {
        fprintf(self->out, "%-32s  %-8s  %-26s  %6s\n", "NAME", "STATE", "", "GROUPS");
    }
    status_t status = list(self, false);
    return status == STATUS_OK ? list(self, true) : status;
}

static const struct {
    const char *name;
    int words; /* behind it */
    verb_fn *run;
} verbs[] = {
    {"add", 1, verb_add},       {"list", 0, verb_list},   {"disable", 1, verb_disable},
    {"enable", 1, verb_enable}, {"reset", 1, verb_reset},
};

static void print_usage(FILE *out)
{
    fputs("usage: conclaved user add|reset NAME [--valid-hours N] [--json] [--data DIR]\n"
          "       conclaved user disable|enable NAME [--data DIR]\n"
          "       conclaved user list [--json] [--data DIR]\n",
          out);
}

static status_t print_help(FILE *out)
{
    print_usage(out);
    fputs("The accounts of a broker, whether it runs or not.\n"
          "\n"
          "  add NAME            an invite by which the name may be registered, once\n"
          "  reset NAME          the same for a name whose key is lost: it is given free\n"
          "  disable NAME        end the user's sessions, and refuse logins\n"
          "  enable NAME         let the user in again\n"
          "  list                who is registered, and who is invited\n"
          "\n"
          "  --valid-hours N     how long an invite is good, up to a year [72]\n"
          "  --json              one JSON object a line\n"
          "  --data DIR          the broker's data directory\n"
          "                      [$XDG_DATA_HOME/conclave-broker]\n"
          "\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage. See conclaved(8).\n",
          out);
    return STATUS_OK;
}

static status_t usage(FILE *err)
{
    print_usage(err);
    return STATUS_USAGE;
}

static void tell_problem(void *context, const options_problem_t *problem)
{
    fprintf(context, "conclaved: %s\n", problem->text);
}

/* Takes what is this command's own out of argv. */
static bool take_own(user_job_t *self, int *argc, char **argv)
{
    int kept = 1;
    bool is_fine = true;
    self->valid_ms = VALID_HOURS * HOUR_MS;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            self->json = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            self->wants_help = true;
        } else if (strcmp(argv[i], "--valid-hours") == 0 && i + 1 < *argc) {
            char *end;
            unsigned long hours = strtoul(argv[++i], &end, 10);
            is_fine = is_fine && *argv[i] >= '0' && *argv[i] <= '9' && !*end && hours > 0 &&
                      hours <= VALID_MAX_DAYS * 24;
            self->valid_ms = hours * HOUR_MS;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return is_fine;
}

static status_t open_here(user_job_t *self, const data_dir_t *dir)
{
    char path[PATH_MAX + sizeof "/" DATA_STORE_NAME];
    snprintf(path, sizeof path, "%s/" DATA_STORE_NAME, dir->path);
    if (access(path, F_OK) != 0) {
        fprintf(self->err, "conclaved: %s: %s: start the broker once, or give its --data DIR\n",
                path, strerrordesc_np(errno));
        return STATUS_NOT_FOUND;
    }
    status_t status = store_rocksdb_open(path, NULL, &self->store);
    if (status != STATUS_OK) {
        fprintf(self->err, "conclaved: %s: %s\n", path, status_text(status));
    }
    return status;
}

/* The store, or who holds it. */
static status_t reach(user_job_t *self, const options_t *options, data_dir_t *dir)
{
    char path[PATH_MAX];
    pid_t holder = 0;
    status_t status = STATUS_OK;
    snprintf(path, sizeof path, "%s", options->data);
    if (!*options->data) {
        status = data_dir_default_path(path);
    }
    if (status == STATUS_OK && access(path, F_OK) != 0) {
        status = STATUS_NOT_FOUND;
    }
    if (status != STATUS_OK) {
        fputs("conclaved: no data directory there: give --data DIR\n", self->err);
        return status;
    }
    status = data_dir_open(dir, path, &holder);
    if (status == STATUS_OK) {
        return open_here(self, dir);
    }
    if (status != STATUS_HOME_IN_USE) {
        fprintf(self->err, "conclaved: %s: %s\n", path, status_text(status));
        return status;
    }
    char problem[PATH_MAX + 256];
    const connection_target_t target = {.data = path};
    self->link = connection_open(&target, problem, sizeof problem);
    if (self->link) {
        return STATUS_OK;
    }
    fprintf(self->err, "conclaved: the broker (pid %ld) can't be reached: %s\n", (long)holder,
            problem);
    return STATUS_UNREACHABLE;
}

static status_t carry_out(user_job_t *self, const options_t *options, verb_fn *run)
{
    data_dir_t dir = {.fd = -1, .lock_fd = -1};
    status_t status = reach(self, options, &dir);
    if (status == STATUS_OK) {
        status = run(self);
        if (status == STATUS_STILL_MEMBER) {
            fprintf(self->err,
                    "conclaved: %s is in a group, or waits to be let into one: the key of a member "
                    "can't be replaced; disable the account instead\n",
                    self->name.text);
        } else if (status != STATUS_OK) {
            fprintf(self->err, "conclaved: %s: %s\n", self->name.text, status_text(status));
        }
    }
    connection_close(&self->link);
    store_destroy(&self->store);
    data_dir_close(&dir);
    return status;
}

status_t user_command_run(int argc, char **argv, FILE *out, FILE *err)
{
    user_job_t self = {.out = out, .err = err};
    options_t options;
    bool is_fine = take_own(&self, &argc, argv);
    if (self.wants_help) {
        return print_help(out);
    }
    if (!is_fine || argc < 3) {
        return usage(err);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        int words = verbs[i].words;
        if (strcmp(argv[2], verbs[i].name) != 0) {
            continue;
        }
        if (argc < 3 + words) {
            return usage(err);
        }
        if (words && name_parse(&self.name, argv[3]) != STATUS_OK) {
            fprintf(err, "conclaved: %s\n", status_text(STATUS_BAD_NAME));
            return STATUS_USAGE;
        }
        argv[2 + words] = argv[0];
        if (options_load(&options, argc - 2 - words, argv + 2 + words, tell_problem, err) !=
            STATUS_OK) {
            return STATUS_USAGE;
        }
        return carry_out(&self, &options, verbs[i].run);
    }
    return usage(err);
}
