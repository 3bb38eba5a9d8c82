/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The member core's inner parts, for its own files only. One step: begin, handle one thing (which
 * marks what changed), work (start whatever is due), end (save what is marked, show what is ready).
 * All of a step's changes are one transaction.
 */
#ifndef CONCLAVE_CLIENT_CORE_MEMBER_H
#define CONCLAVE_CLIENT_CORE_MEMBER_H

#include "client/core/core.h"
#include "client/core/line_row.h"
#include "client/core/mail.h"
#include "client/core/roster_pages.h"
#include "client/core/session.h"
#include "client/core/vault_rows.h"
#include "client/keys/group_state.h"

/* Several join requests of one group may be unserved: a welcome may come for any of them. */
#define JOIN_TRIES_MAX    4
#define JOIN_RENEW_EPOCHS 32 /* a request's transcript is good for TRANSCRIPTS_KEPT epochs */
#define JOIN_RENEW_MS     60000
#define ASKS_MAX          1024 /* requests of screens that wait */
#define OUTBOX_MAX        1000
#define WAITING_MAX       1024
#define LINES_PER_PUSH    64

/*
 *   JOINING -welcome-> WELCOMED -its commit-> ACTIVE -leave-> LEAVING -own leave in the log-> LEFT
 * -join-> JOINING ACTIVE, LEAVING -removed-> LEFT     ACTIVE -keys of no more use-> LOST -leave->
 * LEAVING
 */
typedef enum {
    GROUP_NONE = 0,
    GROUP_JOINING,
    GROUP_WELCOMED,
    GROUP_ACTIVE,
    GROUP_LEAVING,
    GROUP_LEFT,
    GROUP_LOST,
} group_phase_t;

typedef struct {
    uint64_t index;
    uint64_t epoch; /* the group's when it was made */
    buffer_t request;
    secret_t prekey;
} join_try_t;

/* Somebody whose roster entry this device has verified. */
typedef struct {
    roster_member_t entry;
    uint64_t last_number; /* of the messages seen */
    bool is_counted;      /* last_number is where gaps count from */
    bool has_left;        /* left, and no commit removed the leaf yet: a rekey is due */
    uint64_t left_ms;
} known_member_t;

/* An event that was opened but whose sender isn't proven yet: an opened message, or a leave
 * statement. */
typedef struct {
    uint64_t sequence;
    uint8_t sub; /* its line's */
    uint32_t leaf;
    uint64_t epoch;
    uint64_t kind; /* EVENT_MESSAGE, EVENT_LEAVE */
    uint64_t time_ms;
    buffer_t bytes;       /* secret */
    uint64_t patience_ms; /* boot clock: later lines wait until then */
    bool is_released;     /* shown as a placeholder */
} waiting_t;

/* A text on its way. Sealed once it has a number. */
typedef struct {
    uint64_t index;
    uint64_t number; /* 0: never sealed */
    uint64_t epoch, generation;
    uint64_t typed_ms;
    trace_context_t trace; /* of typing it; all zero: none */
    buffer_t text;
    buffer_t sealed;
    bool is_acked; /* the broker has it; it leaves when it comes back in the log */
    bool is_stale; /* refused in its epoch: sealed again only in the next one */
    uint64_t sequence, time_ms;
    uint64_t acked_poll;      /* the polls begun before the ack: a later one must bring it */
    uint64_t screen, request; /* who waits for the answer; request 0: nobody */
} outbox_entry_t;

/* A line that is stored but not shown yet, since one before it waits. */
typedef struct {
    uint64_t sequence;
    uint8_t sub;
    buffer_t row;
} queued_line_t;

