/* SPDX-License-Identifier: MPL-2.0 */
/* Indices of perfect binary trees, RFC 9420 appendix C. */
#include "client/keys/tree_math.h"

#include <assert.h>

leaf_index_t leaf_index(uint32_t value)
{
    return (leaf_index_t){value};
}

node_index_t node_index(uint32_t value)
{
    return (node_index_t){value};
}

uint32_t tree_leaf_count(unsigned depth)
{
    return 1u << depth;
}

uint32_t tree_node_count(unsigned depth)
{
    return (2u << depth) - 1;
}

node_index_t tree_root(unsigned depth)
{
    return node_at(depth, 0);
}

unsigned node_level(node_index_t self)
{
    return (unsigned)__builtin_ctz(~self.value);
}

uint32_t node_position(node_index_t self)
{
    return self.value >> (node_level(self) + 1);
}

node_index_t node_at(unsigned level, uint32_t position)
{
    return (node_index_t){(position << (level + 1)) + (1u << level) - 1};
}

node_index_t node_of_leaf(leaf_index_t leaf)
{
    return (node_index_t){leaf.value << 1};
}

node_index_t node_above(leaf_index_t leaf, unsigned level)
{
    return node_at(level, leaf.value >> level);
}

node_index_t node_left(node_index_t self)
{
    assert(self.value & 1);
    return (node_index_t){self.value ^ (1u << (node_level(self) - 1))};
}

node_index_t node_right(node_index_t self)
{
    assert(self.value & 1);
    return (node_index_t){self.value ^ (3u << (node_level(self) - 1))};
}

node_index_t node_parent(node_index_t self)
{
    return node_at(node_level(self) + 1, node_position(self) >> 1);
}

node_index_t node_sibling(node_index_t self)
{
    return node_at(node_level(self), node_position(self) ^ 1);
}

leaf_index_t node_first_leaf(node_index_t self)
{
    return (leaf_index_t){node_position(self) << node_level(self)};
}

leaf_index_t node_last_leaf(node_index_t self)
{
    return (leaf_index_t){((node_position(self) + 1) << node_level(self)) - 1};
}

unsigned leaf_meet_level(leaf_index_t a, leaf_index_t b)
{
    uint32_t differing = a.value ^ b.value;
    return differing ? 32u - (unsigned)__builtin_clz(differing) : 0;
}
