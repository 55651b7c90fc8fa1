/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/map/rule.h"

#include <assert.h>
#include <string.h>

/* Where P is: it moves to lower members or to higher ones, or stays. */
enum turn { TURN_LEFT, TURN_RIGHT, STAYS_FIRST, STAYS_LAST };
/* Where Q is. On the last member it stays, and all else turns over the others. */
enum q_place { Q_BEHIND_P, Q_BEFORE_P, Q_LAST };

struct order {
	const char *name;
	enum turn turn;
	bool symmetric; /* data begin behind the checks and go round; else they ascend and leave the checks out */
	enum q_place q;
	uint32_t shift;  /* added to the number of the chunk */
	bool counts_all; /* Q's exponents count members from the first one, checks too */
	bool two_checks; /* RAID-6 only */
};

static const struct order orders[ORDER_COUNT] = {
	[ORDER_LEFT_ASYMMETRIC] = { "left-asymmetric", TURN_LEFT },
	[ORDER_RIGHT_ASYMMETRIC] = { "right-asymmetric", TURN_RIGHT },
	[ORDER_LEFT_SYMMETRIC] = { "left-symmetric", TURN_LEFT, true },
	[ORDER_RIGHT_SYMMETRIC] = { "right-symmetric", TURN_RIGHT, true },
	[ORDER_PARITY_FIRST] = { "parity-first", STAYS_FIRST },
	[ORDER_PARITY_LAST] = { "parity-last", STAYS_LAST, .q = Q_LAST },
	[ORDER_DDF_ZERO_RESTART] = { "ddf-zero-restart", TURN_RIGHT, .counts_all = true,
				     .two_checks = true },
	[ORDER_DDF_N_RESTART] = { "ddf-N-restart", TURN_LEFT, .shift = 1, .counts_all = true,
				  .two_checks = true },
	[ORDER_DDF_N_CONTINUE] = { "ddf-N-continue", TURN_LEFT, true, Q_BEFORE_P,
				   .counts_all = true, .two_checks = true },
	[ORDER_LEFT_ASYMMETRIC_6] = { "left-asymmetric-6", TURN_LEFT, .q = Q_LAST,
				      .two_checks = true },
	[ORDER_RIGHT_ASYMMETRIC_6] = { "right-asymmetric-6", TURN_RIGHT, .q = Q_LAST,
				       .two_checks = true },
	[ORDER_LEFT_SYMMETRIC_6] = { "left-symmetric-6", TURN_LEFT, true, Q_LAST,
				     .two_checks = true },
	[ORDER_RIGHT_SYMMETRIC_6] = { "right-symmetric-6", TURN_RIGHT, true, Q_LAST,
				      .two_checks = true },
	[ORDER_PARITY_FIRST_6] = { "parity-first-6", STAYS_FIRST, .q = Q_LAST, .two_checks = true },
};

const char *parity_order_name(enum parity_order order)
{
	assert(order < ORDER_COUNT);
	return orders[order].name;
}

enum parity_order parity_order_named(const char *name)
{
	enum parity_order order = ORDER_LEFT_ASYMMETRIC;

	while (order < ORDER_COUNT && strcmp(orders[order].name, name) != 0)
		order++;
	return order;
}

static int check_parity(const struct rule *rule, struct err *err)
{
	if (rule->order >= ORDER_COUNT || rule->checks < 1 || rule->checks > 2)
		return err_set(err, ERR_LIMIT, "parity of order %u with %u checks is not known",
			       (unsigned)rule->order, rule->checks);
	if (orders[rule->order].two_checks && rule->checks != 2)
		return err_set(err, ERR_LIMIT, "the order %s has two checks",
			       orders[rule->order].name);
	if (rule->members < rule->checks + 1)
		return err_set(err, ERR_LIMIT, "%u members are too few for %u checks",
			       rule->members, rule->checks);
	return 0;
}

static int check_copies(const struct rule *rule, struct err *err)
{
	if (rule->near < 1 || rule->near > rule->members || rule->far < 1 ||
	    rule->far > rule->members || rule->near * rule->far > rule->members)
		return err_set(err, ERR_LIMIT, "%u near and %u far copies do not fit %u members",
			       rule->near, rule->far, rule->members);
	if (rule->far_set < rule->near * rule->far || rule->far_set > rule->members)
		return err_set(err, ERR_LIMIT, "far sets of %u members cannot hold %u copies",
			       rule->far_set, rule->near * rule->far);
	if (rule->far > 1 && rule->far_stride_units == 0)
		return err_set(err, ERR_LIMIT, "far copies at the same place");
	return 0;
}

