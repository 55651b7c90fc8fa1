/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/detect.h"

#include "core/base/mem.h"
#include "formats/detect_apart.h"
#include "formats/detect_exact.h"
#include "formats/detect_rank.h"
#include "formats/detect_stripes.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define HOLDS_ALWAYS 0.9   /* of blocks with content: the rest was out of step */
#define HOLDS_IN_TURN 0.04 /* one row in so many members */
#define TURN_BLOCKS_MIN 8u
#define SHIFT_RATE_MIN 0.15
#define REMAINS_MAX 16u  /* blocks that were left before the data */
#define EXACT_MAX 400u   /* layouts with exact traces whose content is compared */
#define EXACT_NATS 24.0  /* less likely by these, they are not */
#define COMPUTED_MAX 24u /* of those, such that a member must be computed; more are chance */
#define COST_APART 0.15  /* bits a byte by which the most expensive block must stand out */
#define COST_HITS 0.6    /* of blocks that stand out are P */

/* How the images of a set hang together. */
struct set {
	uint32_t images; /* a bit each */
	uint32_t sum;    /* of these the sum is zero everywhere; 0: none */
	uint32_t from;   /* index from which on */
	bool turning;    /* sums or copies that hold in some rows */
	bool copies;     /* mirrors, everywhere */
	bool tied;       /* by anything but mirrors */
};

struct inquiry {
	struct detect_report *report;
	struct relations relations;
	struct joins *joins;
	struct set sets[DETECT_IMAGES_MAX];
	uint32_t set_count;
	uint8_t computed; /* an image of the pile for what is missing; DETECT_MISSING: not made yet */
	/* Of the array that is being looked for. */
	struct detect_starts starts;
	struct ranked ranked;
	float *parity; /* owned */
	unsigned basis;
	struct exact_hit {
		struct detect_layout layout;
		double misfit, nats; /* nats: with the belief in its start */
	} exact[EXACT_MAX];          /* falling */
	uint32_t exact_count;
	uint8_t groups[DETECT_MEMBERS_MAX][DETECT_MEMBERS_MAX]; /* mirrors of each column */
	uint32_t group_sizes[DETECT_MEMBERS_MAX];
	uint32_t group_count;
	bool missing; /* the computed image stands for a member */
	int failed;
	struct err *err;
};

/* ---- which images belong together */

static uint32_t bits(uint32_t images)
{
	return (uint32_t)__builtin_popcount(images);
}

/* All that share an image with `images` become one set with it. */
static struct set *sets_unite(struct inquiry *inquiry, uint32_t images)
{
	struct set all = { .images = images };
	uint32_t kept = 0;

	for (uint32_t i = 0; i < inquiry->set_count; i++) {
		const struct set *set = &inquiry->sets[i];

		if (!(set->images & images)) {
			inquiry->sets[kept++] = *set;
			continue;
		}
		all.images |= set->images;
		all.turning |= set->turning;
		all.copies |= set->copies;
		all.tied |= set->tied;
		if (bits(set->sum) > bits(all.sum)) {
			all.sum = set->sum;
			all.from = set->from;
		} else if (!all.sum && set->from > all.from) {
			all.from = set->from; /* of mirrors */
		}
	}
	inquiry->sets[kept] = all;
	inquiry->set_count = kept + 1;
	return &inquiry->sets[kept];
}

/* Before where a sum begins to hold there is nothing, or what somebody wiped with random bytes. */
static bool begins_well(const struct inquiry *inquiry, const struct relation_sum *sum)
{
	uint32_t structured = 0;

	for (uint32_t m = 0; m < inquiry->report->given; m++) {
		for (uint32_t i = 0; (sum->images >> m & 1) && i < sum->from; i++)
			structured += joins_is_structured(inquiry->joins, m, i);
	}
	return structured <= REMAINS_MAX;
}

