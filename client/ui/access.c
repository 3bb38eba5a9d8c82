/* SPDX-License-Identifier: MPL-2.0 */
/* How a command reaches its home: opening, taking over, closing. */
#include "client/ui/access.h"

#include "client/actors/engine.h"
#include "client/home/clock.h"
#include "client/home/home_socket.h"
#include "client/keys/identity.h"
#include "client/ui/complaint.h"
#include "client/ui/unlock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t access_now(void)
{
    return clock_boot_ms();
}

uint64_t access_deadline(const access_t *self)
{
    uint64_t now = clock_boot_ms();
    uint64_t timeout = self->invocation->globals.timeout_ms;
    return timeout > UINT64_MAX - now ? UINT64_MAX : now + timeout;
}

bool access_is_attached(const access_t *self)
{
    return self->screen && screen_is_remote(self->screen);
}

static status_t refuse_lock(invocation_t *self, const char *path, status_t status,
                            const home_holder_t *holder)
{
    int cause = errno;
    complain(self, status, "the home %s can't be used", path);
    if (status == STATUS_HOME_IN_USE && holder->pid) {
        text_buffer_t text = {0};
        text_buffer_add_format(&text, "process %llu holds it (conclave %s)",
                               (unsigned long long)holder->pid, *holder->role ? holder->role : "?");
        complain_cause(self, text.bytes);
        text_buffer_wipe(&text);
    } else if (status == STATUS_IO_ERROR && cause) {
        complain_cause(self, strerror(cause));
    }
    return status;
}

static status_t open_home(access_t *self)
{
    invocation_t *invocation = self->invocation;
    char *path = NULL;
    status_t status = global_options_home(&invocation->globals, &path);
    if (status != STATUS_OK) {
        complain(invocation, STATUS_USAGE, "no home is known");
        complain_advice(invocation, "give one with --home DIR");
        return STATUS_USAGE;
    }
    status = home_new(&self->home, path);
    if (status != STATUS_OK) {
        home_holder_t nobody = {0};
        refuse_lock(invocation, path, status, &nobody);
        if (status == STATUS_UNSAFE_PERMISSIONS)
            complain_cause(invocation, "others can enter this folder, or it is not yours");
    }
    free(path);
    return status;
}

static status_t start_engine(access_t *self)
{
    invocation_t *invocation = self->invocation;
    status_t status = STATUS_OK;
    if (!self->identity)
        status = unlock_identity(invocation, self->home, &self->identity, NULL);
    if (status != STATUS_OK)
        return status;
    status = unlock_broker(invocation, self->home, self->broker_url, &self->is_remembered);
    if (status == STATUS_NOT_FOUND) {
        complain(invocation, STATUS_USAGE, "no broker is known");
        complain_advice(invocation, "give its address with --broker URL|FILE");
        return STATUS_USAGE;
    }
    if (status != STATUS_OK)
        return status;
    engine_options_t options = {.identity = self->identity,
                                .broker_url = self->broker_url,
                                .role = self->role,
                                .poll_period_ms = invocation->globals.poll_ms,
                                .accept_screens = self->accepts_screens};
    status = engine_new(&self->engine, self->home, &options);
    if (status == STATUS_OK)
        status = engine_screen_new(self->engine, &self->screen);
    if (status != STATUS_OK)
        complain(invocation, status, "the home %s can't be opened", home_path(self->home));
    return status;
}

static status_t enter(access_t *self)
{
    home_holder_t holder = {0};
    status_t status = home_lock_or_attach(
        self->home, self->role, true, self->invocation->globals.timeout_ms, &self->screen, &holder);
    if (status != STATUS_OK)
        return refuse_lock(self->invocation, home_path(self->home), status, &holder);
    return self->screen ? STATUS_OK : start_engine(self);
}

status_t access_open(access_t *self, invocation_t *invocation, const char *role,
                     bool accepts_screens)
{
    self->invocation = invocation;
    self->role = role;
    self->accepts_screens = accepts_screens;
    status_t status = open_home(self);
    return status == STATUS_OK ? enter(self) : status;
}

status_t access_open_with(access_t *self, invocation_t *invocation, const char *role,
                          bool accepts_screens, home_t *home, struct identity *identity)
{
    self->invocation = invocation;
    self->role = role;
    self->accepts_screens = accepts_screens;
    self->home = home;
    self->identity = identity;
    return start_engine(self);
}

/* Everything but the home goes. */
static void disconnect(access_t *self, const char *reason)
{
    local_message_wipe(&self->message);
    screen_destroy(&self->screen);
    if (self->engine)
        engine_destroy(&self->engine, reason);
    identity_destroy(&self->identity);
    self->link_known = false;
}

void access_close_engine(access_t *self)
{
    disconnect(self, NULL);
}

status_t access_take_over(access_t *self)
{
    disconnect(self, NULL);
    status_t status = enter(self);
    if (status == STATUS_OK)
        complaint_forget(self->invocation);
    return status;
}

void access_close(access_t *self, const char *reason)
{
    disconnect(self, reason);
    home_destroy(&self->home);
    buffer_free(&self->frame);
    text_buffer_wipe(&self->link_reason);
    text_buffer_wipe(&self->ending_reason);
}