typedef struct {
    uint8_t id[GROUP_ID_BYTES];
    name_t name;
    group_phase_t phase;
    bool is_dirty; /* the own row changed */
    bool keys_dirty;
    bool is_new_keys;    /* the old rows are to be deleted first */
    group_state_t *keys; /* ACTIVE, LEAVING */
    /* Which of the broker's histories the cursor belongs to: a restore begins a new one. Zero: none
     * was seen yet. */
    uint8_t incarnation[INCARNATION_BYTES];
    uint8_t stopped_for[INCARNATION_BYTES]; /* in this one it can't go on; zero: none */
    /* A restored broker hands out again the sequence numbers of what it lost. Here they are not
     * used twice: each here is the broker's plus this. */
    uint64_t shift;
    uint64_t cursor;
    uint64_t left_at; /* where an earlier membership ended: a welcome from before is of no use */
    uint64_t next_number; /* of own messages */
    uint8_t next_sub;     /* of lines at the cursor's sequence */
    uint64_t sub_sequence;
    uint64_t hold_ms;
    name_t admitted_by;
    /* joining */
    bool is_creating;
    join_try_t *tries;
    size_t try_count;
    uint64_t next_try;
    uint64_t lookup_at_ms; /* boot clock */
    bool is_looking_up;
    bool is_asking;   /* a join call is under way */
    buffer_t welcome; /* sealed */
    uint64_t welcome_sequence;
    uint64_t bad_welcome_sequence;
    uint64_t done_sequence; /* a welcome that was used: to be acked; 0 none */
    /* leaving */
    buffer_t leave_statement;
    bool leave_called;
    bool leave_acked; /* the broker has it; the log is read to its end */
    /* roster */
    known_member_t *known; /* by leaf */
    size_t known_count, known_capacity;
    waiting_t *waiting; /* by sequence */
    size_t waiting_count, waiting_capacity;
    uint32_t wanted_leaf; /* a commit waits for this one's proof; UINT32_MAX none */
    bool is_proving;
    bool has_roster;       /* known is everybody */
    bool roster_failed;    /* not asked for again in this run: proofs come one by one */
    roster_pages_t *pages; /* NULL until a screen asks for the members */
    uint64_t prove_at_ms;  /* boot clock: not before */
    size_t prove_turn;     /* proofs that failed in a row: whose turn it is to be asked for */
    /* outbox */
    outbox_entry_t *outbox; /* in order */
    size_t outbox_count, outbox_capacity;
    uint64_t next_outbox;
    bool is_sending;
    bool is_held;        /* refused with REKEY_DUE or the like: not before a new epoch, or */
    uint64_t send_at_ms; /* boot clock: this time */
    bool is_out_of_step;
    /* lines */
    queued_line_t *queue;
    size_t queue_count, queue_capacity;
    uint64_t unread;
    /* What was said already, kept so that a new start doesn't say it again. */
    uint64_t stuck_sequence; /* a commit that can't be applied */
    uint64_t held_epoch;     /* texts wait in it */
    status_t alarm;          /* the last state that a poll told */
    status_t admin_alarm;    /* why the admin side can't serve */
} group_t;

typedef struct {
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    bool is_known; /* the key is pinned, not only the name ignored */
    bool is_ignored;
} pin_t;

typedef struct {
    uint64_t id;
    bool is_subscribed, is_all;
    name_t *groups;
    size_t group_count;
} screen_state_t;

/* A screen's request that is answered later. */
typedef struct {
    uint64_t screen, request;
    local_verb_t verb;
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint64_t stage;   /* pass: 1 admin side, 2 own side */
    uint64_t subject; /* what it waits for */
    name_t admin;
    trace_context_t trace;
} ask_t;

/* A poll task of this core. */
typedef struct {
    bool is_running;
    bool is_due;
    uint64_t at_ms;      /* boot clock of the next one */
    uint64_t started;    /* how many were begun */
    uint64_t finished;   /* the started number of the last one that ended with nothing more */
    uint64_t running_no; /* the started number of the one under way */
    uint64_t last_wall_ms;
} poll_task_t;

typedef struct {
    core_t base;
    core_config_t config;
    const identity_t *identity;
    vault_t *vault;
    session_t session;
    moment_t now;          /* of the step */
    effects_t *effects;    /* of the step */
    trace_context_t trace; /* of the screen's request that this step answers; else none */
    bool vault_is_new;
    group_t **groups;
    size_t group_count, group_capacity;
    pin_t *pins;
    size_t pin_count, pin_capacity;
    screen_state_t *screens;
    size_t screen_count, screen_capacity;
    ask_t *asks;
    size_t ask_count, ask_capacity;
    poll_task_t messages, keys;
    uint64_t pushed_bytes; /* since the last poll */
    size_t poll_turn; /* which group is asked for first: one that can't go on must not use up every
                         poll's budget */
    uint64_t push_count; /* of pushes to screens */
    uint64_t next_subject;
    mail_state_t admin;
    uint64_t unreadable; /* mail and frames that could not be read */
} member_core_t;