static void sets_by_sums(struct inquiry *inquiry)
{
	for (uint32_t i = 0; i < inquiry->relations.sum_count; i++) {
		const struct relation_sum *sum = &inquiry->relations.sums[i];
		bool always = sum->rate >= HOLDS_ALWAYS && begins_well(inquiry, sum);
		struct set *set;

		if (!always && (sum->rate_full < HOLDS_IN_TURN || sum->holds < TURN_BLOCKS_MIN))
			continue;
		set = sets_unite(inquiry, sum->images);
		if (always && bits(sum->images) == 2) {
			set->copies = true;
			if (set->from < sum->from)
				set->from = sum->from;
			continue;
		}
		/* Two that agree here and there may do so because the rest is zeros. */
		set->tied |= bits(sum->images) > 2;
		if (!always)
			set->turning = true;
		else if (bits(sum->images) > bits(set->sum)) {
			set->sum = sum->images;
			set->from = sum->from;
		}
	}
}

static void sets_by_shifts(struct inquiry *inquiry)
{
	for (uint32_t i = 0; i < inquiry->relations.shift_count; i++) {
		const struct relation_shift *shift = &inquiry->relations.shifts[i];
		struct set *set;

		if (shift->rate < SHIFT_RATE_MIN || shift->count < TURN_BLOCKS_MIN)
			continue;
		set = sets_unite(inquiry, 1u << shift->from | 1u << shift->to);
		set->turning = set->tied = true;
	}
}

/* A set that nothing exact ties to others: it may be of one array with others of its size. */
static bool is_of_size(const struct inquiry *inquiry, const struct set *set, uint64_t size)
{
	return !set->tied && inquiry->report->pile.images[__builtin_ctz(set->images)].size == size;
}

/* Those of one size that content does not tell apart become one set. */
static void sets_of_size(struct inquiry *inquiry, uint64_t size)
{
	uint32_t parts[DETECT_IMAGES_MAX], sets[DETECT_IMAGES_MAX], count = 0, part_count;
	uint8_t first[DETECT_IMAGES_MAX];
	struct detect_starts *starts = &inquiry->starts;

	for (uint32_t i = 0; i < inquiry->set_count; i++) {
		if (!is_of_size(inquiry, &inquiry->sets[i], size))
			continue;
		sets[count] = inquiry->sets[i].images;
		first[count++] = (uint8_t)__builtin_ctz(inquiry->sets[i].images);
	}
	if (count < 2)
		return;
	detect_starts_find(starts, &inquiry->report->pile, inquiry->joins, first, count, 0);
	part_count = detect_apart(parts, &inquiry->report->pile, inquiry->joins, first, count,
				  starts->at[0].block);
	for (uint32_t p = 0; p < part_count; p++) {
		uint32_t images = 0;

		for (uint32_t i = 0; i < count; i++)
			images |= parts[p] >> i & 1 ? sets[i] : 0;
		sets_unite(inquiry, images);
	}
}

static void sets_by_size(struct inquiry *inquiry)
{
	const struct detect_image *images = inquiry->report->pile.images;

	for (uint32_t i = 0; i < inquiry->report->given; i++) {
		bool first = true;

		for (uint32_t j = 0; j < i; j++)
			first = first && images[j].size != images[i].size;
		if (first)
			sets_of_size(inquiry, images[i].size);
	}
}

static void sets_find(struct inquiry *inquiry)
{
	for (uint32_t i = 0; i < inquiry->report->given; i++)
		inquiry->sets[inquiry->set_count++] = (struct set){ .images = 1u << i };
	sets_by_sums(inquiry);
	sets_by_shifts(inquiry);
	sets_by_size(inquiry);
}

/* ---- candidates of one set */

static uint32_t images_list(uint8_t list_out[static DETECT_MEMBERS_MAX], uint32_t images)
{
	uint32_t count = 0;

	for (; images && count < DETECT_MEMBERS_MAX; images &= images - 1)
		list_out[count++] = (uint8_t)__builtin_ctz(images);
	return count;
}

static void find_starts(struct inquiry *inquiry, uint32_t images, uint32_t from)
{
	uint8_t list[DETECT_MEMBERS_MAX];
	uint32_t count = images_list(list, images);

	detect_starts_find(&inquiry->starts, &inquiry->report->pile, inquiry->joins, list, count,
			   from);
}

static void describe_computed(struct inquiry *inquiry)
{
	if (inquiry->failed == 0)
		inquiry->failed = joins_describe(inquiry->joins, inquiry->computed, inquiry->err);
}

