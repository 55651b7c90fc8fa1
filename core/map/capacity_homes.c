/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Capacity of topologies. With two copies each primary is an edge between two members, and groups are a number for
 * each edge so that no member has more than its frames. Edges form paths and at most one circle (a ring): a
 * path is filled from its ends, which is the best there is; of a circle one edge is tried with every number that
 * could be the best, and the rest is a path. The sum is concave in that number.
 */
#include "core/base/size.h"
#include "core/map/capacity.h"

#include <assert.h>
#include <string.h>

#define COARSE 1024u /* parts of the largest room: the first step of filling */

#define EDGES_MAX 2u /* of a member: it holds copies of one other, and one other its own */

struct edge {
	uint32_t a, b;
	bool done;
};

struct graph {
	uint32_t places, count;
	struct edge edges[MEMBERS_MAX];
	uint32_t of[MEMBERS_MAX][EDGES_MAX]; /* edges of a place */
	uint32_t of_count[MEMBERS_MAX];
	uint32_t left[MEMBERS_MAX]; /* of these, not done */
	uint64_t free[MEMBERS_MAX];
};

static bool same_domain(const struct topology_ring *ring, uint32_t a, uint32_t b)
{
	return ring->sets[a] && ring->sets[b] && strcmp(ring->sets[a], ring->sets[b]) == 0;
}

/* The places of all copies of the primary at `place`; false when there are none that may be. */
static bool find_homes(const struct topology_ring *ring, enum topology topology, uint32_t columns,
		       uint32_t place, uint32_t homes[static CODE_MIRROR_MAX])
{
	if (topology_homes(ring, topology, ring->slots[place], columns, homes) == 0)
		return false;
	for (uint32_t i = 1; i < columns; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (same_domain(ring, homes[i], homes[j]))
				return false;
		}
	}
	return true;
}

static void add_edge(struct graph *graph, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < graph->of_count[a]; i++) {
		const struct edge *edge = &graph->edges[graph->of[a][i]];

		if (edge->a == b || edge->b == b)
			return;
	}
	assert(graph->of_count[a] < EDGES_MAX && graph->of_count[b] < EDGES_MAX);
	graph->of[a][graph->of_count[a]++] = graph->count;
	graph->of[b][graph->of_count[b]++] = graph->count;
	graph->left[a]++;
	graph->left[b]++;
	graph->edges[graph->count++] = (struct edge){ a, b, false };
}

static uint64_t fill_edge(struct graph *graph, struct edge *edge, uint64_t groups)
{
	graph->free[edge->a] -= groups;
	graph->free[edge->b] -= groups;
	graph->left[edge->a]--;
	graph->left[edge->b]--;
	edge->done = true;
	return groups;
}

/* From a place with one edge left to the other end of its path. */
static uint64_t fill_path(struct graph *graph, uint32_t place)
{
	uint64_t groups = 0;

	while (graph->left[place] == 1) {
		struct edge *edge = &graph->edges[graph->of[place][0]];

		if (edge->done)
			edge = &graph->edges[graph->of[place][1]];
		groups += fill_edge(graph, edge,
				    size_min(graph->free[edge->a], graph->free[edge->b]));
		place = edge->a == place ? edge->b : edge->a;
	}
	return groups;
}

/* Fill every path. */
static uint64_t fill_ends(struct graph *graph)
{
	uint64_t groups = 0;

	for (uint32_t place = 0; place < graph->places; place++)
		groups += fill_path(graph, place);
	return groups;
}

/* All of the graph, with `groups` on this edge of a circle. */
static uint64_t fill_with(const struct graph *graph, uint32_t edge, uint64_t groups)
{
	struct graph rest = *graph;

	fill_edge(&rest, &rest.edges[edge], groups);
	return groups + fill_ends(&rest);
}

static uint64_t fill_circle(const struct graph *graph, uint32_t edge)
{
	uint64_t low = 0;
	uint64_t high =
		size_min(graph->free[graph->edges[edge].a], graph->free[graph->edges[edge].b]);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (fill_with(graph, edge, middle + 1) > fill_with(graph, edge, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return fill_with(graph, edge, low);
}

static uint64_t fill_pairs(const struct topology_ring *ring, enum topology topology,
			   const uint64_t *frames)
{
	struct graph graph = { .places = ring->count };
	uint64_t groups;

	memcpy(graph.free, frames, ring->count * sizeof(*frames));
	for (uint32_t place = 0; place < ring->count; place++) {
		uint32_t homes[CODE_MIRROR_MAX];

		if (find_homes(ring, topology, 2, place, homes))
			add_edge(&graph, homes[0], homes[1]);
	}
	groups = fill_ends(&graph);
	for (uint32_t i = 0; i < graph.count; i++) {
		if (!graph.edges[i].done)
			return groups + fill_circle(&graph, i);
	}
	return groups;
}

/*
 * The homes with most room, at least `step` on each: in all, or on the fullest of them. False when there are
 * none.
 */
static bool find_roomiest(const struct topology_ring *ring, enum topology topology,
			  uint32_t columns, const uint64_t *free, uint64_t step, bool in_all,
			  uint32_t best[static CODE_MIRROR_MAX])
{
	uint64_t most = 0;

	for (uint32_t place = 0; place < ring->count; place++) {
		uint32_t homes[CODE_MIRROR_MAX];
		uint64_t room = UINT64_MAX, sum = 0;

		if (!find_homes(ring, topology, columns, place, homes))
			continue;
		for (uint32_t c = 0; c < columns; c++) {
			room = size_min(room, free[homes[c]]);
			sum += free[homes[c]];
		}
		if (room < step || (in_all ? sum : room) <= most)
			continue;
		most = in_all ? sum : room;
		memcpy(best, homes, sizeof(homes));
	}
	return most > 0;
}

static uint64_t fill_steps(const struct topology_ring *ring, enum topology topology,
			   uint32_t columns, const uint64_t *frames, bool in_all)
{
	uint64_t free[MEMBERS_MAX] = { 0 }, largest = 0, groups = 0;
	uint32_t homes[CODE_MIRROR_MAX];

	for (uint32_t i = 0; i < ring->count; i++) {
		free[i] = frames[i];
		largest = size_max(largest, frames[i]);
	}
	for (uint64_t step = largest / COARSE + 1; step > 0; step /= 2) {
		while (find_roomiest(ring, topology, columns, free, step, in_all, homes)) {
			for (uint32_t c = 0; c < columns; c++)
				free[homes[c]] -= step;
			groups += step;
		}
	}
	return groups;
}

uint64_t capacity_homes(const struct topology_ring *ring, enum topology topology, uint32_t columns,
			const uint64_t *frames)
{
	struct topology_ring places = *ring;

	assert(columns >= 2 && columns <= CODE_MIRROR_MAX && topology != TOPOLOGY_FREE);
	for (uint32_t i = 0; i < ring->count; i++)
		places.slots[i] = i;
	if (columns == 2)
		return fill_pairs(&places, topology, frames);
	return size_max(fill_steps(&places, topology, columns, frames, false),
			fill_steps(&places, topology, columns, frames, true));
}
