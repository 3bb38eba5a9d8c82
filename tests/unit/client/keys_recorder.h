/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Records every derivation and every wrap as an edge from one secret to another. It stands in for
 * client/keys/kdf.c and for libsodium's AEAD: include it before all else, in one file of a program.
 */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_KEYS_RECORDER_H
#define CONCLAVE_TESTS_UNIT_CLIENT_KEYS_RECORDER_H

#define kdf       kdf_unrecorded
#define kdf_plain kdf_plain_unrecorded
#include "client/keys/kdf.c"
#undef kdf
#undef kdf_plain
void kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x, size_t x_size);
void kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label);

#include "tests/unit/client/keys_world.h"

#define NO_EDGE  UINT32_MAX
#define BIT(bit) (1u << (bit))

/* --- Secrets and what leads from one to another --------------------------------------------- */

typedef struct {
    secret_t value;
    uint64_t epoch; /* whose it is; 0 for node keys and path secrets, which are of no one epoch */
    bool is_epoch_secret;
    bool has_sealed;
    uint32_t first_edge;
    uint32_t reached; /* the last search that came here */
} secret_node_t;

typedef struct {
    uint32_t to;
    uint32_t next; /* of the same secret, or NO_EDGE */
} edge_t;

/* One for the process, since kdf has no argument to pass it by. */
static struct {
    secret_node_t *nodes;
    uint32_t node_count;
    uint32_t *slots; /* node + 1 by value, or 0 */
    uint32_t slot_count;
    edge_t *edges;
    uint32_t edge_count;
    uint32_t search;
    uint32_t *todo;
    unsigned frozen;                    /* labels that change nothing: BIT(label) */
    uint64_t building;                  /* the epoch whose commit is being made or followed */
    uint32_t epoch_secret, message_key; /* the latest */
} graph;

static inline uint32_t *slot_of(const secret_t *value)
{
    uint64_t hash;
    memcpy(&hash, value, sizeof hash);
    uint32_t at = (uint32_t)hash & (graph.slot_count - 1);
    while (graph.slots[at] && memcmp(&graph.nodes[graph.slots[at] - 1].value, value, sizeof *value))
        at = (at + 1) & (graph.slot_count - 1);
    return &graph.slots[at];
}

static inline void grow_slots(void)
{
    free(graph.slots);
    graph.slot_count = graph.slot_count ? graph.slot_count * 2 : 1024;
    graph.slots = mem_zalloc(graph.slot_count, sizeof *graph.slots);
    graph.nodes = mem_realloc(graph.nodes, graph.slot_count / 2, sizeof *graph.nodes);
    graph.todo = mem_realloc(graph.todo, graph.slot_count / 2, sizeof *graph.todo);
    for (uint32_t i = 0; i < graph.node_count; i++)
        *slot_of(&graph.nodes[i].value) = i + 1;
}

static inline uint32_t node_of(const secret_t *value)
{
    if (graph.node_count * 2 >= graph.slot_count)
        grow_slots();
    uint32_t *slot = slot_of(value);
    if (!*slot) {
        graph.nodes[graph.node_count++] = (secret_node_t){.value = *value, .first_edge = NO_EDGE};
        *slot = graph.node_count;
    }
    return *slot - 1;
}

static inline void add_edge(uint32_t from, uint32_t to)
{
    for (uint32_t at = graph.nodes[from].first_edge; at != NO_EDGE; at = graph.edges[at].next)
        if (graph.edges[at].to == to)
            return;
    if (!(graph.edge_count & (graph.edge_count - 1))) /* a power of two: full */
        graph.edges = mem_realloc(graph.edges, graph.edge_count ? graph.edge_count * 2 : 1,
                                  sizeof *graph.edges);
    graph.edges[graph.edge_count] = (edge_t){to, graph.nodes[from].first_edge};
    graph.nodes[from].first_edge = graph.edge_count++;
}

static inline void graph_clear(unsigned frozen)
{
    free(graph.nodes);
    free(graph.slots);
    free(graph.edges);
    free(graph.todo);
    memset(&graph, 0, sizeof graph);
    graph.frozen = frozen;
}

/* --- The doubles ---------------------------------------------------------------------------- */

void kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x, size_t x_size)
{
    secret_t from = *key;
    if (graph.frozen & BIT(label)) {
        *out = from;
        return;
    }
    kdf_unrecorded(out, &from, label, x, x_size);
    if (label == KDF_TAG || label == KDF_MAC) /* public */
        return;
    uint32_t parent = node_of(&from), child = node_of(out);
    add_edge(parent, child);
    if (label == KDF_SEAL)
        graph.message_key = parent;
    if (label == KDF_EPOCH) {
        graph.epoch_secret = child;
        graph.nodes[child].is_epoch_secret = true;
        graph.nodes[child].epoch = graph.building;
    } else {
        graph.nodes[child].epoch = graph.nodes[parent].epoch;
    }
}

void kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label)
{
    kdf(out, key, label, NULL, 0);
}

/* Nonces are zero everywhere, so that a key which seals twice gives both texts away. */
int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c, unsigned long long *c_size,
                                              const unsigned char *m, unsigned long long m_size,
                                              const unsigned char *context,
                                              unsigned long long context_size,
                                              const unsigned char *unused,
                                              const unsigned char *nonce, const unsigned char *k)
{
    secret_t key;
    memcpy(&key, k, sizeof key);
    uint32_t node = node_of(&key);
    assert_false(graph.nodes[node].has_sealed);
    graph.nodes[node].has_sealed = true;
    if (m_size == sizeof(secret_t)) { /* a wrap; a message's inner part is longer */
        secret_t told;
        memcpy(&told, m, sizeof told);
        add_edge(node, node_of(&told));
    }
    if (c_size)
        *c_size = m_size + crypto_aead_chacha20poly1305_ietf_ABYTES;
    return crypto_aead_chacha20poly1305_ietf_encrypt_detached(
        c, c + m_size, NULL, m, m_size, context, context_size, unused, nonce, k);
}

#endif
