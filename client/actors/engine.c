/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/engine.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/actors/actor.h"
#include "client/actors/screens.h"
#include "client/home/home_identity.h"
#include "client/home/home_socket.h"
#include "client/keys/identity.h"
#include "client/keys/kdf.h"
#include "client/vault/vault_sqlite.h"
#include "proto/memory.h"

struct engine {
    home_t *home;
    char role[HOME_ROLE_BYTES];
    bool accepts_screens;
    actor_t *member;
    actor_t *admin;
    screens_t *screens;
    mailbox_t *mail_member, *mail_admin;           /* member - admin */
    mailbox_t *mail_screens_member, *mail_screens; /* member - screens */
    mailbox_t *mail_engine_screens, *mail_engine;  /* screens - this thread */
    status_t failure;
    char failure_reason[ENGINE_REASON_BYTES];
};

typedef status_t core_new_fn(core_t **out, const core_config_t *config,
                             const struct identity *identity, vault_t *vault);

static status_t make_config(const engine_t *self, const engine_options_t *options,
                            core_config_t *config, endpoint_t *broker)
{
    status_t status = endpoint_parse(broker, options->broker_url);
    if (status != STATUS_OK)
        return status;
    *config = (core_config_t){.poll_period_ms = options->poll_period_ms,
                              .call_deadline_ms = CALL_DEADLINE_MS,
                              .pid = (uint64_t)getpid()};
    if (config->poll_period_ms == 0)
        config->poll_period_ms = POLL_PERIOD_DEFAULT_MS;
    if (config->poll_period_ms < POLL_PERIOD_MIN_MS)
        config->poll_period_ms = POLL_PERIOD_MIN_MS;
    memcpy(config->broker_key, broker->key, KEY_BYTES);
    snprintf(config->holder, sizeof config->holder, "%s", self->role);
    return endpoint_format(broker, config->broker_url, sizeof config->broker_url);
}

/* Each vault file has a key of its own. */
static status_t open_vault(const engine_t *self, const identity_t *identity, const char *name,
                           vault_t **out)
{
    secret_t key;
    kdf(&key, identity_vault_key(identity), KDF_VAULT, name, strlen(name));
    char *path = home_file(self->home, name);
    status_t status = home_had_vaults(self->home) ? vault_sqlite_reopen(out, path, key.bytes)
                                                  : vault_sqlite_open(out, path, key.bytes);
    free(path);
    secret_wipe(&key);
    return status;
}

static status_t start_actor(const engine_t *self, const engine_options_t *options,
                            core_new_fn *core_new, const char *vault_name, mailbox_t *peer,
                            mailbox_t *screens, actor_t **out)
{
    core_config_t config;
    actor_config_t actor = {.peer = peer, .screens = screens};
    status_t status = make_config(self, options, &config, &actor.broker);
    if (status != STATUS_OK)
        return status;
    actor.checkpoint_period_ms = config.poll_period_ms;
    status = open_vault(self, options->identity, vault_name, &actor.vault);
    if (status == STATUS_OK)
        status = core_new(&actor.core, &config, options->identity, actor.vault);
    if (status == STATUS_OK)
        return actor_new(out, &actor);
    vault_destroy(&actor.vault);
    return status;
}

static status_t start(engine_t *self, const engine_options_t *options)
{
    mailbox_pair_new(&self->mail_member, &self->mail_admin);
    mailbox_pair_new(&self->mail_screens_member, &self->mail_screens);
    mailbox_pair_new(&self->mail_engine_screens, &self->mail_engine);
    status_t status = start_actor(self, options, admin_core_new, "admin.vault", self->mail_admin,
                                  NULL, &self->admin);
    if (status == STATUS_OK)
        status = start_actor(self, options, member_core_new, "member.vault", self->mail_member,
                             self->mail_screens_member, &self->member);
    if (status == STATUS_OK) {
        status_t ignored = home_keep_vaults(self->home);
        (void)ignored; /* no room: next time */
    }
    int listener = -1;
    if (status == STATUS_OK && options->accept_screens)
        status = home_socket_listen(self->home, &listener);
    if (status == STATUS_OK)
        status =
            screens_new(&self->screens, self->mail_screens, self->mail_engine_screens, listener);
    return status;
}

static void stop(engine_t *self)
{
    if (self->accepts_screens)
        home_socket_unlink(self->home); /* whoever comes now waits for the lock instead */
    screens_destroy(&self->screens);
    actor_destroy(&self->member);
    actor_destroy(&self->admin);
    mailbox_destroy(&self->mail_member);
    mailbox_destroy(&self->mail_admin);
    mailbox_destroy(&self->mail_screens_member);
    mailbox_destroy(&self->mail_screens);
    mailbox_destroy(&self->mail_engine_screens);
    mailbox_destroy(&self->mail_engine);
    free(self);
}

status_t engine_new(engine_t **out, home_t *home, const engine_options_t *options)
{
    *out = NULL;
    if (!home_is_locked(home))
        return STATUS_HOME_IN_USE;
    engine_t *self = mem_zalloc(1, sizeof *self);
    self->home = home;
    self->accepts_screens = options->accept_screens;
    snprintf(self->role, sizeof self->role, "%s", options->role);
    /* Signals belong to the caller's thread; CZMQ installs no handlers. */
    zsys_handler_set(NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status_t status = start(self, options);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != STATUS_OK) {
        stop(self);
        return status;
    }
    *out = self;
    return STATUS_OK;
}

static status_t tell_screens(engine_t *self, parcel_t *parcel)
{
    return mailbox_send(self->mail_engine, &parcel);
}

void engine_destroy(engine_t **self, const char *reason)
{
    if (!*self)
        return;
    char text[ENGINE_REASON_BYTES];
    snprintf(text, sizeof text, "%s ended", (*self)->role);
    parcel_t *parcel = parcel_new(PARCEL_ENDING, NULL);
    const char *words = reason ? reason : text;
    buffer_append(&parcel->bytes, words, strlen(words));
    status_t ignored = tell_screens(*self, parcel);
    (void)ignored; /* then the screens' streams just end */
    stop(*self);
    *self = NULL;
}

status_t engine_screen_new(engine_t *self, screen_t **out)
{
    *out = NULL;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return STATUS_IO_ERROR;
    parcel_t *parcel = parcel_new(PARCEL_SOCKET, NULL);
    parcel->socket = ends[1];
    status_t status = tell_screens(self, parcel);
    if (status == STATUS_OK)
        *out = screen_new(ends[0], false);
    else
        close(ends[0]);
    return status;
}

status_t engine_failure(engine_t *self, char reason[static ENGINE_REASON_BYTES])
{
    parcel_t *parcel;
    while ((parcel = mailbox_receive(self->mail_engine)) != NULL) {
        if (parcel->kind == PARCEL_FAILED && self->failure == STATUS_OK) {
            self->failure = parcel->status;
            snprintf(self->failure_reason, sizeof self->failure_reason, "%.*s",
                     (int)parcel->bytes.size,
                     parcel->bytes.size > 0 ? (const char *)parcel->bytes.data : "");
        }
        parcel_destroy(&parcel);
    }
    mailbox_flush(self->mail_engine);
    snprintf(reason, ENGINE_REASON_BYTES, "%s", self->failure_reason);
    return self->failure;
}
