/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/outlet.h"

#include <string.h>

static void report(outlet_t *self, link_event_t event)
{
    self->event = event;
    self->has_event = true;
}

static void open_link(outlet_t *self)
{
    if (link_open(self->link, self->key) != STATUS_OK) {
        report(self, LINK_DOWN);
        return;
    }
    report(self, LINK_UP);
}

void outlet_fail(outlet_t *self, status_t status, const char *reason)
{
    if (self->has_failed)
        return;
    self->has_failed = true;
    link_close(self->link);
    mailbox_t *to = self->screens ? self->screens : self->peer;
    if (!to)
        return;
    parcel_t *parcel = parcel_new(PARCEL_FAILED, NULL);
    parcel->status = status;
    buffer_append(&parcel->bytes, reason, strlen(reason));
    if (mailbox_send(to, &parcel) != STATUS_OK)
        return; /* the other side is stuck: there is nobody to tell */
}

static void apply_writes(outlet_t *self, uint64_t boot_ms, const writes_t *writes)
{
    if (writes->count == 0)
        return;
    status_t status = vault_apply(self->vault, writes);
    if (status != STATUS_OK) {
        char reason[128];
        snprintf(reason, sizeof reason, "the vault can't be written: %s", status_text(status));
        outlet_fail(self, status, reason);
    } else if (writes->erases_keys && self->checkpoint_at_ms == UINT64_MAX) {
        self->checkpoint_at_ms = boot_ms + self->checkpoint_period_ms;
    }
}

static void send_frames(outlet_t *self, frames_t *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        if (link_send(self->link, &frames->items[i].bytes) != STATUS_TOO_MANY)
            continue; /* a closed link loses frames as a broken one does: the core's deadlines know
                       */
        link_close(self->link);
        report(self, LINK_DOWN);
        return;
    }
}

static void send_mail(outlet_t *self, mailbox_t *to, parcel_kind_t kind, frames_t *frames)
{
    for (size_t i = 0; i < frames->count && to && !self->has_failed; i++) {
        parcel_t *parcel = parcel_new(kind, &frames->items[i].bytes);
        parcel->screen = frames->items[i].screen;
        if (mailbox_send(to, &parcel) != STATUS_OK)
            outlet_fail(self, STATUS_TOO_MANY, "another part of this process doesn't answer");
    }
}

void outlet_carry_out(outlet_t *self, uint64_t boot_ms, effects_t *effects)
{
    if (!self->has_failed)
        apply_writes(self, boot_ms, &effects->writes);
    if (!self->has_failed) {
        if (effects->link == LINK_OPEN)
            open_link(self);
        else if (effects->link == LINK_CLOSE)
            link_close(self->link);
        send_frames(self, &effects->frames);
        send_mail(self, self->peer, PARCEL_CORE, &effects->mail);
        send_mail(self, self->screens, PARCEL_SCREEN, &effects->screens);
    }
    if (effects->fatal != STATUS_OK)
        outlet_fail(self, effects->fatal,
                    effects->fatal_reason[0] ? effects->fatal_reason : status_text(effects->fatal));
    effects_wipe(effects);
}

void outlet_checkpoint(outlet_t *self, uint64_t boot_ms, bool is_last)
{
    if (!is_last && boot_ms < self->checkpoint_at_ms)
        return;
    self->checkpoint_at_ms = UINT64_MAX;
    if (vault_checkpoint(self->vault) != STATUS_OK)
        self->checkpoint_at_ms = boot_ms + self->checkpoint_period_ms;
}

bool outlet_flush(outlet_t *self)
{
    bool is_waiting = link_flush(self->link);
    if (self->peer)
        is_waiting |= mailbox_flush(self->peer);
    if (self->screens)
        is_waiting |= mailbox_flush(self->screens);
    return is_waiting;
}
