/* SPDX-License-Identifier: MPL-2.0 */
/* A graph of keys. */
#include "tests/simulation/derivations.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define SHORT_BYTES 16 /* of a key: no two agree by chance */
#define NO_EDGE     UINT32_MAX

typedef struct {
    uint8_t key[SHORT_BYTES];
    uint32_t source;
    uint32_t first_edge;
    uint32_t search; /* the last one that came here */
} node_key_t;

typedef struct {
    uint32_t to, next;
} edge_t;

static struct {
    bool is_open;
    node_key_t *nodes;
    uint32_t count, capacity;
    uint32_t *slots; /* node + 1 by key, or 0; twice as many as nodes at least */
    edge_t *edges;
    uint32_t edge_count, edge_capacity;
    uint32_t search;
    uint32_t *todo;
    uint32_t todo_count;
} graph;

static uint32_t slot_at(const uint8_t *key)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    hash *= 0x9e3779b97f4a7c15u; /* most bytes that are scanned are no keys */
    uint32_t mask = 2 * graph.capacity - 1;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    while (graph.slots[at] && memcmp(graph.nodes[graph.slots[at] - 1].key, key, SHORT_BYTES))
        at = (at + 1) & mask;
    return at;
}

static void grow(void)
{
    graph.capacity = graph.capacity ? 2 * graph.capacity : 4096;
    graph.nodes = mem_realloc(graph.nodes, graph.capacity, sizeof *graph.nodes);
    graph.todo = mem_realloc(graph.todo, graph.capacity, sizeof *graph.todo);
    free(graph.slots);
    graph.slots = mem_zalloc(2 * (size_t)graph.capacity, sizeof *graph.slots);
    for (uint32_t i = 0; i < graph.count; i++)
        graph.slots[slot_at(graph.nodes[i].key)] = i + 1;
}

void derivations_open(void)
{
    derivations_close();
    graph.is_open = true;
    grow();
}

void derivations_close(void)
{
    free(graph.nodes);
    free(graph.slots);
    free(graph.edges);
    free(graph.todo);
    memset(&graph, 0, sizeof graph);
}

uint32_t derivations_key(const secret_t *key)
{
    if (graph.count == graph.capacity)
        grow();
    uint32_t at = slot_at(key->bytes);
    if (graph.slots[at])
        return graph.slots[at] - 1;
    node_key_t *node = &graph.nodes[graph.count];
    *node = (node_key_t){.source = KEY_UNKNOWN, .first_edge = NO_EDGE};
    memcpy(node->key, key->bytes, SHORT_BYTES);
    graph.slots[at] = ++graph.count;
    return graph.count - 1;
}

static void connect(uint32_t from, uint32_t to)
{
    if (graph.edge_count == graph.edge_capacity) {
        graph.edge_capacity = graph.edge_capacity ? 2 * graph.edge_capacity : 4096;
        graph.edges = mem_realloc(graph.edges, graph.edge_capacity, sizeof *graph.edges);
    }
    graph.edges[graph.edge_count] = (edge_t){to, graph.nodes[from].first_edge};
    graph.nodes[from].first_edge = graph.edge_count++;
}

void derivations_derived(const secret_t *from, const secret_t *to)
{
    if (!graph.is_open)
        return;
    uint32_t source = derivations_key(from), derived = derivations_key(to);
    if (graph.nodes[derived].source != KEY_UNKNOWN || source == derived)
        return; /* the same by another one */
    graph.nodes[derived].source = source;
    connect(source, derived);
}

void derivations_wrapped(const secret_t *key, const secret_t *content)
{
    if (!graph.is_open)
        return;
    uint32_t from = derivations_key(key);
    connect(from, derivations_key(content));
}

uint32_t derivations_source(uint32_t key)
{
    return graph.nodes[key].source;
}

void derivations_scan(bytes_t bytes, derivations_found_fn *found, void *context)
{
    for (size_t at = 0; at + KEY_BYTES <= bytes.size; at++) {
        uint32_t slot = graph.slots[slot_at(bytes.data + at)];
        if (slot)
            found(context, slot - 1);
    }
}

void derivations_search(void)
{
    graph.search++;
    graph.todo_count = 0;
}

void derivations_hold(uint32_t key)
{
    if (key == KEY_UNKNOWN || graph.nodes[key].search == graph.search)
        return;
    graph.nodes[key].search = graph.search;
    graph.todo[graph.todo_count++] = key;
}

void derivations_finish(void)
{
    while (graph.todo_count) {
        uint32_t key = graph.todo[--graph.todo_count];
        for (uint32_t at = graph.nodes[key].first_edge; at != NO_EDGE; at = graph.edges[at].next)
            derivations_hold(graph.edges[at].to);
    }
}

bool derivations_reached(uint32_t key)
{
    return key != KEY_UNKNOWN && graph.nodes[key].search == graph.search;
}

bool derivations_reached_near(uint32_t key)
{
    if (key == KEY_UNKNOWN)
        return false;
    bool is_reached = derivations_reached(key);
    for (uint32_t at = graph.nodes[key].first_edge; at != NO_EDGE; at = graph.edges[at].next)
        is_reached = is_reached || derivations_reached(graph.edges[at].to);
    return is_reached;
}
