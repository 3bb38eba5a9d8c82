/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The chat in line mode: one group is current, its lines arrive above a prompt. Nothing blocks:
 * each request is an ask whose reply is handled when it comes.
 *
 *   enter group -> groups -> history (what is new and a little before) -> subscribe -> lines as
 * they come
 */
#ifndef CONCLAVE_CLIENT_UI_CHAT_H
#define CONCLAVE_CLIENT_UI_CHAT_H

#include "client/ui/access.h"
#include "client/ui/chat_input.h"
#include "client/ui/line_editor.h"

typedef enum {
    ASK_SEND,
    ASK_ENTER,   /* groups, to enter one */
    ASK_LIST,    /* groups, to show them */
    ASK_REFRESH, /* groups, for unread counts and banners */
    ASK_LOAD,    /* history, when a group is entered */
    ASK_HISTORY, /* history, asked for by the user */
    ASK_SUBSCRIBE,
    ASK_SHOWN,
    ASK_WHOAMI,
    ASK_CREATE,
    ASK_JOIN,
    ASK_LEAVE,
    ASK_MEMBERS,
    ASK_WHO,
    ASK_ABSENT, /* members, to say whose leave waits for a new key */
    ASK_IGNORE,
    ASK_STATUS,
    ASK_OUTBOX, /* at the end */
} chat_ask_kind_t;

typedef struct {
    uint64_t id;
    chat_ask_kind_t kind;
    name_t name; /* of the group or person it is about */
} chat_ask_t;

typedef struct {
    name_t name;
    uint64_t state, unread;
    uint64_t said_unread; /* the count that was last mentioned */
    bool rekey_due;
} chat_group_t;

/* Owned by the main thread. */
typedef struct {
    invocation_t *invocation;
    access_t access;
    line_editor_t *editor;
    bool is_interactive;
    name_t me;
    name_t group;          /* current; empty: none */
    uint64_t shown_until;  /* of the current group: what was printed when it was entered */
    uint64_t last_time_ms; /* of the last line printed, for the day's line */
    chat_group_t *groups;
    size_t group_count;
    name_t *people; /* for completion */
    size_t person_count;
    chat_ask_t *asks;
    size_t ask_count;
    size_t sends;        /* of the asks */
    size_t holding;      /* of the asks: input waits for these */
    uint64_t held_ms;    /* boot clock: until when it waits */
    bool is_offline;     /* and shown so */
    uint64_t offline_ms; /* boot clock: when being out of reach is worth a banner; 0: it isn't */
    bool is_rekey_due;   /* and shown so: an admin who is there makes a new key within a moment */
    uint64_t due_ms;     /* boot clock: when it is worth a banner; 0: none is due */
    uint64_t refresh_ms; /* boot clock */
    bool is_ending;      /* no more input; waits for what is under way */
    uint64_t ending_ms;  /* boot clock: not longer */
    bool is_over;
} chat_t;

/* Runs a chat over an open access until the user ends it. group: the first one, or NULL. */
status_t chat_run(invocation_t *invocation, access_t *access, const name_t *group) MUST_CHECK;

/* chat_asks.c: requests, and what their replies lead to. */
status_t chat_ask(chat_t *self, chat_ask_kind_t kind, local_verb_t verb, const void *body,
                  const name_t *name) MUST_CHECK;
status_t chat_take_reply(chat_t *self, const local_message_t *reply) MUST_CHECK;
status_t chat_enter(chat_t *self, const name_t *group) MUST_CHECK;
status_t chat_refresh(chat_t *self) MUST_CHECK;
/* Says that a new key is due, once that has lasted. */
status_t chat_rekey_step(chat_t *self, uint64_t now) MUST_CHECK;
bool chat_ask_holds(chat_ask_kind_t kind);

/* chat_line.c: what the user typed. */
status_t chat_take_line(chat_t *self, const char *line) MUST_CHECK;
void chat_complete(void *context, const char *left, size_t word_start,
                   line_completion_t *completion);

/* chat_view.c: what is seen. */
void chat_say(chat_t *self, format_style_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void chat_banner(chat_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line made by format.h or list_view.h; taken over. */
void chat_print(chat_t *self, char *line);
void chat_print_line(chat_t *self, const local_line_record_t *line);
void chat_refused(chat_t *self, status_t status, text_t detail, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void chat_show_prompt(chat_t *self);
void chat_know_person(chat_t *self, const name_t *name);
chat_group_t *chat_group(chat_t *self, const name_t *name);
/* Says that the broker is out of reach, once that has lasted. */
void chat_offline_step(chat_t *self, uint64_t now);
status_t chat_take_push(chat_t *self, const local_message_t *push) MUST_CHECK;

#endif
