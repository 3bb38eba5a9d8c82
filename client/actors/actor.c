/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/actor.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/actors/link.h"
#include "client/actors/outlet.h"
#include "client/home/clock.h"
#include "proto/memory.h"

/* How much of each source one turn takes, so that none starves another. */
enum { TURN_FRAMES = 64, TURN_MAIL = 256, FLUSH_RETRY_MS = 10, MIN_PAUSE_MS = 1 };

/* Timer, pipe, link, its monitor, peer, screens. */
#define SOURCES_MAX 6

struct actor {
    actor_config_t config;
    zactor_t *thread;
    zsock_t *pipe;
    link_t *link;
    int timer; /* on the boot clock: a machine that wakes up fires it at once */
    outlet_t outlet;
    moment_t now; /* of this turn */
    bool is_ending;
};

/* Carries a step out, and the steps that its link action leads to. */
static void finish_step(actor_t *self, effects_t *effects)
{
    core_t *core = self->config.core;
    outlet_carry_out(&self->outlet, self->now.boot_ms, effects);
    while (self->outlet.has_event && !self->outlet.has_failed) {
        self->outlet.has_event = false;
        const uint8_t *key = self->outlet.event == LINK_UP ? self->outlet.key : NULL;
        core->ops->link(core, self->now, self->outlet.event, key, effects);
        outlet_carry_out(&self->outlet, self->now.boot_ms, effects);
    }
}

static void take_commands(actor_t *self)
{
    char *command;
    while ((command = zstr_recv_nowait(self->pipe)) != NULL) {
        if (streq(command, "$TERM"))
            self->is_ending = true;
        zstr_free(&command);
    }
}

static void take_link_events(actor_t *self)
{
    core_t *core = self->config.core;
    link_event_t event;
    while (!self->outlet.has_failed && link_next_event(self->link, &event)) {
        effects_t effects = {0};
        core->ops->link(core, self->now, event, NULL, &effects);
        finish_step(self, &effects);
    }
}

static void take_frames(actor_t *self)
{
    core_t *core = self->config.core;
    buffer_t frame = {0};
    for (int i = 0; i < TURN_FRAMES && !self->outlet.has_failed; i++) {
        if (!link_receive(self->link, &frame))
            break;
        effects_t effects = {0};
        core->ops->frame(core, self->now, buffer_view(&frame), &effects);
        finish_step(self, &effects);
    }
    buffer_wipe(&frame);
}

static void feed_mail(actor_t *self, parcel_t *parcel)
{
    core_t *core = self->config.core;
    bytes_t bytes = buffer_view(&parcel->bytes);
    effects_t effects = {0};
    switch (parcel->kind) {
    case PARCEL_CORE:
        core->ops->mail(core, self->now, bytes, &effects);
        break;
    case PARCEL_SCREEN:
        core->ops->request(core, self->now, parcel->screen, bytes, &effects);
        break;
    case PARCEL_SCREEN_GONE:
        core->ops->screen_gone(core, self->now, parcel->screen, &effects);
        break;
    case PARCEL_FAILED:
        effects.fatal = parcel->status;
        snprintf(effects.fatal_reason, sizeof effects.fatal_reason, "%.*s", (int)bytes.size,
                 bytes.size > 0 ? (const char *)bytes.data : "");
        break;
    case PARCEL_ENDING:
    case PARCEL_SOCKET:
        break;
    }
    finish_step(self, &effects);
}

/* After a failure parcels are still taken, so that nobody gets stuck, and dropped. */
static void take_mail(actor_t *self, mailbox_t *from)
{
    for (int i = 0; from && i < TURN_MAIL; i++) {
        parcel_t *parcel = mailbox_receive(from);
        if (!parcel)
            return;
        if (!self->outlet.has_failed)
            feed_mail(self, parcel);
        parcel_destroy(&parcel);
    }
}

static void take_time(actor_t *self)
{
    core_t *core = self->config.core;
    if (!self->outlet.has_failed && self->now.boot_ms >= core->ops->deadline(core)) {
        effects_t effects = {0};
        core->ops->time(core, self->now, &effects);
        finish_step(self, &effects);
    }
    outlet_checkpoint(&self->outlet, self->now.boot_ms, false);
}

static void start_turn(actor_t *self)
{
    self->now = (moment_t){.wall_ms = clock_wall_ms(), .boot_ms = clock_boot_ms()};
}

