/* SPDX-License-Identifier: MPL-2.0 */
/* `register`, `passwd` and `unregister`: what concerns the identity itself, and so needs the home's
 * lock (unregister asks the broker through the engine). */
#include "client/home/home_identity.h"
#include "client/home/home_socket.h"
#include "client/keys/words.h"
#include "client/ui/access.h"
#include "client/ui/account.h"
#include "client/ui/action_trace.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/output.h"
#include "client/ui/prompt.h"
#include "client/ui/unlock.h"
#include "proto/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Opens and locks; never handed over. */
static status_t lock_home(invocation_t *self, const char *role, home_t **home)
{
    char *path = NULL;
    *home = NULL;
    status_t status = global_options_home(&self->globals, &path);
    if (status != STATUS_OK) {
        complain(self, STATUS_USAGE, "no home is known");
        complain_advice(self, "give one with --home DIR");
        return STATUS_USAGE;
    }
    status = home_new(home, path);
    if (status == STATUS_OK)
        status = home_lock(*home, role, self->globals.timeout_ms);
    if (status != STATUS_OK) {
        int cause = errno;
        home_holder_t holder = {0};
        bool is_known = *home && home_holder(*home, &holder) == STATUS_OK && holder.pid;
        complain(self, status, "the home %s can't be used", path);
        if (status == STATUS_HOME_IN_USE && is_known) {
            text_buffer_t text = {0};
            text_buffer_add_format(&text, "process %llu holds it (conclave %s)",
                                   (unsigned long long)holder.pid, holder.role);
            complain_cause(self, text.bytes);
            text_buffer_wipe(&text);
        } else if (status == STATUS_IO_ERROR) {
            complain_cause(self, strerror(cause));
        }
    }
    free(path);
    return status;
}

static status_t say_registered(invocation_t *self, const identity_t *identity, const char *url)
{
    char words[WORDS_TEXT_BYTES], key[KEY_TEXT_BYTES];
    words_of_key(words, identity_key(identity), WORDS_VERIFY);
    key_to_text(key, identity_key(identity));
    if (!self->globals.json)
        return output_say(self, FORMAT_PLAIN, false, "%s is registered. Your words: %s",
                          identity_name(identity)->text, words);
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "registered");
    json_add_text(&json, "name", identity_name(identity)->text);
    json_add_text(&json, "key", key);
    json_add_text(&json, "words", words);
    json_add_text(&json, "broker", url);
    return output_json(self, &json);
}

/* An identity is there: one of this name may have missed the broker's answer. */
static status_t register_again(invocation_t *self, home_t *home, const name_t *name,
                               const char *url)
{
    identity_t *identity = NULL;
    status_t status = unlock_identity(self, home, &identity, NULL);
    if (status == STATUS_OK && !name_equal(identity_name(identity), name))
        status = complain(self, STATUS_IDENTITY_EXISTS, "%s is the home of %s already",
                          home_path(home), identity_name(identity)->text);
    if (status == STATUS_OK)
        status = account_finish(self, home, identity, url);
    if (status == STATUS_OK)
        status = say_registered(self, identity, url);
    identity_destroy(&identity);
    return status;
}

static status_t register_new(invocation_t *self, home_t *home, const name_t *name, const char *url)
{
    password_t password = {0};
    identity_t *identity = NULL;
    status_t status = unlock_new_password(self, self->globals.password_file,
                                          "A password for this identity", &password);
    if (status == STATUS_OK)
        status = account_create(self, home, name, &password, url, &identity);
    if (status == STATUS_OK)
        status = say_registered(self, identity, url);
    password_wipe(&password);
    identity_destroy(&identity);
    return status;
}

