/* SPDX-License-Identifier: MPL-2.0 */
/* `chat`, which is also what no command at all means: a guided start where the home is empty, then
 * the chat. */
#include "client/home/home_identity.h"
#include "client/keys/identity.h"
#include "client/ui/access.h"
#include "client/ui/chat.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/guide.h"
#include "client/ui/prompt.h"

#include <stdlib.h>
#include <unistd.h>

/* The terminal both streams are on, or none: a pipe is never asked. */
static bool open_prompt(const invocation_t *self, prompt_t *prompt)
{
    bool is_person = isatty(fileno(self->in)) && isatty(fileno(self->out));
    return is_person && prompt_open(prompt) == STATUS_OK;
}

/* Whether somebody lives in the home. */
static status_t look(invocation_t *self, bool *is_empty)
{
    home_t *home = NULL;
    char *path = NULL;
    *is_empty = false;
    status_t status = global_options_home(&self->globals, &path);
    if (status == STATUS_OK)
        status = home_new(&home, path);
    if (status == STATUS_OK)
        *is_empty = !home_has_identity(home);
    home_destroy(&home);
    free(path);
    return STATUS_OK; /* what is wrong with it access_open says better */
}

static status_t guided_start(invocation_t *self, prompt_t *prompt, access_t *access, name_t *group)
{
    home_t *home = NULL;
    struct identity *identity = NULL;
    char *path = NULL;
    status_t status = global_options_home(&self->globals, &path);
    if (status == STATUS_OK)
        status = home_new(&home, path);
    if (status == STATUS_OK)
        status = home_lock(home, "chat", self->globals.timeout_ms);
    if (status != STATUS_OK)
        complain(self, status, "the home %s can't be used", path);
    free(path);
    if (status == STATUS_OK)
        status = guide_account(self, prompt, home, &identity);
    if (status != STATUS_OK) {
        identity_destroy(&identity);
        home_destroy(&home);
        return status;
    }
    status = access_open_with(access, self, "chat", true, home, identity);
    if (status == STATUS_OK && !self->word_count)
        status = guide_group(self, prompt, access, group);
    return status;
}

/* The group named, else the only one, else the one a person chooses. */
static status_t choose(invocation_t *self, prompt_t *prompt, access_t *access, name_t *group)
{
    if (self->word_count)
        return name_parse(group, self->words[0]);
    return guide_choose_group(self, prompt, access, group);
}

/* A program that pipes texts into a group it isn't in is told so at once. */
static status_t check_membership(invocation_t *self, access_t *access, const name_t *group)
{
    status_t status = access_call(access, LOCAL_VERB_groups, NULL, "the groups can't be listed");
    if (status != STATUS_OK)
        return status;
    const local_groups_reply_t *reply = &access->message.body.groups_reply;
    for (size_t i = 0; i < reply->groups.count; i++)
        if (name_equal(&reply->groups.items[i].name, group))
            return STATUS_OK;
    return complain(self, STATUS_NOT_MEMBER, "there is no talking in %s", group->text);
}

status_t command_chat(invocation_t *self)
{
    access_t access = {0};
    name_t group = {0};
    prompt_t prompt;
    bool is_empty = false;
    bool is_person = open_prompt(self, &prompt);
    status_t status = is_person ? look(self, &is_empty) : STATUS_OK;
    if (is_empty)
        status = guided_start(self, &prompt, &access, &group);
    else if (status == STATUS_OK)
        status = access_open(&access, self, "chat", true);
    if (status == STATUS_OK && !group.text[0] && !(is_empty && !self->word_count))
        status = choose(self, is_person ? &prompt : NULL, &access, &group);
    if (is_person)
        prompt_close(&prompt);
    if (status == STATUS_OK && !is_person && group.text[0])
        status = check_membership(self, &access, &group);
    if (status == STATUS_OK)
        status = chat_run(self, &access, group.text[0] ? &group : NULL);
    access_close(&access, NULL);
    return status;
}
