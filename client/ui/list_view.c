/* SPDX-License-Identifier: MPL-2.0 */
/* Groups, members and what waits, as lines for people and objects for programs. */
#include "client/ui/list_view.h"

#include "client/ui/text_buffer.h"
#include "proto/endpoint.h"

#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 16

static void add(text_buffer_t *out, char *part)
{
    text_buffer_add_text(out, part);
    free(part);
}

/* Longer names push the rest to the right: they are never cut. */
static void add_name(text_buffer_t *out, const format_t *format, format_style_t style,
                     const char *name)
{
    size_t size = strlen(name);
    add(out, format_cell(format, style, name, size > NAME_COLUMNS ? size : NAME_COLUMNS));
    text_buffer_add_text(out, "  ");
}

const char *list_view_state(uint64_t state)
{
    static const char *const names[] = {"none",    "joining", "welcomed", "in",
                                        "leaving", "left",    "lost"};
    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

char *list_view_group(const format_t *format, const local_group_info_record_t *group)
{
    static const char *const states[] = {
        [LOCAL_GROUP_JOINING] = "waiting to be let in",
        [LOCAL_GROUP_WELCOMED] = "let in, keys on their way",
        [LOCAL_GROUP_LEAVING] = "leaving",
        [LOCAL_GROUP_LEFT] = "left; history only",
        [LOCAL_GROUP_LOST] = "out of step; history only",
    };
    text_buffer_t out = {0};
    add_name(&out, format, FORMAT_BOLD, group->name.text);
    if (group->state == LOCAL_GROUP_ACTIVE) {
        char *words = text_new(group->words.data, group->words.size);
        add(&out, format_group_line(format, group->epoch, group->members, *words ? words : NULL));
        free(words);
    } else {
        const char *state =
            group->state < sizeof states / sizeof states[0] ? states[group->state] : NULL;
        add(&out, format_styled(format, FORMAT_DIM, state ? state : "not in"));
    }
    if (group->admin)
        text_buffer_add_text(&out, format->ascii ? " | admin" : " · admin");
    if (group->unread) {
        text_buffer_t unread = {0};
        text_buffer_add_format(&unread, "%s%llu unread", format->ascii ? " | " : " · ",
                               (unsigned long long)group->unread);
        add(&out, format_styled(format, FORMAT_GOOD, unread.bytes));
        text_buffer_wipe(&unread);
    }
    if (group->rekey_due_since_ms)
        add(&out,
            format_styled(format, FORMAT_WARNING,
                          format->ascii ? " | waiting for a new key" : " · waiting for a new key"));
    if (group->state == LOCAL_GROUP_ACTIVE && !group->verified)
        add(&out, format_styled(format, FORMAT_DIM, format->ascii ? " | open" : " · open"));
    return text_buffer_take(&out);
}

void list_view_group_json(json_t *json, const local_group_info_record_t *group)
{
    json_init(json);
    json_add_text(json, "type", "group");
    json_add_text(json, "group", group->name.text);
    json_add_text(json, "state", list_view_state(group->state));
    json_add_number(json, "epoch", group->epoch);
    json_add_number(json, "members", group->members);
    json_add_number(json, "unread", group->unread);
    json_add_bool(json, "admin", group->admin != 0);
    json_add_bool(json, "verified", group->verified != 0);
    json_add_number(json, "rekey_due_since", group->rekey_due_since_ms);
    json_add_bytes(json, "words", group->words.data ? group->words.data : "", group->words.size);
}

char *list_view_member(const format_t *format, const local_member_info_record_t *member)
{
    text_buffer_t out = {0};
    size_t size = strlen(member->name.text);
    add(&out, format_name(format, member->name.text));
    text_buffer_add_repeated(&out, ' ', size < NAME_COLUMNS ? NAME_COLUMNS - size + 2 : 2);
    add(&out, format_cell(format, FORMAT_PLAIN, member->role ? "admin" : "", 5));
    text_buffer_add_text(&out, "  ");
    char *words = text_new(member->words.data, member->words.size);
    add(&out, format_styled(format, FORMAT_BOLD, words));
    free(words);
    if (member->left)
        add(&out, format_styled(format, FORMAT_WARNING, " (left; waiting for a new key)"));
    if (member->ignored)
        add(&out, format_styled(format, FORMAT_DIM, " (ignored)"));
    return text_buffer_take(&out);
}

void list_view_member_json(json_t *json, const char *group,
                           const local_member_info_record_t *member)
{
    char key[KEY_TEXT_BYTES];
    key_to_text(key, member->identity_key);
    json_init(json);
    json_add_text(json, "type", "member");
    json_add_text(json, "group", group);
    json_add_text(json, "name", member->name.text);
    json_add_text(json, "role", member->role ? "admin" : "member");
    json_add_number(json, "leaf", member->leaf);
    json_add_number(json, "epoch_added", member->epoch_added);
    json_add_bool(json, "left", member->left != 0);
    json_add_bool(json, "ignored", member->ignored != 0);
    json_add_text(json, "key", key);
    json_add_bytes(json, "words", member->words.data ? member->words.data : "", member->words.size);
}

char *list_view_pending(const format_t *format, const local_pending_info_record_t *pending)
{
    text_buffer_t out = {0};
    bool is_join = pending->task == TASK_JOINS;
    size_t size = strlen(pending->name.text);
    add(&out, format_name(format, pending->name.text));
    text_buffer_add_repeated(&out, ' ', size < NAME_COLUMNS ? NAME_COLUMNS - size + 2 : 2);
    text_buffer_add_text(&out, is_join ? "waits to be let in  " : "left: a new key is due  ");
    char *words = text_new(pending->words.data, pending->words.size);
    add(&out, format_styled(format, FORMAT_BOLD, words));
    free(words);
    return text_buffer_take(&out);
}

void list_view_pending_json(json_t *json, const char *group,
                            const local_pending_info_record_t *pending)
{
    json_init(json);
    json_add_text(json, "type", "pending");
    json_add_text(json, "group", group);
    json_add_text(json, "name", pending->name.text);
    json_add_text(json, "task", pending->task == TASK_JOINS ? "join" : "leave");
    json_add_number(json, "since", pending->since_ms);
    json_add_bytes(json, "words", pending->words.data ? pending->words.data : "",
                   pending->words.size);
}
