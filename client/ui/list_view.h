/* SPDX-License-Identifier: MPL-2.0 */
/* Groups, members and what waits, as lines for people and objects for programs. Everything is made
 * safe here. */
#ifndef CONCLAVE_CLIENT_UI_LIST_VIEW_H
#define CONCLAVE_CLIENT_UI_LIST_VIEW_H

#include "client/local/local.h"
#include "client/ui/format.h"
#include "client/ui/json.h"

/* Lines without newline; the caller frees them. */
char *list_view_group(const format_t *format, const local_group_info_record_t *group);
char *list_view_member(const format_t *format, const local_member_info_record_t *member);
char *list_view_pending(const format_t *format, const local_pending_info_record_t *pending);

/* Each opens the object and adds all its members. */
void list_view_group_json(json_t *json, const local_group_info_record_t *group);
void list_view_member_json(json_t *json, const char *group,
                           const local_member_info_record_t *member);
void list_view_pending_json(json_t *json, const char *group,
                            const local_pending_info_record_t *pending);

/* "joining", "in", "left"...; static storage. */
const char *list_view_state(uint64_t state);

#endif
