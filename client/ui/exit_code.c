/* SPDX-License-Identifier: MPL-2.0 */
/* What each outcome means to the shell, and what its user can do about it. */
#include "client/ui/exit_code.h"

#include <stddef.h>

typedef struct {
    status_t status;
    int code;
    const char *advice;
} exit_row_t;

/* Whatever stands on the wire and is not named here was refused by the broker: 3. */
static const exit_row_t rows[] = {
    {STATUS_OK, EXIT_DONE, NULL},
    {STATUS_USAGE, EXIT_USAGE, NULL},
    {STATUS_BAD_NAME, EXIT_USAGE, NULL},
    {STATUS_TOO_LARGE, EXIT_USAGE, NULL},
    {STATUS_INVALID, EXIT_USAGE, NULL},
    {STATUS_BAD_ENDPOINT, EXIT_USAGE, "copy the line in the broker's broker.url"},
    {STATUS_NO_TERMINAL, EXIT_USAGE, "give --password-file FILE"},
    {STATUS_IDENTITY_EXISTS, EXIT_USAGE, "give another folder with --home DIR"},

    {STATUS_REGISTRATION_CLOSED, EXIT_REFUSED, NULL},
    {STATUS_INVITE_NEEDED, EXIT_REFUSED, NULL},
    {STATUS_BAD_INVITE, EXIT_REFUSED, NULL},
    {STATUS_DISABLED, EXIT_REFUSED, NULL},
    {STATUS_NAME_TAKEN, EXIT_REFUSED, "choose another name"},
    {STATUS_UNKNOWN_GROUP, EXIT_REFUSED, "conclave create makes it"},
    {STATUS_GROUP_TAKEN, EXIT_REFUSED, "conclave join asks to be let in"},
    {STATUS_NOT_MEMBER, EXIT_REFUSED, "conclave join asks to be let in"},
    {STATUS_LAST_ADMIN, EXIT_REFUSED, "wait until the others have left"},
    {STATUS_STILL_MEMBER, EXIT_REFUSED, "conclave leave GROUP, then try again"},
    {STATUS_REPLACED, EXIT_REFUSED, "end the other client of this identity"},

    {STATUS_UNREACHABLE, EXIT_UNREACHABLE, "is the broker running? conclave status tells more"},
    {STATUS_TIMED_OUT, EXIT_UNREACHABLE, "try again, or wait longer with --timeout SECONDS"},
    {STATUS_HOLDER_ENDED, EXIT_UNREACHABLE, "try again"},

    {STATUS_WRONG_PASSWORD, EXIT_PASSWORD, NULL},

    {STATUS_DAMAGED_FILE, EXIT_DAMAGED, "bring the home back from a backup"},
    {STATUS_NEWER_FORMAT, EXIT_DAMAGED, "upgrade this program"},
    {STATUS_NO_IDENTITY, EXIT_DAMAGED, "conclave register NAME makes one"},
    {STATUS_UNSAFE_PERMISSIONS, EXIT_DAMAGED, "chmod -R go-rwx it, after asking who read it"},
    {STATUS_IO_ERROR, EXIT_DAMAGED, NULL},
    {STATUS_DISK_FULL, EXIT_DAMAGED, "make room, then try again"},

    {STATUS_HOME_IN_USE, EXIT_IN_USE, "end it, or wait longer with --timeout SECONDS"},

    {STATUS_BAD_SIGNATURE, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_KEY, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_SEAL, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_CONFIRMATION, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_MAC, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_TRANSCRIPT, EXIT_UNTRUSTED, NULL},
    {STATUS_BAD_PROOF, EXIT_UNTRUSTED, NULL},
    {STATUS_UNPROVEN, EXIT_UNTRUSTED, NULL},
    {STATUS_KEY_ERASED, EXIT_UNTRUSTED, NULL},
    {STATUS_TOO_FAR_AHEAD, EXIT_UNTRUSTED, NULL},
    {STATUS_NO_KEY, EXIT_UNTRUSTED, NULL},
    {STATUS_KEY_CHANGED, EXIT_UNTRUSTED, "ask the person over another channel before you go on"},
    {STATUS_FORK, EXIT_UNTRUSTED, "tell the group's admin over another channel"},
    {STATUS_OUT_OF_STEP, EXIT_UNTRUSTED, "conclave leave, then conclave join renews the keys"},
    {STATUS_WRONG_BROKER, EXIT_UNTRUSTED, "check the address with whoever runs the broker"},
};

static const exit_row_t *find(status_t status)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return &rows[i];
    return NULL;
}

int exit_code_of(status_t status)
{
    const exit_row_t *row = find(status);
    if (row)
        return row->code;
    if (status == STATUS_INTERRUPTED)
        return EXIT_SIGNAL + 2;
    return EXIT_REFUSED;
}

const char *exit_code_advice(status_t status)
{
    const exit_row_t *row = find(status);
    return row ? row->advice : NULL;
}
