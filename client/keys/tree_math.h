/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Indices of a perfect binary tree as a flat array (RFC 9420 appendix C): leaf i is node 2i, and a
 * tree that grows keeps its indices.
 *
 *   level 2           3
 *   level 1     1           5
 *   level 0  0     2     4     6      nodes
 *            0     1     2     3      leaves
 */
#ifndef CONCLAVE_CLIENT_KEYS_TREE_MATH_H
#define CONCLAVE_CLIENT_KEYS_TREE_MATH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

/* Distinct types, so that the compiler catches a swap. */
typedef struct {
    uint32_t value;
} leaf_index_t;

typedef struct {
    uint32_t value;
} node_index_t;

leaf_index_t leaf_index(uint32_t value);
node_index_t node_index(uint32_t value);

uint32_t tree_leaf_count(unsigned depth); /* 2^depth */
uint32_t tree_node_count(unsigned depth); /* 2^(depth+1) - 1 */
node_index_t tree_root(unsigned depth);

unsigned node_level(node_index_t self);    /* 0 for a leaf */
uint32_t node_position(node_index_t self); /* within its level, from the left */
node_index_t node_at(unsigned level, uint32_t position);
node_index_t node_of_leaf(leaf_index_t leaf);
/* The node of that level on the way from the leaf to the root. */
node_index_t node_above(leaf_index_t leaf, unsigned level);

node_index_t node_left(node_index_t self);  /* not for a leaf */
node_index_t node_right(node_index_t self); /* not for a leaf */
node_index_t node_parent(node_index_t self);
node_index_t node_sibling(node_index_t self);

/* The leaves below a node, first to last. */
leaf_index_t node_first_leaf(node_index_t self);
leaf_index_t node_last_leaf(node_index_t self);

/* The lowest level at which the two have the same node above them; 0 if they are one. */
unsigned leaf_meet_level(leaf_index_t a, leaf_index_t b);

#endif
