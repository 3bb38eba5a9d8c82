/* SPDX-License-Identifier: MPL-2.0 */
/* `whoami`, `status` and `ignore`: about oneself and this machine. */
#include "client/home/clock.h"
#include "client/ui/access.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/output.h"
#include "proto/endpoint.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_PATIENCE_MS 5000

static void add_text(json_t *json, const char *key, text_t text)
{
    json_add_bytes(json, key, text.data ? text.data : "", text.size);
}

static status_t print_me(invocation_t *self, const local_whoami_reply_t *me)
{
    char key[KEY_TEXT_BYTES];
    key_to_text(key, me->identity_key);
    if (self->globals.json) {
        json_t json;
        json_init(&json);
        json_add_text(&json, "type", "identity");
        json_add_text(&json, "name", me->name.text);
        json_add_text(&json, "key", key);
        add_text(&json, "words", me->words);
        add_text(&json, "broker", me->broker);
        return output_json(self, &json);
    }
    status_t status = output_say(self, FORMAT_BOLD, true, "%s", me->name.text);
    if (status == STATUS_OK)
        status = output_say(self, FORMAT_PLAIN, true, "key     %s", key);
    if (status == STATUS_OK)
        status = output_say(self, FORMAT_PLAIN, true, "words   %.*s", (int)me->words.size,
                            me->words.data ? me->words.data : "");
    if (status == STATUS_OK)
        status = output_say(self, FORMAT_PLAIN, true, "broker  %.*s", (int)me->broker.size,
                            me->broker.data ? me->broker.data : "");
    return status;
}

status_t command_whoami(invocation_t *self)
{
    access_t access = {0};
    status_t status = access_open(&access, self, "whoami", false);
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_whoami, NULL, "it is not known who you are");
    if (status == STATUS_OK)
        status = print_me(self, &access.message.body.whoami_reply);
    access_close(&access, NULL);
    return status;
}

static status_t print_status_json(invocation_t *self, const local_status_reply_t *state)
{
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "status");
    json_add_bool(&json, "reachable", state->reachable != 0);
    add_text(&json, "broker", state->broker);
    add_text(&json, "reason", state->reason);
    json_add_number(&json, "holder_pid", state->holder_pid);
    add_text(&json, "holder", state->holder);
    json_add_number(&json, "outbox", state->outbox);
    json_add_number(&json, "groups", state->groups);
    json_add_bool(&json, "member_session", state->member_session != 0);
    json_add_bool(&json, "admin_session", state->admin_session != 0);
    json_add_number(&json, "last_pass_messages", state->last_pass_messages_ms);
    json_add_number(&json, "last_pass_keys", state->last_pass_keys_ms);
    json_add_number(&json, "last_pass_joins", state->last_pass_joins_ms);
    json_add_number(&json, "last_pass_leaves", state->last_pass_leaves_ms);
    json_add_number(&json, "waiting_messages", state->waiting_messages);
    json_add_number(&json, "waiting_keys", state->waiting_keys);
    json_add_number(&json, "waiting_joins", state->waiting_joins);
    json_add_number(&json, "waiting_leaves", state->waiting_leaves);
    return output_json(self, &json);
}

static status_t print_task(invocation_t *self, const char *name, uint64_t last_ms, uint64_t waiting,
                           uint64_t now_ms)
{
    if (!last_ms)
        return output_say(self, FORMAT_PLAIN, true, "  %-16s never polled", name);
    uint64_t ago_s = now_ms > last_ms ? (now_ms - last_ms) / 1000 : 0;
    return output_say(self, FORMAT_PLAIN, true, "  %-16s polled %llu s ago, %llu waiting", name,
                      (unsigned long long)ago_s, (unsigned long long)waiting);
}

static status_t print_status(invocation_t *self, const local_status_reply_t *state)
{
    const uint64_t now_ms = clock_wall_ms();
    status_t status = output_say(
        self, state->reachable ? FORMAT_GOOD : FORMAT_BAD, true, "broker  %.*s: %s%s%.*s",
        (int)state->broker.size, state->broker.data ? state->broker.data : "",
        state->reachable ? "reachable" : "not reachable", state->reason.size ? ", " : "",
        (int)state->reason.size, state->reason.data ? state->reason.data : "");
    if (status == STATUS_OK)
        status =
            output_say(self, FORMAT_PLAIN, true, "home    held by process %llu (conclave %.*s)",
                       (unsigned long long)state->holder_pid, (int)state->holder.size,
                       state->holder.data ? state->holder.data : "");
    if (status == STATUS_OK)
        status = output_say(self, FORMAT_PLAIN, true, "outbox  %llu text%s wait%s",
                            (unsigned long long)state->outbox, state->outbox == 1 ? "" : "s",
                            state->outbox == 1 ? "s" : "");
    if (status == STATUS_OK)
        status = output_say(self, FORMAT_PLAIN, true, "tasks");
    if (status == STATUS_OK)
        status = print_task(self, "my messages", state->last_pass_messages_ms,
                            state->waiting_messages, now_ms);
    if (status == STATUS_OK)
        status =
            print_task(self, "keys for me", state->last_pass_keys_ms, state->waiting_keys, now_ms);
    if (status == STATUS_OK)
        status = print_task(self, "joins to serve", state->last_pass_joins_ms, state->waiting_joins,
                            now_ms);
    if (status == STATUS_OK)
        status = print_task(self, "leaves to serve", state->last_pass_leaves_ms,
                            state->waiting_leaves, now_ms);
    return status;
}

status_t command_status(invocation_t *self)
{
    access_t access = {0};
    status_t status = access_open(&access, self, "status", false);
    status_t passed = STATUS_OK;
    if (status == STATUS_OK) {
        uint64_t until_ms = access_deadline(&access);
        uint64_t patience_ms = access_now() + STATUS_PATIENCE_MS;
        passed = access_call_until(&access, LOCAL_VERB_pass, NULL,
                                   until_ms < patience_ms ? until_ms : patience_ms,
                                   "the broker did not answer");
        bool is_lost =
            passed == STATUS_INTERRUPTED || passed == STATUS_HOLDER_ENDED || !access.screen;
        status = is_lost ? passed : STATUS_OK;
    }
    char *line = passed == STATUS_OK ? NULL : complaint_save(self);
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_status, NULL, "there is no status");
    if (status == STATUS_OK)
        status = self->globals.json ? print_status_json(self, &access.message.body.status_reply)
                                    : print_status(self, &access.message.body.status_reply);
    if (status == STATUS_OK && passed != STATUS_OK) {
        status = complain(self, passed, "the broker did not answer");
        complain_cause(self, line);
    }
    free(line);
    access_close(&access, NULL);
    return status;
}

status_t command_ignore(invocation_t *self)
{
    access_t access = {0};
    local_ignore_request_t request = {.on = !self->options.off};
    status_t status = name_parse(&request.name, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "ignore", false);
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_ignore, &request, "nothing was changed");
    access_close(&access, NULL);
    if (status != STATUS_OK)
        return status;
    if (!self->globals.json)
        return output_say(self, FORMAT_PLAIN, false,
                          request.on ? "Nothing of %s is shown here any more."
                                     : "%s is shown again.",
                          request.name.text);
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "ignored");
    json_add_text(&json, "name", request.name.text);
    json_add_bool(&json, "on", request.on != 0);
    return output_json(self, &json);
}