static bool has_computed(struct inquiry *inquiry)
{
	uint32_t image;

	if (inquiry->computed != DETECT_MISSING)
		return true;
	inquiry->failed = detect_pile_add(&inquiry->report->pile, &image, inquiry->err);
	if (inquiry->failed)
		return false;
	inquiry->computed = (uint8_t)image;
	return true;
}

static uint32_t group_of(const struct inquiry *inquiry, uint8_t first)
{
	uint32_t g = 0;

	while (inquiry->groups[g][0] != first)
		g++;
	assert(g < inquiry->group_count);
	return g;
}

/* What a stripe of column images means when columns are mirrored: RAID-10 with near copies. */
static void columns_to_mirrors(const struct inquiry *inquiry, struct detect_layout *layout)
{
	uint32_t copies = 0, columns = layout->members;
	uint8_t first[DETECT_MEMBERS_MAX];

	memcpy(first, layout->images, sizeof(first));
	for (uint32_t g = 0; g < inquiry->group_count; g++) {
		if (inquiry->group_sizes[g] > copies)
			copies = inquiry->group_sizes[g];
	}
	if (copies < 2 || copies * columns > DETECT_MEMBERS_MAX)
		return;
	layout->level = 10;
	layout->near = copies;
	layout->far = 1;
	layout->members = copies * columns;
	memset(layout->images, DETECT_MISSING, sizeof(layout->images));
	for (uint32_t c = 0; c < columns; c++) {
		uint32_t g = group_of(inquiry, first[c]);

		memcpy(&layout->images[(size_t)c * copies], inquiry->groups[g],
		       inquiry->group_sizes[g]);
	}
}

static void stripes_found(void *arg, const struct detect_layout *layout, double nats)
{
	struct inquiry *inquiry = arg;
	struct detect_layout found = *layout;

	if (inquiry->missing) {
		for (uint32_t i = 0; i < found.members; i++) {
			if (found.images[i] == inquiry->computed)
				found.images[i] = DETECT_MISSING;
		}
		found.computed = inquiry->computed;
		/* Without its parity it is a RAID-0, and told as such. */
		if (found.level == 4 && found.images[found.members - 1] == DETECT_MISSING)
			return;
	}
	if (found.level == 0)
		columns_to_mirrors(inquiry, &found);
	ranked_add(&inquiry->ranked, &(struct detect_candidate){ .layout = found,
								 .basis = inquiry->basis,
								 .nats = nats });
}

static void search_stripes(struct inquiry *inquiry, const uint8_t *images, uint32_t count,
			   bool parity)
{
	struct detect_stripes search = {
		.pile = &inquiry->report->pile,
		.joins = inquiry->joins,
		.starts = &inquiry->starts,
		.count = count,
		.computed = parity && inquiry->missing ? inquiry->computed : DETECT_MISSING,
		.parity = parity,
		.parity_nats = parity ? inquiry->parity : NULL,
		.found = stripes_found,
		.arg = inquiry,
	};

	if (count < 2 || count > DETECT_MEMBERS_MAX || inquiry->failed)
		return;
	memcpy(search.images, images, count);
	inquiry->failed = detect_stripes_search(&search, inquiry->err);
}

/* The block that costs most is the parity more often than not, where it stands out. */
static void find_parity(struct inquiry *inquiry, const uint8_t *images, uint32_t count)
{
	const struct detect_pile *pile = &inquiry->report->pile;
	const float hit = (float)log(COST_HITS * count);
	const float miss = (float)log((1 - COST_HITS) * count / (count - 1));

	mem_free(inquiry->parity);
	inquiry->parity =
		mem_calloc((size_t)DETECT_IMAGES_MAX * pile->index_count, sizeof(*inquiry->parity));
	if (!inquiry->parity) {
		inquiry->failed = err_set(inquiry->err, ERR_NOMEM, "no memory for parity");
		return;
	}
	for (uint32_t i = inquiry->starts.lead; i < pile->index_count; i++) {
		double most = 0, second = 0;
		uint32_t which = 0;

		for (uint32_t m = 0; m < count; m++) {
			double cost = joins_block_cost(inquiry->joins, images[m], i);

			if (cost > most) {
				second = most;
				most = cost;
				which = m;
			} else if (cost > second) {
				second = cost;
			}
		}
		for (uint32_t m = 0; most > second + COST_APART && m < count; m++)
			inquiry->parity[(size_t)images[m] * pile->index_count + i] =
				m == which ? hit : miss;
	}
}

