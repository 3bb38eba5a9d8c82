/* SPDX-License-Identifier: MPL-2.0 */
/* The password and what it opens. */
#include "client/ui/unlock.h"

#include "client/home/home_identity.h"
#include "client/keys/identity.h"
#include "client/ui/complaint.h"
#include "client/ui/prompt.h"
#include "proto/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static status_t from_file(invocation_t *self, const char *path, password_t *password)
{
    bool exposed = false;
    status_t status = password_read_file(password, path, &exposed);
    if (status == STATUS_OK) {
        if (exposed)
            warn_user(self, "others can read the password file %s", path);
        return STATUS_OK;
    }
    int cause = errno;
    complain(self, status, "no password could be read from %s", path);
    if (status == STATUS_IO_ERROR)
        complain_cause(self, strerror(cause));
    else if (status == STATUS_UNSAFE_PERMISSIONS)
        complain_cause(self, "others can write it");
    else if (status == STATUS_INVALID)
        complain_cause(self, "its first line is empty or holds a NUL");
    if (status == STATUS_UNSAFE_PERMISSIONS)
        complain_advice(self, "chmod go-w it");
    return status;
}

static status_t ask(invocation_t *self, const char *question, bool is_new, password_t *password)
{
    prompt_t prompt;
    status_t status = prompt_open(&prompt);
    if (status != STATUS_OK)
        return complain(self, status, "the password can't be asked for");
    status = is_new ? prompt_new_password(&prompt, question, password)
                    : prompt_password(&prompt, question, password);
    prompt_close(&prompt);
    if (status != STATUS_OK && status != STATUS_INTERRUPTED) {
        complain(self, status, "no password");
        if (status == STATUS_INVALID)
            complain_cause(self, is_new ? "it was not typed twice alike" : "it is empty");
    }
    return status;
}

status_t unlock_password(invocation_t *self, const char *question, password_t *password)
{
    if (self->globals.password_file)
        return from_file(self, self->globals.password_file, password);
    return ask(self, question, false, password);
}

status_t unlock_new_password(invocation_t *self, const char *file, const char *question,
                             password_t *password)
{
    if (file)
        return from_file(self, file, password);
    return ask(self, question, true, password);
}

static status_t refuse_identity(invocation_t *self, const home_t *home, status_t status)
{
    int cause = errno;
    complain(self, status, "the identity in %s was not opened", home_path(home));
    if (status == STATUS_UNSAFE_PERMISSIONS) {
        text_buffer_t advice = {0};
        text_buffer_add_format(&advice, "chmod 600 %s/identity*, after asking who read it",
                               home_path(home));
        complain_advice(self, advice.bytes);
        text_buffer_wipe(&advice);
    }
    if (status == STATUS_IO_ERROR && cause)
        complain_cause(self, strerror(cause));
    if (status == STATUS_INVALID)
        complain_cause(self, "there is not enough memory for the password's key derivation");
    return status;
}

status_t unlock_identity(invocation_t *self, const home_t *home, struct identity **out,
                         password_t *password)
{
    *out = NULL;
    if (!home_has_identity(home)) {
        status_t status =
            complain(self, STATUS_NO_IDENTITY, "%s holds nobody yet", home_path(home));
        return status;
    }
    unsigned tries = self->globals.password_file ? 1 : PROMPT_TRIES;
    const char *question = "Password";
    for (;;) {
        password_t typed = {0};
        status_t status = unlock_password(self, question, &typed);
        if (status != STATUS_OK)
            return status;
        status = home_identity_open(home, typed.bytes, typed.size, out);
        if (status == STATUS_OK && password) {
            password_wipe(password);
            *password = typed; /* transferred */
        } else {
            password_wipe(&typed);
        }
        if (status == STATUS_OK)
            return status;
        if (status != STATUS_WRONG_PASSWORD || --tries == 0)
            return refuse_identity(self, home, status);
        question = "Wrong. The password";
    }
}

/* The first line of a small file, blanks at its ends gone. */
static status_t read_url(const char *path, char url[static HOME_BROKER_URL_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return STATUS_IO_ERROR;
    bool got = fgets(url, HOME_BROKER_URL_BYTES, file) != NULL;
    int cause = errno;
    fclose(file);
    errno = cause;
    if (!got)
        url[0] = '\0';
    url[strcspn(url, "\r\n \t")] = '\0';
    return STATUS_OK;
}

static status_t given_broker(invocation_t *self, char url[static HOME_BROKER_URL_BYTES])
{
    const char *given = self->globals.broker;
    endpoint_t endpoint;
    if (strncmp(given, "tcp://", 6) != 0) {
        if (read_url(given, url) != STATUS_OK) {
            int cause = errno;
            complain(self, STATUS_BAD_ENDPOINT, "no broker's address could be read from %s", given);
            complain_cause(self, strerror(cause));
            return STATUS_BAD_ENDPOINT;
        }
    } else if (strlen(given) < HOME_BROKER_URL_BYTES) {
        memcpy(url, given, strlen(given) + 1);
    }
    if (endpoint_parse(&endpoint, url) != STATUS_OK)
        return complain(self, STATUS_BAD_ENDPOINT, "\"%s\" is no broker's address", given);
    return STATUS_OK;
}

status_t unlock_broker(invocation_t *self, const home_t *home,
                       char url[static HOME_BROKER_URL_BYTES], bool *is_remembered)
{
    char remembered[HOME_BROKER_URL_BYTES] = "";
    url[0] = '\0';
    *is_remembered = false;
    status_t known = home_broker_url(home, remembered);
    if (self->globals.broker) {
        status_t status = given_broker(self, url);
        *is_remembered = status == STATUS_OK && strcmp(url, remembered) == 0;
        return status;
    }
    if (known == STATUS_NOT_FOUND)
        return known;
    if (known != STATUS_OK)
        return complain(self, known, "the broker's address in %s can't be read", home_path(home));
    memcpy(url, remembered, sizeof remembered);
    *is_remembered = true;
    return STATUS_OK;
}
