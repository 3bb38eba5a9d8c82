/* SPDX-License-Identifier: MPL-2.0 */
/* `groups`, `members` and `pending`: tables. */
#include "client/ui/access.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/list_view.h"
#include "client/ui/output.h"

#include <stdlib.h>
#include <string.h>

static status_t print_group(invocation_t *self, const local_group_info_record_t *group)
{
    if (!self->globals.json)
        return output_line(self, list_view_group(&self->out_format, group));
    json_t json;
    list_view_group_json(&json, group);
    return output_json(self, &json);
}

static int by_name(const void *a, const void *b)
{
    const local_group_info_record_t *left = a, *right = b;
    return strcmp(left->name.text, right->name.text);
}

status_t command_groups(invocation_t *self)
{
    access_t access = {0};
    status_t status = access_open(&access, self, "groups", false);
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_groups, NULL, "the groups can't be listed");
    if (status == STATUS_OK) {
        local_groups_reply_t *reply = &access.message.body.groups_reply;
        if (reply->groups.count)
            qsort(reply->groups.items, reply->groups.count, sizeof *reply->groups.items, by_name);
        else if (!self->globals.json)
            status = output_say(self, FORMAT_DIM, false,
                                "No groups yet: conclave create GROUP, or conclave join GROUP.");
        for (size_t i = 0; i < reply->groups.count && status == STATUS_OK; i++)
            status = print_group(self, &reply->groups.items[i]);
    }
    access_close(&access, NULL);
    return status;
}

static status_t print_member(invocation_t *self, const char *group,
                             const local_member_info_record_t *member)
{
    if (!self->globals.json)
        return output_line(self, list_view_member(&self->out_format, member));
    json_t json;
    list_view_member_json(&json, group, member);
    return output_json(self, &json);
}

/* Page by page. */
static status_t print_members(invocation_t *self, access_t *access, const name_t *group)
{
    local_members_request_t request = {.name = *group};
    status_t status;
    do {
        status = access_call(access, LOCAL_VERB_members, &request, "the members can't be listed");
        if (status != STATUS_OK)
            return status;
        const local_members_reply_t *reply = &access->message.body.members_reply;
        for (size_t i = 0; i < reply->members.count && status == STATUS_OK; i++)
            status = print_member(self, group->text, &reply->members.items[i]);
        bool is_last = reply->next_leaf <= request.first_leaf || reply->next_leaf >= UINT32_MAX;
        request.first_leaf = reply->next_leaf;
        if (is_last)
            break;
    } while (status == STATUS_OK);
    return status;
}

status_t command_members(invocation_t *self)
{
    access_t access = {0};
    name_t group;
    status_t status = name_parse(&group, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "members", false);
    if (status == STATUS_OK)
        status = access_pass(&access, "the broker was not asked");
    if (status == STATUS_OK)
        status = print_members(self, &access, &group);
    access_close(&access, NULL);
    if (status == STATUS_OK && !self->globals.json)
        status = output_say(self, FORMAT_DIM, false,
                            "Anybody who knows the group's name may be in. Words are the same on "
                            "both sides if nobody stands between you: compare them over another "
                            "channel.");
    return status;
}

status_t command_pending(invocation_t *self)
{
    access_t access = {0};
    local_pending_request_t request = {0};
    status_t status = name_parse(&request.name, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "pending", false);
    if (status == STATUS_OK)
        status = access_pass(&access, "the broker was not asked");
    if (status == STATUS_OK)
        status = access_call(&access, LOCAL_VERB_pending, &request, "what waits can't be listed");
    if (status == STATUS_OK) {
        const local_pending_reply_t *reply = &access.message.body.pending_reply;
        if (!reply->pending.count && !self->globals.json)
            status = output_say(self, FORMAT_DIM, false, "Nobody waits.");
        for (size_t i = 0; i < reply->pending.count && status == STATUS_OK; i++) {
            if (!self->globals.json) {
                status = output_line(
                    self, list_view_pending(&self->out_format, &reply->pending.items[i]));
                continue;
            }
            json_t json;
            list_view_pending_json(&json, request.name.text, &reply->pending.items[i]);
            status = output_json(self, &json);
        }
    }
    access_close(&access, NULL);
    return status;
}