/* The missing member of a RAID-5 is the sum of the others, wherever the parity is. */
static void compute_sum(struct inquiry *inquiry, const uint8_t *images, uint32_t count)
{
	struct detect_pile *pile = &inquiry->report->pile;
	uint8_t *target = pile->images[inquiry->computed].bytes;
	uint64_t size = (uint64_t)pile->index_count * BLOCK_SIZE;

	memcpy(target, pile->images[images[0]].bytes, size);
	for (uint32_t m = 1; m < count; m++) {
		const uint8_t *bytes = pile->images[images[m]].bytes;

		for (uint64_t i = 0; i < size; i += 8)
			put_le64(target + i, get_le64(target + i) ^ get_le64(bytes + i));
	}
	describe_computed(inquiry);
}

static void search_parity_missing(struct inquiry *inquiry, const uint8_t *images, uint32_t count)
{
	uint8_t with[DETECT_MEMBERS_MAX] = { 0 };

	if (count + 1 > DETECT_MEMBERS_MAX || !has_computed(inquiry))
		return;
	memcpy(with, images, count);
	with[count] = inquiry->computed;
	compute_sum(inquiry, images, count);
	find_parity(inquiry, with, count + 1);
	inquiry->missing = true;
	search_stripes(inquiry, with, count + 1, true);
}

/* ---- layouts with exact traces */

/* The likeliest ones by what is exact, before their content is looked at. */
static void exact_found(void *arg, const struct detect_layout *layout, double misfit)
{
	struct inquiry *inquiry = arg;
	struct exact_hit hit = { .layout = *layout, .misfit = misfit, .nats = -misfit };
	uint32_t at = inquiry->exact_count;

	for (uint32_t i = 0; i < inquiry->starts.count; i++) {
		if (inquiry->starts.at[i].block == layout->start)
			hit.nats += inquiry->starts.at[i].prior;
	}
	if (at == EXACT_MAX && inquiry->exact[--at].nats >= hit.nats)
		return;
	for (; at > 0 && inquiry->exact[at - 1].nats < hit.nats; at--)
		inquiry->exact[at] = inquiry->exact[at - 1];
	inquiry->exact[at] = hit;
	if (inquiry->exact_count < EXACT_MAX)
		inquiry->exact_count++;
}

static void exact_score(struct inquiry *inquiry, const struct exact_hit *hit)
{
	const struct ranking ranking = { &inquiry->report->pile, inquiry->joins, &inquiry->starts,
					 NULL };
	struct detect_candidate candidate = {
		.layout = hit->layout,
		.misfit = hit->misfit,
		.basis = inquiry->basis,
		.scored = true,
	};

	if (hit->layout.level == 6 &&
	    memchr(hit->layout.images, DETECT_MISSING, hit->layout.members)) {
		if (!has_computed(inquiry))
			return;
		candidate.layout.computed = inquiry->computed;
		detect_exact_compute(&candidate.layout, &inquiry->report->pile);
		describe_computed(inquiry);
	}
	ranked_score(&candidate, &ranking);
	ranked_add(&inquiry->ranked, &candidate);
}

/* Whether there were any. */
static bool exact_rank(struct inquiry *inquiry)
{
	uint32_t count = inquiry->exact_count, computed = 0;

	for (uint32_t i = 0; i < count && inquiry->failed == 0; i++) {
		const struct exact_hit *hit = &inquiry->exact[i];

		if (hit->nats < inquiry->exact[0].nats - EXACT_NATS)
			break;
		computed += hit->layout.level == 6 &&
			    memchr(hit->layout.images, DETECT_MISSING, hit->layout.members);
		if (computed <= COMPUTED_MAX)
			exact_score(inquiry, hit);
	}
	inquiry->exact_count = 0;
	return count > 0;
}

static struct detect_exact exact_of(struct inquiry *inquiry, uint32_t images)
{
	struct detect_exact exact = {
		.pile = &inquiry->report->pile,
		.relations = &inquiry->relations,
		.joins = inquiry->joins,
		.starts = &inquiry->starts,
		.found = exact_found,
		.arg = inquiry,
	};