static uint64_t next_wake_ms(actor_t *self)
{
    const core_t *core = self->config.core;
    uint64_t wake = self->outlet.checkpoint_at_ms;
    uint64_t deadline = self->outlet.has_failed ? UINT64_MAX : core->ops->deadline(core);
    if (deadline < wake)
        wake = deadline;
    uint64_t now = clock_boot_ms();
    if (outlet_flush(&self->outlet) && now + FLUSH_RETRY_MS < wake)
        wake = now + FLUSH_RETRY_MS;
    return wake > now ? wake : now + MIN_PAUSE_MS;
}

static int poll_for(zmq_pollitem_t *items, int count, zsock_t *socket)
{
    if (!socket)
        return count;
    items[count] = (zmq_pollitem_t){.socket = zsock_resolve(socket), .events = ZMQ_POLLIN};
    return count + 1;
}

/*
 * Until something has come; which is found by looking everywhere. zpoller would not do: it takes
 * a file descriptor's address for a socket first, and reads 1,256 bytes beyond it.
 */
static void wait_for_turn(actor_t *self)
{
    uint64_t wake = next_wake_ms(self);
    struct itimerspec at = {0}; /* zero disarms */
    if (wake != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(wake / 1000);
        at.it_value.tv_nsec = (long)(wake % 1000) * 1000000;
    }
    timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &at, NULL);
    zmq_pollitem_t items[SOURCES_MAX] = {{.fd = self->timer, .events = ZMQ_POLLIN}};
    int count = poll_for(items, 1, self->pipe);
    count = poll_for(items, count, link_socket(self->link));
    count = poll_for(items, count, link_monitor(self->link));
    count = poll_for(items, count, self->config.peer ? mailbox_socket(self->config.peer) : NULL);
    count =
        poll_for(items, count, self->config.screens ? mailbox_socket(self->config.screens) : NULL);
    zmq_poll(items, count, -1); /* a signal ends it early: a turn that finds nothing */
}

static void actor_loop(actor_t *self)
{
    core_t *core = self->config.core;
    effects_t effects = {0};
    start_turn(self);
    core->ops->start(core, self->now, &effects);
    finish_step(self, &effects);
    while (!self->is_ending) {
        wait_for_turn(self);
        start_turn(self);
        take_commands(self);
        if (self->is_ending)
            break;
        take_link_events(self);
        take_frames(self);
        take_mail(self, self->config.peer);
        take_mail(self, self->config.screens);
        take_time(self);
    }
}

static void actor_main(zsock_t *pipe, void *argument)
{
    actor_t *self = argument;
    self->pipe = pipe;
    self->outlet = (outlet_t){.vault = self->config.vault,
                              .link = self->link,
                              .peer = self->config.peer,
                              .screens = self->config.screens,
                              .checkpoint_period_ms = self->config.checkpoint_period_ms,
                              .checkpoint_at_ms = UINT64_MAX};
    zsock_signal(pipe, 0);
    actor_loop(self);

    outlet_checkpoint(&self->outlet, self->now.boot_ms, true);
    link_close(self->link);
    core_destroy(&self->config.core);
    vault_destroy(&self->config.vault);
    if (self->config.peer)
        mailbox_flush(self->config.peer);
    if (self->config.screens)
        mailbox_flush(self->config.screens);
    pointer_hand_over(self);
}

/* What the constructor makes and the destructor frees; the rest is the thread's. */
static void actor_free(actor_t *self)
{
    link_destroy(&self->link);
    core_destroy(&self->config.core);
    vault_destroy(&self->config.vault);
    if (self->timer >= 0)
        close(self->timer);
    free(self);
}

status_t actor_new(actor_t **out, const actor_config_t *config)
{
    *out = NULL;
    actor_t *self = mem_zalloc(1, sizeof *self);
    self->config = *config;
    self->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    status_t status = self->timer < 0 ? STATUS_IO_ERROR : link_new(&self->link, &config->broker);
    if (status == STATUS_OK) {
        self->thread = zactor_new(actor_main, self);
        status = self->thread ? STATUS_OK : STATUS_IO_ERROR;
    }
    if (status != STATUS_OK) {
        actor_free(self);
        return status;
    }
    *out = self;
    return STATUS_OK;
}

void actor_destroy(actor_t **self)
{
    if (!*self)
        return;
    zactor_destroy(&(*self)->thread);
    pointer_take_over(*self);
    actor_free(*self);
    *self = NULL;
}
