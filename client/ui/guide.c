/* SPDX-License-Identifier: MPL-2.0 */
/* The guided start in an empty home. */
#include "client/ui/guide.h"

#include "client/home/personal_broker.h"
#include "client/keys/words.h"
#include "client/ui/account.h"
#include "client/ui/complaint.h"
#include "client/ui/safe_text.h"
#include "client/ui/text_buffer.h"
#include "client/ui/unlock.h"
#include "proto/endpoint.h"
#include "proto/memory.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERSONAL_TIMEOUT_MS 15000

/* A line on the terminal, made safe. */
static status_t tell(invocation_t *self, prompt_t *prompt, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static status_t tell(invocation_t *self, prompt_t *prompt, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    safe_text_options_t options = {.lines = true, .ascii = self->ascii};
    char *safe = safe_text_new(text, strlen(text), options);
    text_buffer_t line = {0};
    text_buffer_add_format(&line, "%s\n", safe);
    status_t status = prompt_print(prompt, line.bytes);
    text_buffer_wipe(&line);
    free(safe);
    free(text);
    return status;
}

/* The complaint as a line among questions, to be answered by another try. */
static status_t tell_complaint(invocation_t *self, prompt_t *prompt, status_t refusal)
{
    char *line = complaint_line(self, refusal);
    status_t status = tell(self, prompt, "%s", line);
    free(line);
    complaint_forget(self);
    return status;
}

/* Asks until the answer can be a name. */
static status_t ask_name(invocation_t *self, prompt_t *prompt, const char *question,
                         const char *fallback, name_t *name)
{
    for (;;) {
        char *answer = NULL;
        status_t status = prompt_ask(prompt, question, fallback, &answer);
        if (status != STATUS_OK)
            return status;
        status = name_parse(name, answer);
        free(answer);
        if (status == STATUS_OK)
            return status;
        status = tell(self, prompt, "Sorry: %s.", status_text(STATUS_BAD_NAME));
        if (status != STATUS_OK)
            return status;
    }
}

/* The login name, where it can be a name here. */
static const char *own_name(name_t *name)
{
    const struct passwd *user = getpwuid(getuid());
    bool is_person = user && strcmp(user->pw_name, "root") != 0;
    return is_person && name_parse(name, user->pw_name) == STATUS_OK ? name->text : NULL;
}

static status_t paste_broker(invocation_t *self, prompt_t *prompt,
                             char url[static HOME_BROKER_URL_BYTES])
{
    for (;;) {
        char *answer = NULL;
        endpoint_t endpoint;
        status_t status =
            prompt_ask(prompt, "The broker's address (tcp://HOST:PORT#KEY)", NULL, &answer);
        if (status != STATUS_OK)
            return status;
        size_t size = strlen(answer);
        if (size < HOME_BROKER_URL_BYTES && endpoint_parse(&endpoint, answer) == STATUS_OK) {
            memcpy(url, answer, size + 1);
            free(answer);
            return STATUS_OK;
        }
        free(answer);
        status = tell(self, prompt,
                      "That is no address: it is one line like tcp://chat.example.org:5670#KEY, "
                      "which\nwhoever runs the broker finds in its broker.url.");
        if (status != STATUS_OK)
            return status;
    }
}

static status_t start_broker(invocation_t *self, prompt_t *prompt,
                             char url[static HOME_BROKER_URL_BYTES])
{
    status_t status =
        personal_broker_start(self->argv0, PERSONAL_TIMEOUT_MS, url, HOME_BROKER_URL_BYTES);
    if (status == STATUS_OK)
        return tell(self, prompt,
                    "A broker runs on this machine now, and goes on when you leave:\n  %s\n"
                    "Others on this machine find it by themselves.",
                    url);
    char *log = personal_broker_log_path();
    complain(self, status, "no broker could be started here");
    if (status == STATUS_NOT_FOUND)
        complain_cause(self, "the program conclaved is not on this machine");
    else if (log)
        complain_advice(self, log);
    free(log);
    return tell_complaint(self, prompt, status);
}

/* Leaves url empty if the person is to be asked again. */
static status_t choose_broker(invocation_t *self, prompt_t *prompt,
                              char url[static HOME_BROKER_URL_BYTES])
{
    char found[HOME_BROKER_URL_BYTES] = "";
    bool is_running = personal_broker_find(found, sizeof found) == STATUS_OK;
    text_buffer_t first = {0};
    if (is_running)
        text_buffer_add_format(&first, "The one on this machine (%.*s)", (int)strcspn(found, "#"),
                               found);
    else
        text_buffer_add_text(&first, "Start one on this machine");
    const char *const choices[] = {first.bytes, "Another one: paste its address"};
    size_t chosen = 0;
    status_t status = prompt_choose(prompt, "Which broker", choices, 2, &chosen);
    text_buffer_wipe(&first);
    url[0] = '\0';
    if (status != STATUS_OK)
        return status;
    if (chosen == 1)
        return paste_broker(self, prompt, url);
    if (!is_running)
        return start_broker(self, prompt, url);
    memcpy(url, found, sizeof found);
    return STATUS_OK;
}

static status_t find_broker(invocation_t *self, prompt_t *prompt, const home_t *home,
                            char url[static HOME_BROKER_URL_BYTES])
{
    bool is_remembered;
    status_t status = unlock_broker(self, home, url, &is_remembered);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = tell(self, prompt,
                  "\nA broker carries the messages; it can't read them. It has to be the same one "
                  "for all\nwho talk to each other.");
    while (status == STATUS_OK && !url[0])
        status = choose_broker(self, prompt, url);
    return status;
}

/* Another name is the only remedy for a taken one. */
static status_t create_account(invocation_t *self, prompt_t *prompt, home_t *home, name_t *name,
                               const password_t *password, const char *url,
                               struct identity **identity)
{
    for (;;) {
        status_t status = account_create(self, home, name, password, url, identity);
        if (status == STATUS_OK)
            return status;
        identity_destroy(identity);
        if (status != STATUS_NAME_TAKEN)
            return status;
        complaint_forget(self);
        status = tell(self, prompt, "%s is taken at this broker.", name->text);
        if (status == STATUS_OK)
            status = ask_name(self, prompt, "Another name", NULL, name);
        if (status != STATUS_OK)
            return status;
    }
}

static status_t ask_password(invocation_t *self, prompt_t *prompt, password_t *password)
{
    if (self->globals.password_file)
        return unlock_new_password(self, self->globals.password_file, "", password);
    status_t status = tell(self, prompt,
                           "\nYour keys stay on this machine, locked by a password. Nobody can "
                           "reset it.");
    return status == STATUS_OK ? prompt_new_password(prompt, "Password", password) : status;
}

status_t guide_account(invocation_t *self, prompt_t *prompt, home_t *home,
                       struct identity **identity)
{
    name_t name, fallback;
    password_t password = {0};
    char url[HOME_BROKER_URL_BYTES] = "";
    *identity = NULL;
    status_t status = tell(self, prompt,
                           "Welcome to Conclave: rooms that only their members can open.\n"
                           "Nobody lives in %s yet; three questions change that.",
                           home_path(home));
    if (status == STATUS_OK)
        status = prompt_print(prompt, "\n");
    if (status == STATUS_OK)
        status = ask_name(self, prompt, "Your name (a-z 0-9 . _ -)", own_name(&fallback), &name);
    if (status == STATUS_OK)
        status = ask_password(self, prompt, &password);
    if (status == STATUS_OK)
        status = find_broker(self, prompt, home, url);
    if (status == STATUS_OK)
        status = create_account(self, prompt, home, &name, &password, url, identity);
    password_wipe(&password);
    if (status == STATUS_OK) {
        char words[WORDS_TEXT_BYTES];
        words_of_key(words, identity_key(*identity), WORDS_VERIFY);
        status = tell(self, prompt, "\nYou are registered as %s. Your words: %s", name.text, words);
    }
    return status;
}

static bool can_be_retried(status_t status)
{
    return status == STATUS_GROUP_TAKEN || status == STATUS_UNKNOWN_GROUP;
}

static status_t create_or_join(access_t *access, bool create, const name_t *group)
{
    local_create_request_t make = {.name = *group, .hold_ms = HOLD_DEFAULT_MS};
    local_join_request_t ask = {.name = *group};
    status_t status = create ? access_call(access, LOCAL_VERB_create, &make, "not created")
                             : access_call(access, LOCAL_VERB_join, &ask, "not asked to join");
    return status == STATUS_ALREADY_MEMBER ? STATUS_OK : status;
}

static status_t tell_admin(invocation_t *self, prompt_t *prompt, const access_t *access)
{
    const local_join_reply_t *reply = &access->message.body.join_reply;
    if (access->message.verb != LOCAL_VERB_join || !reply->admin_words.size)
        return STATUS_OK;
    return tell(self, prompt, "Compare these words with %s over another channel:\n  %.*s",
                reply->admin.text, (int)reply->admin_words.size, reply->admin_words.data);
}

status_t guide_group(invocation_t *self, prompt_t *prompt, access_t *access, name_t *group)
{
    static const char *const choices[] = {"Create a group", "Join a group", "Later"};
    *group = (name_t){0};
    status_t status = prompt_print(prompt, "\n");
    for (;;) {
        size_t chosen = 0;
        if (status == STATUS_OK)
            status = prompt_choose(prompt, "What now", choices, 3, &chosen);
        if (status != STATUS_OK || chosen == 2)
            return status;
        status = ask_name(self, prompt, "The group's name", NULL, group);
        if (status == STATUS_OK)
            status = create_or_join(access, chosen == 0, group);
        if (status == STATUS_OK)
            return chosen == 1 ? tell_admin(self, prompt, access) : STATUS_OK;
        *group = (name_t){0};
        if (!can_be_retried(status))
            return status;
        status = tell_complaint(self, prompt, status);
    }
}

static char *describe(const local_group_info_record_t *group)
{
    text_buffer_t out = {0};
    text_buffer_add_text(&out, group->name.text);
    if (group->unread)
        text_buffer_add_format(&out, "  (%llu unread)", (unsigned long long)group->unread);
    if (group->state < LOCAL_GROUP_ACTIVE)
        text_buffer_add_text(&out, "  (waiting to be let in)");
    if (group->state > LOCAL_GROUP_LEAVING)
        text_buffer_add_text(&out, "  (left)");
    return text_buffer_take(&out);
}

status_t guide_choose_group(invocation_t *self, prompt_t *prompt, access_t *access, name_t *group)
{
    *group = (name_t){0};
    status_t status = access_call(access, LOCAL_VERB_groups, NULL, "the groups can't be listed");
    if (status != STATUS_OK)
        return status;
    const local_groups_reply_t *reply = &access->message.body.groups_reply;
    char **choices = mem_zalloc(reply->groups.count + 1, sizeof *choices);
    size_t *places = mem_zalloc(reply->groups.count + 1, sizeof *places);
    size_t count = 0, chosen = 0;
    for (size_t i = 0; i < reply->groups.count; i++)
        if (reply->groups.items[i].state < LOCAL_GROUP_LEFT) {
            places[count] = i;
            choices[count++] = describe(&reply->groups.items[i]);
        }
    if (count > 1 && prompt)
        status = prompt_choose(prompt, "Which group", (const char *const *)choices, count, &chosen);
    if (status == STATUS_OK && count && (count == 1 || prompt))
        *group = reply->groups.items[places[chosen]].name;
    for (size_t i = 0; i < count; i++)
        free(choices[i]);
    free(choices);
    free(places);
    (void)self;
    return status;
}