	exact.count = images_list(exact.images, images);
	return exact;
}

static void search_raid6(struct inquiry *inquiry, uint32_t images)
{
	struct detect_exact exact = exact_of(inquiry, images);

	inquiry->basis = DETECT_BY_SYNDROMES;
	detect_exact_raid6(&exact, false);
	if (inquiry->exact_count == 0)
		detect_exact_raid6(&exact, true);
}

static void search_raid10(struct inquiry *inquiry, uint32_t images)
{
	struct detect_exact exact = exact_of(inquiry, images);

	inquiry->basis = DETECT_BY_COPIES;
	for (uint32_t missing = 0; missing < 2 && inquiry->exact_count == 0; missing++) {
		uint64_t last = 0;

		detect_exact_raid10(&exact, missing, 0);
		for (uint32_t i = 0; i < inquiry->relations.shift_count; i++) {
			const struct relation_shift *shift = &inquiry->relations.shifts[i];

			if (!(images >> shift->from & 1) || shift->blocks == last ||
			    shift->rate < SHIFT_RATE_MIN)
				continue;
			last = shift->blocks;
			detect_exact_raid10(&exact, missing, last);
		}
	}
}

/* ---- one set after the other */

static void mirror_groups(struct inquiry *inquiry, const struct set *set)
{
	uint32_t left = set->images;

	inquiry->group_count = 0;
	memset(inquiry->group_sizes, 0, sizeof(inquiry->group_sizes));
	while (left && inquiry->group_count < DETECT_MEMBERS_MAX) {
		uint32_t one = left & -left;

		for (uint32_t i = 0; i < inquiry->relations.sum_count; i++) {
			const struct relation_sum *sum = &inquiry->relations.sums[i];

			if (bits(sum->images) == 2 && sum->rate >= HOLDS_ALWAYS &&
			    (sum->images & one))
				one |= sum->images;
		}
		one &= left;
		inquiry->group_sizes[inquiry->group_count] =
			images_list(inquiry->groups[inquiry->group_count], one);
		inquiry->group_count++;
		left &= ~one;
	}
}

/* One image, or mirrors of one: RAID-1, from each start. */
static void mirrors_found(struct inquiry *inquiry, uint32_t group)
{
	uint32_t size = inquiry->group_sizes[group];

	for (uint32_t i = 0; i < inquiry->starts.count; i++) {
		struct detect_layout layout = {
			.level = 1,
			.members = size < 2 ? 2 : size,
			.start = inquiry->starts.at[i].block,
			.computed = DETECT_MISSING,
		};

		memset(layout.images, DETECT_MISSING, sizeof(layout.images));
		memcpy(layout.images, inquiry->groups[group], size);
		ranked_add(&inquiry->ranked,
			   &(struct detect_candidate){
				   .layout = layout,
				   .basis = size > 1 ? DETECT_BY_COPIES : 0,
				   .nats = inquiry->starts.at[i].prior +
					   detect_start_worth(&inquiry->report->pile,
							      layout.images[0], layout.start),
			   });
	}
}

/* Is there a candidate along which the content goes on? Then no other kind of layout is tried. */
static bool is_found(struct inquiry *inquiry)
{
	const struct ranking ranking = { &inquiry->report->pile, inquiry->joins, &inquiry->starts,
					 inquiry->parity };

	if (inquiry->ranked.count == 0 || inquiry->failed)
		return inquiry->failed != 0;
	ranked_score(&inquiry->ranked.at[0], &ranking);
	return ranked_is_seen(&inquiry->ranked.at[0]);
}

static bool search_sum(struct inquiry *inquiry, const struct set *set)
{
	uint8_t images[DETECT_MEMBERS_MAX] = { 0 };
	uint32_t count = images_list(images, set->sum);

	inquiry->basis = DETECT_BY_SUM;
	find_parity(inquiry, images, count);
	search_stripes(inquiry, images, count, true);
	return is_found(inquiry);
}

static bool search_exact(struct inquiry *inquiry, const struct set *set)
{
	search_raid6(inquiry, set->images);
	if (inquiry->exact_count == 0 && set->turning)
		search_raid10(inquiry, set->images);
	return exact_rank(inquiry);
}

