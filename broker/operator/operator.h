/* SPDX-License-Identifier: MPL-2.0 */
/* The operator's sockets: what proto/operator.def lists, for tools of this user on this machine,
 * and for tools from elsewhere that hold an operator's key. */
#ifndef CONCLAVE_BROKER_OPERATOR_OPERATOR_H
#define CONCLAVE_BROKER_OPERATOR_OPERATOR_H

#include "broker/backup/backup.h"
#include "broker/counters.h"
#include "broker/files/data_dir.h"
#include "broker/files/key_file.h"
#include "broker/log.h"
#include "broker/operator/socket_name.h"
#include "broker/router/router_calls.h"
#include "broker/trace/hub.h"
#include "proto/endpoint.h"

#include <czmq.h>

/* Must live, unchanged, until the actor is destroyed. All pointers are borrowed. */
typedef struct {
    log_t *log;
    const counters_t *counters; /* of the clients' socket */
    counters_t *own_counters;   /* two: of the socket here, and of the one for elsewhere */
    trace_hub_t *trace;
    router_calls_t *calls;
    const data_dir_t *dir;
    const key_pair_t *key;
    const endpoint_t *listen; /* further addresses, for who has an operator's key */
    size_t listen_count;
    backup_source_t backup;
    atomic_bool is_started; /* set before zactor_new returns; false: errors were logged */
} operator_options_t;

/* A zactor: zactor_new(operator_actor, &options). Needs the ZAP handler. Destroy it before the hub
 * and the calls. */
void operator_actor(zsock_t *pipe, void *options);

#endif
