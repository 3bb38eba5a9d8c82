/* SPDX-License-Identifier: MPL-2.0 */
/* Making an identity in a home and publishing it at a broker. */
#include "client/ui/account.h"

#include "client/actors/registration.h"
#include "client/home/home_identity.h"
#include "client/ui/action_trace.h"
#include "client/ui/complaint.h"
#include "client/ui/signals.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

identity_strength_t account_strength(const invocation_t *self)
{
    const char *kdf = self->options.kdf;
    return kdf && strcmp(kdf, "interactive") == 0 ? IDENTITY_INTERACTIVE : IDENTITY_MODERATE;
}

status_t account_seal(invocation_t *self, const identity_t *identity, const password_t *password,
                      buffer_t *image)
{
    bytes_t bytes = {(const uint8_t *)password->bytes, password->size};
    status_t status = identity_seal(identity, bytes, account_strength(self), image);
    if (status != STATUS_OK) {
        complain(self, status, "the identity can't be sealed");
        complain_cause(self, "there is not enough memory for the password's key derivation");
        complain_advice(self, "--kdf interactive needs less");
    }
    return status;
}

static bool was_interrupted(void *context)
{
    invocation_t *self = context;
    int number = signals_take(self->signal_fd);
    if (number && number != SIGWINCH)
        self->signal_number = number;
    return self->signal_number != 0;
}

/* --invite's bytes; *is_given false if there is none. */
static status_t read_invite(invocation_t *self, uint8_t out[static INVITE_BYTES], bool *is_given)
{
    const char *text = self->options.invite;
    size_t size = 0;
    *is_given = text != NULL;
    if (!text || (sodium_base642bin(out, INVITE_BYTES, text, strlen(text), NULL, &size, NULL,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
                  size == INVITE_BYTES))
        return STATUS_OK;
    complain(self, STATUS_USAGE, "the invite is not whole");
    complain_advice(self, "it is 32 letters, digits, - and _, as the broker's operator gave it");
    return STATUS_USAGE;
}

static status_t publish(invocation_t *self, const identity_t *identity, const char *broker_url,
                        bool *was_sent)
{
    registration_t order = {.identity = identity,
                            .broker_url = broker_url,
                            .timeout_ms = self->globals.timeout_ms,
                            .is_cancelled = was_interrupted,
                            .context = self};
    uint8_t invite[INVITE_BYTES];
    bool is_invited;
    *was_sent = false;
    status_t status = read_invite(self, invite, &is_invited);
    if (status != STATUS_OK)
        return status;
    order.invite = is_invited ? invite : NULL;
    if (self->globals.trace)
        action_trace_make(&order.trace);
    status = registration_run(&order, was_sent);
    sodium_memzero(invite, sizeof invite);
    if (status != STATUS_OK && status != STATUS_INTERRUPTED)
        complain(self, status, "%s was not registered at %.*s", identity_name(identity)->text,
                 (int)strcspn(broker_url, "#"), broker_url);
    if (status == STATUS_TIMED_OUT && *was_sent)
        complain_advice(self, "run the same command again to find out and finish");
    return status;
}

static status_t remember(invocation_t *self, home_t *home, const char *broker_url)
{
    status_t status = home_remember_broker(home, broker_url);
    if (status != STATUS_OK) {
        int cause = errno;
        complain(self, status, "the broker's address can't be kept in %s", home_path(home));
        if (status == STATUS_IO_ERROR)
            complain_cause(self, strerror(cause));
    }
    return status;
}

status_t account_finish(invocation_t *self, home_t *home, const identity_t *identity,
                        const char *broker_url)
{
    bool was_sent;
    status_t status = publish(self, identity, broker_url, &was_sent);
    return status == STATUS_OK ? remember(self, home, broker_url) : status;
}

static status_t store(invocation_t *self, home_t *home, const identity_t *identity,
                      const password_t *password)
{
    buffer_t image = {0};
    status_t status = account_seal(self, identity, password, &image);
    if (status == STATUS_OK) {
        status = home_identity_create(home, buffer_view(&image));
        int cause = errno;
        if (status != STATUS_OK)
            complain(self, status, "the identity can't be stored in %s", home_path(home));
        if (status == STATUS_IO_ERROR)
            complain_cause(self, strerror(cause));
    }
    buffer_wipe(&image);
    return status;
}

status_t account_create(invocation_t *self, home_t *home, const name_t *name,
                        const password_t *password, const char *broker_url, identity_t **out)
{
    *out = identity_new(name);
    status_t status = store(self, home, *out, password);
    if (status != STATUS_OK)
        return status;
    bool was_sent = false;
    status = publish(self, *out, broker_url, &was_sent);
    if (status == STATUS_OK)
        return remember(self, home, broker_url);
    bool is_unknown = was_sent && (status == STATUS_TIMED_OUT || status == STATUS_INTERRUPTED ||
                                   status == STATUS_IO_ERROR);
    if (is_unknown) /* the broker may have it, and without this key the name is lost */
        (void)remember(self, home, broker_url);
    else if (home_identity_remove(home) != STATUS_OK)
        warn_user(self, "the unregistered identity in %s could not be removed", home_path(home));
    return status;
}