/* member.c */
void member_fatal(member_core_t *self, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* member_load.c: everything the vault holds, lines aside. */
MUST_CHECK status_t member_load(member_core_t *self);

/* member_groups.c: the list of groups and their own rows. */
group_t *member_group(member_core_t *self, const uint8_t id[static GROUP_ID_BYTES]);
/* The latest of that name, current ones first. NULL if there is none. */
group_t *member_group_named(member_core_t *self, const name_t *name);
group_t *member_group_add(member_core_t *self, const uint8_t id[static GROUP_ID_BYTES],
                          const name_t *name);
/* Forgets a group that never came to be. */
void member_group_drop(member_core_t *self, group_t *group);
/* It is left for good: the admin side erases its tree. Said again at each start, since a crash may
 * lose it. */
void member_mail_forget(member_core_t *self, const group_t *group);
/* Keys, outbox and proofs go; history stays. */
void member_group_end(member_core_t *self, group_t *group, group_phase_t phase, status_t why);
bool group_is_current(const group_t *group); /* ACTIVE or LEAVING */
bool group_is_polled(const group_t *group);
void group_row_write(const group_t *group, buffer_t *out);
MUST_CHECK status_t group_row_read(group_t *group, bytes_t bytes);
void group_destroy(group_t *group);
void member_groups_save(member_core_t *self);
bool group_is_admin(const member_core_t *self, const group_t *group);

/* member_restores.c: what a broker that was restored from a backup lacks, and what this device has.
 */
/* Logged in: asks for each group that was last seen in another of the broker's histories. */
void member_restores_begin(member_core_t *self);
void member_restored_answered(member_core_t *self, const call_t *call, status_t status,
                              const message_t *reply);
/* False: whether this device's place in the log is one in the broker's is not known (yet). Nothing
 * is read or sent meanwhile. */
bool group_is_settled(const member_core_t *self, const group_t *group);
/* It is known that it is none, and can't become one: who is in has to leave and join again. */
bool group_is_stopped(const member_core_t *self, const group_t *group);
/* It was left while stopped: what comes later comes after all that is here. */
void member_restore_forget(member_core_t *self, group_t *group);

/* member_pins.c */
pin_t *member_pin(member_core_t *self, const name_t *name);
/* Pins a key at first sight. STATUS_KEY_CHANGED if another one is pinned. */
MUST_CHECK status_t member_pin_check(member_core_t *self, const name_t *name,
                                     const uint8_t key[static KEY_BYTES]);
void member_pin_ignore(member_core_t *self, const name_t *name, bool on);
bool member_is_ignored(member_core_t *self, const name_t *name);
void pin_row_write(const pin_t *pin, buffer_t *out);
MUST_CHECK status_t pin_row_read(pin_t *pin, bytes_t bytes);

/* member_roster.c: who is proven, and events of those who aren't yet. */
known_member_t *group_known(group_t *group, uint32_t leaf);
known_member_t *member_know(member_core_t *self, group_t *group, const roster_member_t *entry,
                            bool is_new);
void member_known_save(member_core_t *self, group_t *group, const known_member_t *known);
void member_unknow(member_core_t *self, group_t *group, uint32_t leaf);
void known_row_write(const known_member_t *known, buffer_t *out);
MUST_CHECK status_t known_row_read(known_member_t *known, bytes_t bytes);
/* Keeps an event until its sender is proven; bytes are moved. */
void member_wait(member_core_t *self, group_t *group, waiting_t *waiting);
void waiting_row_write(const waiting_t *waiting, buffer_t *out);
MUST_CHECK status_t waiting_row_read(waiting_t *waiting, bytes_t bytes);
void waiting_wipe(waiting_t *waiting);
/* Resolves all events of a leaf whose sender is now proven by this entry. */
void member_resolve(member_core_t *self, group_t *group, const roster_member_t *entry);
void member_prove_work(member_core_t *self, group_t *group);
void member_proof_answered(member_core_t *self, const call_t *call, status_t status,
                           const message_t *reply);
uint64_t group_rekey_due_since(const group_t *group);

/* member_events.c */
/* In order, from poll or push. False: this event can't be applied yet, nor those after it. */
bool member_event(member_core_t *self, group_t *group, const event_record_t *event);
/* A message whose sender is proven: a line, unless it was seen. sub: of its line if that exists
 * already, else NULL. */
void member_accept_message(member_core_t *self, group_t *group, known_member_t *sender,
                           const roster_member_t *entry, const opened_message_t *opened,
                           uint64_t sequence, uint64_t time_ms, const uint8_t *sub);
/* leaver is NULL if its leaf is free again. */
void member_accept_leave(member_core_t *self, group_t *group, known_member_t *leaver,
                         const name_t *name, uint64_t sequence, uint64_t time_ms,
                         const uint8_t *sub);

/* member_commits.c */
bool member_commit_event(member_core_t *self, group_t *group, const event_record_t *event);
bool member_first_commit(member_core_t *self, group_t *group, const event_record_t *event);

/* member_lines.c */
/* Stores a line at its sequence and queues it for the screens; sub NULL takes the next one there,
 * else that line is replaced and pushed as late if it was shown. Returns its sub. */
uint8_t member_line(member_core_t *self, group_t *group, local_line_record_t *line,
                    const uint8_t *sub);
uint8_t member_notice(member_core_t *self, group_t *group, uint64_t sequence, uint64_t time_ms,
                      const char *notice, const name_t *who, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void member_lines_release(member_core_t *self);
uint64_t member_lines_deadline(const member_core_t *self);
void queued_line_wipe(queued_line_t *line);
void member_subscribe(member_core_t *self, uint64_t screen, uint64_t request,
                      const local_subscribe_request_t *body);
void member_shown(member_core_t *self, uint64_t screen, uint64_t request,
                  const local_shown_request_t *body);
void member_history(member_core_t *self, uint64_t screen, uint64_t request,
                    const local_history_request_t *body);

/* member_outbox.c */
void member_send(member_core_t *self, uint64_t screen, uint64_t request,
                 const local_send_request_t *body);
/* Tells who typed it why it waits, and that they needn't. It stays in the outbox. */
void member_outbox_excuse(member_core_t *self, outbox_entry_t *entry, status_t why,
                          const char *detail);
void member_outbox_count(member_core_t *self, uint64_t screen, uint64_t request,
                         const local_outbox_request_t *body);
void member_outbox_work(member_core_t *self, group_t *group);
void member_send_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply);
/* An own message came back. False if this device did not send it. */
bool member_outbox_confirm(member_core_t *self, group_t *group, const event_record_t *event);
/* Nothing of an earlier epoch comes any more. */
void member_outbox_new_epoch(member_core_t *self, group_t *group);
/* The broker was restored, to a log that ends at `end`: what it had acked behind that is sent
 * again.
 */
void member_outbox_restored(member_core_t *self, group_t *group, uint64_t end);
/* A poll brought the log to its head, or showed that it ends before the cursor: what was acked
 * before that poll began must have come. */
void member_outbox_read(member_core_t *self, group_t *group, uint64_t poll);
void member_outbox_end(member_core_t *self, group_t *group, status_t why);
void outbox_row_write(const outbox_entry_t *entry, buffer_t *out);
MUST_CHECK status_t outbox_row_read(outbox_entry_t *entry, bytes_t bytes);
void outbox_entry_wipe(outbox_entry_t *entry);
/* When a held text is to be tried again; UINT64_MAX if none is. */
uint64_t group_outbox_deadline(const member_core_t *self, const group_t *group);
/* Something could be sent now, or is on its way. */
bool group_outbox_is_busy(const member_core_t *self, const group_t *group);

/* member_joins.c */
void member_join(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name);
void member_create(member_core_t *self, uint64_t screen, uint64_t request,
                   const local_create_request_t *body);
void member_created(member_core_t *self, const mail_t *mail);
void member_mail_creating(member_core_t *self, group_t *group);
void member_lookup_answered(member_core_t *self, const call_t *call, status_t status,
                            const message_t *reply);
void member_join_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply);
void member_join_work(member_core_t *self, group_t *group);
/* False: it is of no use, and nothing changed. */
bool member_welcome(member_core_t *self, const pending_key_record_t *key);
/* It led nowhere: there may be another. */
void member_welcome_failed(group_t *group);
/* Admitted before the broker's answer to the request came. */
void member_joined(member_core_t *self, const uint8_t group[static GROUP_ID_BYTES]);
void member_tries_erase(member_core_t *self, group_t *group);
void join_try_wipe(join_try_t *self);
void join_row_write(const join_try_t *self, buffer_t *out);
MUST_CHECK status_t join_row_read(join_try_t *self, bytes_t bytes);

