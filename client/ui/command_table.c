/* SPDX-License-Identifier: MPL-2.0 */
/* All commands: the table that help, parsing and dispatch come from. */
#include "client/ui/command_table.h"

#include <string.h>

#define FIELD(name)   offsetof(command_options_t, name)
#define COUNT(rows)   (sizeof(rows) / sizeof(rows)[0])
#define OPTIONS(rows) .options = (rows), .option_count = COUNT(rows)
#define ANY           SIZE_MAX

static const option_row_t register_options[] = {
    {"invite", 0, OPTION_TEXT, "INVITE", "the operator's invite for this name",
     FIELD(invite), 0, 0},
    {"kdf", 0, OPTION_CHOICE, "interactive|moderate",
     "the cost of a guess (default moderate: 256 MB)", FIELD(kdf), 0, 0},
};
static const option_row_t passwd_options[] = {
    {"new-password-file", 0, OPTION_TEXT, "FILE", "take the new password from FILE's first line",
     FIELD(new_password_file), 0, 0},
    {"kdf", 0, OPTION_CHOICE, "interactive|moderate",
     "the cost of a guess (default moderate: 256 MB)", FIELD(kdf), 0, 0},
};
static const option_row_t unregister_options[] = {
    {"yes", 'y', OPTION_FLAG, NULL, "don't ask", FIELD(yes), 0, 0},
};
static const option_row_t join_options[] = {
    {"wait", 0, OPTION_SECONDS, "SECONDS", "wait that long to be let in", FIELD(wait_ms), 0, 0},
};
static const option_row_t send_options[] = {
    {"no-queue", 0, OPTION_FLAG, NULL, "drop what can't be sent now", FIELD(no_queue), 0, 0},
};
static const option_row_t listen_options[] = {
    {"count", 'n', OPTION_NUMBER, "N", "end after N messages", FIELD(count), 0, 0},
    {"wait", 0, OPTION_SECONDS, "SECONDS", "end after that time", FIELD(wait_ms), 0, 0},
};
static const option_row_t history_options[] = {
    {"last", 'n', OPTION_NUMBER, "N", "how many lines (default 50)", FIELD(last), 1, 0},
};
static const option_row_t ignore_options[] = {
    {"off", 0, OPTION_FLAG, NULL, "show them again", FIELD(off), 0, 0},
};

const command_row_t command_table[] = {
    {.name = "register",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     OPTIONS(register_options),
     .summary = "make an identity and publish its name and key",
     .details = "Makes a key pair in the home, locked by a password that is asked for twice, and "
                "registers NAME at the broker, which is remembered. The private key never leaves "
                "this machine. Needs --broker the first time, and --invite where the operator lets "
                "only invited people in. If the broker's answer got lost, the "
                "same command finishes the registration.",
     .run = command_register},
    {.name = "create",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     .summary = "make a group and be its admin",
     .details = "Anybody who asks by its name is let in by an admin's client.",
     .run = command_create},
    {.name = "join",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     OPTIONS(join_options),
     .summary = "ask to be let into a group",
     .details = "Ends when the broker has stored the request; with --wait when an admin's client "
                "has let you in (exit 4 if not in time; the request stays). Says who did, and the "
                "words to compare with that person over another channel.",
     .run = command_join,
     .is_repeatable = true},
    {.name = "leave",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     .summary = "leave a group; its history stays readable here",
     .details = "The group gets a new key at once, so what is said from now on is closed to you. "
                "The only admin can't leave while others are in (LAST_ADMIN).",
     .run = command_leave,
     .is_repeatable = true},
    {.name = "send",
     .arguments = "GROUP [TEXT...]",
     .words_min = 1,
     .words_max = ANY,
     .names = 1,
     OPTIONS(send_options),
     .summary = "send a text, or lines of standard input",
     .details =
         "Words are joined by blanks. Without TEXT each line of standard input is a message, "
         "sent as it comes. Exit 0: the broker has stored every one. Exit 4: some wait, "
         "sealed, in the outbox (how many is said), and the next command sends them, in "
         "order and once. A text has at most 16 KiB of UTF-8.",
     .run = command_send},
    {.name = "listen",
     .arguments = "[GROUP...]",
     .words_max = ANY,
     .names = ANY,
     OPTIONS(listen_options),
     .summary = "print what is new, then follow",
     .details = "Starts with what no earlier listen or chat of this home has shown, oldest first. "
                "--count counts messages, not notices; exit 4 if fewer came within --wait. Takes "
                "commands of other processes meanwhile.",
     .run = command_listen},
    {.name = "history",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     OPTIONS(history_options),
     .summary = "print the last lines of a group",
     .details = "From this machine, without the broker, also after leaving.",
     .run = command_history,
     .is_repeatable = true},
    {.name = "groups",
     .arguments = "",
     .summary = "list your groups, with unread counts",
     .details = "From this machine, without the broker.",
     .run = command_groups,
     .is_repeatable = true},
    {.name = "whoami",
     .arguments = "",
     .summary = "print your name, key and words",
     .details = "From this machine, without the broker.",
     .run = command_whoami,
     .is_repeatable = true},
    {.name = "members",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     .summary = "list who is in a group, with safety words",
     .details = "Compare the words with each person over another channel: they are the same on "
                "both sides if nobody stands between you.",
     .run = command_members,
     .is_repeatable = true},
    {.name = "pending",
     .arguments = "GROUP",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     .summary = "list who waits to be let in or rekeyed out",
     .details = "For admins. What can be served is served meanwhile.",
     .run = command_pending,
     .is_repeatable = true},
    {.name = "serve",
     .arguments = "",
     .summary = "let people in, rekey and receive, without a screen",
     .details =
         "For an admin who should always be there. Takes commands of other processes of this "
         "home, which then need no password.",
     .run = command_serve},
    {.name = "chat",
     .arguments = "[GROUP]",
     .words_max = 1,
     .names = 1,
     .summary = "talk; also what conclave alone opens",
     .details = "In an empty home it first asks for a name, a password and the broker. Type a line "
                "and press Enter; /help lists what else there is.",
     .run = command_chat},
    {.name = "status",
     .arguments = "",
     .summary = "is the broker reachable, and what waits",
     .details = "Exit 4 if the broker can't be reached.",
     .run = command_status,
     .is_repeatable = true},
    {.name = "ignore",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .names = 1,
     OPTIONS(ignore_options),
     .summary = "show nothing of NAME any more, here",
     .details = "Only on this machine; nobody is told.",
     .run = command_ignore,
     .is_repeatable = true},
    {.name = "passwd",
     .arguments = "",
     OPTIONS(passwd_options),
     .summary = "change the password",
     .details =
         "Asks for the old one, then twice for the new one. Keys and history stay. Old copies "
         "of the home still open with the old password.",
     .run = command_passwd},
    {.name = "unregister",
     .arguments = "",
     OPTIONS(unregister_options),
     .summary = "give the name up and remove the identity",
     .details = "Leave every group first. The name stays reserved: nobody can take it again. Keys "
                "and history in this home are removed.",
     .run = command_unregister},
    {.name = "help",
     .arguments = "[COMMAND]",
     .words_max = 1,
     .summary = "show help",
     .details = "",
     .run = command_help},
};
const size_t command_count = COUNT(command_table);

const command_row_t *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[COUNT(command_table)];
    for (size_t i = 0; i < command_count; i++)
        names[i] = command_table[i].name;
    return options_nearest(name, names, command_count);
}
