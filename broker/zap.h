/* SPDX-License-Identifier: MPL-2.0 */
/* The ZAP handler (ZeroMQ RFC 27): accepts every CURVE client within the quota, and hands its
   public key on as the User-Id of whatever it sends. An operator's tool needs a listed key. */
#ifndef CONCLAVE_BROKER_ZAP_H
#define CONCLAVE_BROKER_ZAP_H

#include "broker/counters.h"
#include "broker/log.h"
#include "proto/limits.h"

#include <czmq.h>

#define ZAP_DOMAIN          "conclave"          /* clients */
#define ZAP_LOCAL_DOMAIN    "conclave.local"    /* the operator's tools on this machine: no CURVE */
#define ZAP_OPERATOR_DOMAIN "conclave.operator" /* and from elsewhere: listed keys only */

#define ZAP_OPERATOR_CONNECTIONS_MAX 128

/* Must live, unchanged, until the actor is destroyed. */
typedef struct {
    log_t *log;
    counters_t *counters;
    uint64_t connections_max;
    /* NULL: no operator's sockets. Two, so that a crowd from elsewhere keeps out nobody here. */
    counters_t *local_counters;
    counters_t *operator_counters;
    int dir_fd; /* where operator.keys is */
    atomic_bool
        is_bound; /* set before zactor_new returns: false means that another handler is there */
} zap_options_t;

/* A zactor: zactor_new(zap_actor, &options). Make it before the ROUTER is bound, destroy it after.
 */
void zap_actor(zsock_t *pipe, void *options);

/* The CURVE key behind a User-Id that this handler gave. False if it is none. */
bool zap_user_key(uint8_t out[static KEY_BYTES], const char *user_id);

/* How many connections leave a tenth of the descriptors (and what the store needs) free. Raises the
   soft limit of descriptors to the hard one first. 0: the limit is too low to run at all. */
uint64_t zap_connection_quota(void);

#endif