/* member_leaves.c: leaving, and closing the account. */
void member_leave(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name);
void member_leave_work(member_core_t *self, group_t *group);
void member_leave_answered(member_core_t *self, const call_t *call, status_t status,
                           const message_t *reply);
void member_unregister(member_core_t *self, uint64_t screen, uint64_t request);
void member_unregister_work(member_core_t *self);
void member_unregister_answered(member_core_t *self, const call_t *call, status_t status);

/* member_polls.c */
void member_polls_work(member_core_t *self);
void member_messages_answered(member_core_t *self, status_t status, const message_t *reply);
void member_keys_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply);
void member_pushed(member_core_t *self, const message_t *push);
void member_polls_now(member_core_t *self);
uint64_t member_polls_deadline(const member_core_t *self);
void member_pass(member_core_t *self, uint64_t screen, uint64_t request);
void member_pass_work(member_core_t *self);

/* member_screens.c: requests answered from what the core knows. */
void member_request(member_core_t *self, uint64_t screen, bytes_t frame);
void member_screen_gone(member_core_t *self, uint64_t screen);
screen_state_t *member_screen(member_core_t *self, uint64_t screen, bool make);
bool screen_wants(const screen_state_t *screen, const group_t *group);
void member_push_link(member_core_t *self, uint64_t screen, status_t cause, const char *reason);

