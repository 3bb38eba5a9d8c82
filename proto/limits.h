/* SPDX-License-Identifier: MPL-2.0 */
/* Every limit both sides agree on. PROTOCOL.md section "Limits" lists the same numbers. */
#ifndef CONCLAVE_PROTO_LIMITS_H
#define CONCLAVE_PROTO_LIMITS_H

/* Versions of the wire protocol this code speaks. */
#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

/* Sizes, in bytes */
#define KEY_BYTES              32 /* identity, prekey, CURVE and every symmetric key */
#define HASH_BYTES             32
#define SIGNATURE_BYTES        64
#define GROUP_ID_BYTES         16
#define TOKEN_BYTES            32
#define CHALLENGE_BYTES        32
#define INCARNATION_BYTES      16
#define INVITE_BYTES           24 /* the operator's, to register with */
#define COMMIT_RANDOM_BYTES    16
#define MESSAGE_SALT_BYTES     8
#define WRAP_BYTES             48
#define NAME_MAX_BYTES         32
#define SOFTWARE_MAX_BYTES     64
#define TRACEPARENT_MAX_BYTES  64
#define TRACE_ID_BYTES         16
#define SPAN_ID_BYTES          8
#define BACKUP_PATH_MAX_BYTES  2048
#define BACKUP_PROBLEM_MAX_BYTES 512
#define TEXT_MAX_BYTES         (16 * 1024)
#define SEALED_MAX_BYTES       (TEXT_MAX_BYTES + 1024) /* header, sealed inner part and padding */
#define FIELDS_MAX_BYTES       512 /* a message's optional fields */
#define JOIN_REQUEST_MAX_BYTES 512
#define LEAVE_MAX_BYTES        128
#define COMMIT_MAX_BYTES       (128 * 1024)
#define WELCOME_MAX_BYTES      (4 * 1024)
#define EVENT_MAX_BYTES        COMMIT_MAX_BYTES
#define FRAME_MAX_BYTES        (320 * 1024) /* one ZeroMQ frame in either direction */
#define PUSH_FRAME_MAX_BYTES   (64 * 1024)
#define PUSH_WINDOW_BYTES      (256 * 1024) /* pushed beyond a member's acknowledged cursor */
#define POLL_BUDGET_MAX_BYTES  (256 * 1024) /* events in one poll reply; always at least one event */

/* Counts */
#define FRAME_MAX_MESSAGES     256  /* messages in one frame */
#define NESTING_MAX            8    /* MessagePack depth */
#define FRAME_MAX_ITEMS        65536 /* MessagePack items in one message */
#define TREE_DEPTH_MAX         17   /* 131,072 leaves */
#define TREE_LEAVES_MAX        (1u << TREE_DEPTH_MAX)
#define COMMIT_ADDS_MAX        64
#define COMMIT_REMOVALS_MAX    64
#define COMMIT_REFRESHES_MAX   64
#define COMMIT_ROLES_MAX       64
#define COMMIT_WRAPS_MAX       2200 /* (removals + refreshes) x depth, rounded up */
#define ADMINS_MAX             16
#define GROUPS_PER_USER_MAX    1024
#define POLL_CURSORS_MAX       1024
#define POLL_EVENTS_MAX        4096
#define PENDING_JOINS_MAX      4096 /* per group */
#define USERS_PER_REPLY_MAX    256 /* accounts in one answer to an operator */
#define PENDING_PER_REPLY_MAX  64
#define ROSTER_PAGE_MAX        512
#define IN_FLIGHT_MAX          64   /* unanswered requests of one connection */
#define SENDER_WINDOW          64   /* last accepted messages remembered per sender */
#define TRANSCRIPTS_KEPT       64   /* epochs whose transcript an admin still accepts in a join request */
#define SKIP_MAX               1000 /* ratchet steps forward at once */
#define TRACED_MAX             512  /* steps in one push to an operator */
#define EXPLAINED_READERS_MAX  1024
#define LOADS_MAX              64

/* Times, in milliseconds */
#define CHALLENGE_LIFETIME_MS  60000
#define HOLD_DEFAULT_MS        60000
#define HOLD_NEVER             0
#define HOLD_FOREVER           UINT64_MAX
#define POLL_PERIOD_DEFAULT_MS 5000
#define POLL_PERIOD_MIN_MS     100
#define CALL_DEADLINE_MS       5000

#endif