static void search_set(struct inquiry *inquiry, const struct set *set)
{
	uint8_t images[DETECT_MEMBERS_MAX] = { 0 };
	uint32_t count = images_list(images, set->images);

	mirror_groups(inquiry, set);
	if (inquiry->group_count == 1) {
		mirrors_found(inquiry, 0);
		return;
	}
	if (set->sum && search_sum(inquiry, set))
		return;
	/* Random parts of a RAID-0 do not sum up to zero; only which RAID-5 it is was not seen. */
	if (set->sum == set->images && inquiry->group_count == count && inquiry->ranked.count)
		return;
	if ((set->turning || inquiry->group_count == count) && search_exact(inquiry, set))
		return;
	for (uint32_t g = 0; g < inquiry->group_count; g++)
		images[g] = inquiry->groups[g][0];
	inquiry->basis = inquiry->group_count < count ? DETECT_BY_COPIES : 0;
	search_stripes(inquiry, images, inquiry->group_count, false);
	if (inquiry->group_count == count && !set->sum)
		search_parity_missing(inquiry, images, count);
}

static void array_report(struct inquiry *inquiry, uint32_t images)
{
	struct detect_report *report = inquiry->report;
	struct detect_array *array = &report->arrays[report->array_count];
	uint32_t count = inquiry->ranked.count;
	const struct ranking ranking = { &report->pile, inquiry->joins, &inquiry->starts,
					 inquiry->parity };

	if (count > DETECT_CANDIDATES_MAX)
		count = DETECT_CANDIDATES_MAX;
	array->undecidable = !ranked_judge(&inquiry->ranked, &ranking);
	array->candidates = mem_calloc(count + 1, sizeof(*array->candidates));
	if (!array->candidates) {
		inquiry->failed = err_set(inquiry->err, ERR_NOMEM, "no memory for candidates");
		return;
	}
	memcpy(array->candidates, inquiry->ranked.at, count * sizeof(*array->candidates));
	array->candidate_count = count;
	array->image_count = images_list(array->images, images);
	report->array_count++;
}

static void array_find(struct inquiry *inquiry, const struct set *set)
{
	inquiry->ranked.count = 0;
	inquiry->exact_count = 0;
	inquiry->missing = false;
	inquiry->basis = 0;
	inquiry->group_count = 0;
	mem_free(inquiry->parity);
	inquiry->parity = NULL;
	find_starts(inquiry, set->images, set->from);
	search_set(inquiry, set);
	if (inquiry->failed == 0)
		array_report(inquiry, set->images);
}

int detect_run(struct detect_report *report_out, struct dev *const *devs, uint32_t count,
	       struct err *err)
{
	struct inquiry *inquiry = mem_calloc(1, sizeof(*inquiry));
	int rc;

	memset(report_out, 0, sizeof(*report_out));
	if (!inquiry)
		return err_set(err, ERR_NOMEM, "no memory");
	inquiry->report = report_out;
	inquiry->err = err;
	inquiry->computed = DETECT_MISSING;
	rc = detect_pile_read(&report_out->pile, devs, count, err);
	if (rc)
		goto out_free;
	report_out->given = count;
	rc = relations_find(&inquiry->relations, &report_out->pile, err);
	if (rc == 0)
		rc = joins_create(&inquiry->joins, &report_out->pile, err);
	if (rc)
		goto out_free;
	report_out->information = joins_information(inquiry->joins);
	sets_find(inquiry);
	for (uint32_t i = 0; i < inquiry->set_count && inquiry->failed == 0; i++)
		array_find(inquiry, &inquiry->sets[i]);
	rc = inquiry->failed;

out_free:
	joins_free(inquiry->joins);
	relations_reset(&inquiry->relations);
	mem_free(inquiry->parity);
	mem_free(inquiry);
	if (rc)
		detect_report_reset(report_out);
	return rc;
}

void detect_report_reset(struct detect_report *report)
{
	for (uint32_t i = 0; i < report->array_count; i++)
		mem_free(report->arrays[i].candidates);
	detect_pile_reset(&report->pile);
	memset(report, 0, sizeof(*report));
}