status_t command_register(invocation_t *self)
{
    home_t *home = NULL;
    name_t name;
    char url[HOME_BROKER_URL_BYTES];
    bool is_remembered;
    status_t status = name_parse(&name, self->words[0]);
    if (status == STATUS_OK)
        status = lock_home(self, "register", &home);
    if (status == STATUS_OK)
        status = unlock_broker(self, home, url, &is_remembered);
    if (status == STATUS_NOT_FOUND) {
        status = complain(self, STATUS_USAGE, "no broker is known");
        complain_advice(self, "give its address with --broker URL|FILE");
    }
    if (status == STATUS_OK)
        status = home_has_identity(home) ? register_again(self, home, &name, url)
                                         : register_new(self, home, &name, url);
    home_destroy(&home);
    return status;
}

static status_t replace_password(invocation_t *self, home_t *home, const identity_t *identity)
{
    password_t password = {0};
    buffer_t image = {0};
    status_t status =
        unlock_new_password(self, self->options.new_password_file, "The new password", &password);
    if (status == STATUS_OK)
        status = account_seal(self, identity, &password, &image);
    if (status == STATUS_OK) {
        status = home_identity_replace(home, buffer_view(&image));
        if (status != STATUS_OK)
            complain(self, status, "the new password was not stored");
    }
    if (status == STATUS_OK) {
        /* Opening it once makes the previous generation, under the old password, go. */
        identity_t *again = NULL;
        status = home_identity_open(home, password.bytes, password.size, &again);
        identity_destroy(&again);
        if (status != STATUS_OK)
            complain(self, status, "the identity does not open with the new password");
    }
    password_wipe(&password);
    buffer_wipe(&image);
    return status;
}

status_t command_passwd(invocation_t *self)
{
    home_t *home = NULL;
    identity_t *identity = NULL;
    status_t status = lock_home(self, "passwd", &home);
    if (status == STATUS_OK)
        status = unlock_identity(self, home, &identity, NULL);
    if (status == STATUS_OK)
        status = replace_password(self, home, identity);
    if (status == STATUS_OK && self->globals.json) {
        json_t json;
        json_init(&json);
        json_add_text(&json, "type", "password-changed");
        json_add_text(&json, "name", identity_name(identity)->text);
        status = output_json(self, &json);
    } else if (status == STATUS_OK) {
        status = output_say(self, FORMAT_PLAIN, false, "The password is changed.");
    }
    identity_destroy(&identity);
    home_destroy(&home);
    return status;
}

static status_t confirm_unregister(invocation_t *self)
{
    if (self->options.yes)
        return STATUS_OK;
    prompt_t prompt;
    bool yes = false;
    status_t status = prompt_open(&prompt);
    if (status != STATUS_OK) {
        status = complain(self, status, "unregistering can't be confirmed");
        complain_advice(self, "give --yes");
        return status;
    }
    status = prompt_confirm(&prompt,
                            "Your name stays reserved for ever, and keys and history in this home "
                            "are removed. Go on?",
                            false, &yes);
    prompt_close(&prompt);
    return status == STATUS_OK && !yes ? STATUS_INTERRUPTED : status;
}

status_t command_unregister(invocation_t *self)
{
    access_t access = {0};
    status_t status = confirm_unregister(self);
    if (status == STATUS_OK)
        status = access_open(&access, self, "unregister", false);
    if (status == STATUS_OK && access_is_attached(&access)) {
        status = complain(self, STATUS_HOME_IN_USE, "unregistering needs the home for itself");
        complain_cause(self, "another process of this home is running");
        complain_advice(self, "end it first");
    }
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_unregister, NULL, "you are still registered");
    if (status == STATUS_OK) {
        /* The vaults must be closed before they go; the lock stays with us until then. */
        access_close_engine(&access);
        status = home_identity_remove(access.home);
        if (status != STATUS_OK)
            complain(self, status, "unregistered, but the home's files were not removed");
    }
    access_close(&access, NULL);
    if (status != STATUS_OK)
        return status;
    if (!self->globals.json)
        return output_say(self, FORMAT_PLAIN, false,
                          "You are unregistered; the identity is removed from this home.");
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "unregistered");
    action_trace_add(&access.trace, &json);
    return output_json(self, &json);
}