int rule_check(const struct rule *rule, struct err *err)
{
	if (rule->unit_blocks == 0 || rule->members == 0 || rule->members > RULE_MEMBERS_MAX)
		return err_set(err, ERR_LIMIT, "%u members with chunks of %u blocks", rule->members,
			       rule->unit_blocks);
	return rule->kind == RULE_COPIES ? check_copies(rule, err) : check_parity(rule, err);
}

uint32_t rule_columns(const struct rule *rule)
{
	return rule->kind == RULE_COPIES ? rule->near * rule->far : rule->members;
}

/* The members of P and Q in a chunk; with one check Q is nobody's. */
struct checks_at {
	uint32_t p, q;
	uint32_t turning; /* members that data and P turn over */
};

static struct checks_at checks_at(const struct rule *rule, uint64_t unit)
{
	const struct order *order = &orders[rule->order];
	uint32_t members = rule->members;
	struct checks_at at = { .q = UINT32_MAX, .turning = members };

	if (rule->checks == 2 && order->q == Q_LAST)
		at.turning--;
	uint32_t turned = (uint32_t)((unit + order->shift) % at.turning);

	switch (order->turn) {
	case TURN_LEFT:
		at.p = at.turning - 1 - turned;
		break;
	case TURN_RIGHT:
		at.p = turned;
		break;
	case STAYS_FIRST:
		at.p = 0;
		break;
	case STAYS_LAST:
		at.p = at.turning - 1;
		break;
	}
	if (rule->checks == 1)
		return at;
	switch (order->q) {
	case Q_BEHIND_P:
		at.q = (at.p + 1) % members;
		break;
	case Q_BEFORE_P:
		at.q = (at.p + members - 1) % members;
		break;
	case Q_LAST:
		at.q = members - 1;
		break;
	}
	return at;
}

/* The member that has data column `column` in a chunk with these checks. */
static uint32_t data_member(const struct rule *rule, const struct checks_at *at, uint32_t column)
{
	const struct order *order = &orders[rule->order];
	uint32_t behind = rule->checks == 2 && order->q == Q_BEHIND_P ? 2 : 1, member = 0;

	if (order->symmetric)
		return (at->p + behind + column) % at->turning;
	for (;; member++) {
		if (member == at->p || member == at->q)
			continue;
		if (column == 0)
			return member;
		column--;
	}
}

static struct rule_place place_parity(const struct rule *rule, uint32_t column, uint64_t block)
{
	struct checks_at at = checks_at(rule, block / rule->unit_blocks);
	uint32_t data = rule->members - rule->checks;
	struct rule_place place = { .block = block };

	if (column < data)
		place.position = data_member(rule, &at, column);
	else
		place.position = column == data ? at.p : at.q;
	return place;
}

/*
 * The member of the next far copy: as many further as there are near ones, round its set. Where sets do not divide the
 * members the last one is larger, and what steps into it goes round it: so the kernel does, and so the data lie.
 */
static uint32_t turn_far(const struct rule *rule, uint32_t member)
{
	uint32_t size = rule->far_set, more = rule->members % size;
	uint32_t last = (rule->members / size - 1) * size, next = member + rule->near;

	if (more && next > last)
		return last + (next - last) % (size + more);
	return member / size * size + next % size;
}

static struct rule_place place_copy(const struct rule *rule, uint32_t column, uint64_t block)
{
	uint64_t number = block / rule->unit_blocks * rule->near + column % rule->near;
	uint64_t unit = number / rule->members * (rule->offset ? rule->far : 1);
	uint32_t member = (uint32_t)(number % rule->members);

	for (uint32_t i = 0; i < column / rule->near; i++) {
		member = turn_far(rule, member);
		unit += rule->far_stride_units;
	}
	return (struct rule_place){
		.position = member,
		.block = unit * rule->unit_blocks + block % rule->unit_blocks,
	};
}

struct rule_place rule_place(const struct rule *rule, uint32_t column, uint64_t block)
{
	struct rule_place place;

	assert(column < rule_columns(rule));
	place = rule->kind == RULE_COPIES ? place_copy(rule, column, block)
					  : place_parity(rule, column, block);
	place.run = rule->unit_blocks - (uint32_t)(block % rule->unit_blocks);
	return place;
}

uint32_t rule_exponent(const struct rule *rule, uint32_t column, uint64_t unit)
{
	struct checks_at at = checks_at(rule, unit);
	uint32_t member = data_member(rule, &at, column), exponent = 0;

	assert(rule->kind == RULE_TURNED_PARITY && rule->checks == 2);
	assert(column < rule->members - 2);
	if (orders[rule->order].counts_all)
		return member;
	for (uint32_t i = (at.q + 1) % rule->members; i != member; i = (i + 1) % rule->members)
		exponent += i != at.p && i != at.q;
	return exponent;
}