/* member_answers.c */
void member_reply(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb,
                  status_t status, const void *body);
/* A refusal: all fields empty but detail, where the verb has one. */
void member_refuse(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb,
                   status_t status, const char *detail);
ask_t *member_ask(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb);
/* The next one of that verb from *at on that concerns the group (NULL: any); NULL at the end. */
ask_t *member_find_ask(member_core_t *self, size_t *at, local_verb_t verb, const uint8_t *group);
void member_ask_done(member_core_t *self, ask_t *ask);
/* The trace context of the first ask of that verb that concerns the group (NULL: any); NULL if
 * nobody asks. */
const trace_context_t *member_ask_trace(member_core_t *self, local_verb_t verb,
                                        const uint8_t *group);
/* Refuses all asks of a verb about a group. */
void member_refuse_asks(member_core_t *self, local_verb_t verb, const uint8_t *group,
                        status_t status, const char *detail);
/* The session can't serve for now, for a reason that waiting won't mend. */
void member_refuse_all_asks(member_core_t *self, status_t status, const char *detail);

/* member_queries.c */
void member_groups(member_core_t *self, uint64_t screen, uint64_t request);
void member_whoami(member_core_t *self, uint64_t screen, uint64_t request);
void member_status(member_core_t *self, uint64_t screen, uint64_t request);
void member_members(member_core_t *self, uint64_t screen, uint64_t request,
                    const local_members_request_t *body);
void member_roster_answered(member_core_t *self, const call_t *call, status_t status,
                            const message_t *reply);
/* After joining a group that fits a page: everybody's entry at once, instead of proof by proof. */
void member_roster_work(member_core_t *self, group_t *group);
void member_pending(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name);
void member_pending_answered(member_core_t *self, const mail_t *mail);

#endif
