/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/fault_spec.h"

#include "cli/nearest.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPECS_MAX 64u
#define SHIFT_DEFAULT (UINT64_C(64) << 10)
#define DELAY_DEFAULT_MS 1000u
#define DELAY_MAX_MS 60000u /* bounded: a hang ends with an error within a minute */
#define NS_PER_MS UINT64_C(1000000)

/* Kinds beyond those of the fault device. */
enum { KIND_LYING_FLUSH = 1000, KIND_CRASH, KIND_POWER_CUT };

const char *const fault_spec_words[] = {
	"read-error",
	"write-error",
	"flush-error",
	"no-space",
	"short",
	"latency",
	"hang",
	"disconnect",
	"flip-read",
	"flip-write",
	"stale-read",
	"lost-write",
	"misdirected-read",
	"misdirected-write",
	"torn-write",
	"lying-flush",
	"crash",
	"power-cut",
	NULL,
};
static const int kinds[] = {
	FAULT_READ_ERROR, FAULT_WRITE_ERROR, FAULT_FLUSH_ERROR, FAULT_NO_SPACE,  FAULT_SHORT,
	FAULT_LATENCY,    FAULT_HANG,        FAULT_DISCONNECT,  FAULT_FLIP_READ, FAULT_FLIP_WRITE,
	FAULT_STALE_READ, FAULT_LOST_WRITE,  FAULT_MISREAD,     FAULT_MISDIRECT, FAULT_TORN,
	KIND_LYING_FLUSH, KIND_CRASH,        KIND_POWER_CUT,
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) + 1 ==
		       sizeof(fault_spec_words) / sizeof(fault_spec_words[0]),
	       "a word for each kind");

struct spec {
	int kind; /* enum fault_kind or one of ours */
	bool any_member;
	uint64_t member;
	uint64_t at, count;
	uint64_t first, end; /* bytes of the member */
	uint64_t shift, delay_ms, seed;
	bool torn;
};

struct fault_set {
	struct spec specs[SPECS_MAX];
	size_t count;
	struct power *power; /* NULL: nothing of that kind was asked for */
};

/* ---- parsing */

static int number_parse(uint64_t *number_out, const char *text, uint64_t min, uint64_t max)
{
	char *end;

	if (*text < '0' || *text > '9')
		return ERR_USAGE;
	*number_out = strtoull(text, &end, 10);
	return *end || *number_out < min || *number_out > max ? ERR_USAGE : 0;
}

static int size_parse(uint64_t *size_out, const char *text)
{
	struct err ignored = { 0 };

	return units_parse(size_out, text, &ignored);
}

static int range_parse(struct spec *spec, char *text)
{
	char *dash = strchr(text, '-');

	if (!dash)
		return ERR_USAGE;
	*dash = '\0';
	if (size_parse(&spec->first, text) || size_parse(&spec->end, dash + 1) ||
	    spec->first >= spec->end)
		return ERR_USAGE;
	return 0;
}

static int shift_parse(struct spec *spec, const char *text)
{
	int rc = size_parse(&spec->shift, text);

	return rc || spec->shift % BLOCK_SIZE || spec->shift == 0 ? ERR_USAGE : 0;
}

/* WORD=VALUE: numbers by table, with the bounds of each. */
static int value_parse(struct spec *spec, const char *word, char *value)
{
	const struct {
		const char *word;
		uint64_t *number;
		uint64_t min, max;
	} numbers[] = {
		{ "member", &spec->member, 0, MEMBERS_MAX - 1 },
		{ "at", &spec->at, 1, UINT32_MAX },
		{ "count", &spec->count, 0, UINT32_MAX },
		{ "seed", &spec->seed, 0, UINT64_MAX },
		{ "delay", &spec->delay_ms, 0, DELAY_MAX_MS },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(word, numbers[i].word) != 0)
			continue;
		spec->any_member &= numbers[i].number != &spec->member;
		return number_parse(numbers[i].number, value, numbers[i].min, numbers[i].max);
	}
	if (strcmp(word, "range") == 0)
		return range_parse(spec, value);
	return strcmp(word, "shift") == 0 ? shift_parse(spec, value) : ERR_USAGE;
}

/* One word behind the kind. */
static int word_parse(struct spec *spec, char *word)
{
	char *value = strchr(word, '=');

	if (value) {
		*value++ = '\0';
		return value_parse(spec, word, value);
	}
	spec->torn = strcmp(word, "torn") == 0;
	return spec->torn ? 0 : ERR_USAGE;
}

static int kind_parse(struct spec *spec, const char *word, struct err *err)
{
	struct nearest nearest = { .typed = word };

	for (size_t i = 0; fault_spec_words[i]; i++) {
		if (strcmp(word, fault_spec_words[i]) == 0) {
			spec->kind = kinds[i];
			return 0;
		}
		nearest_offer(&nearest, fault_spec_words[i]);
	}
	if (nearest.word)
		return err_set(err, ERR_USAGE, "--fault %s: no such kind: did you mean %s?", word,
			       nearest.word);
	return err_set(err, ERR_USAGE, "--fault %s: no such kind", word);
}

static bool ends_process(const struct spec *spec)
{
	return spec->kind == KIND_CRASH || spec->kind == KIND_POWER_CUT;
}

/* `text` is taken apart. */
static int spec_parse(struct spec *spec_out, char *text, struct err *err)
{
	struct spec spec = { .any_member = true,
			     .at = 1,
			     .count = 1,
			     .end = UINT64_MAX,
			     .shift = SHIFT_DEFAULT,
			     .delay_ms = DELAY_DEFAULT_MS };
	char *next = strchr(text, ',');
	int rc;

	if (next)
		*next++ = '\0';
	rc = kind_parse(&spec, text, err);
	while (rc == 0 && next) {
		char *word = next;

		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		if (word_parse(&spec, word))
			rc = err_set(err, ERR_USAGE, "--fault %s: '%s' is not understood", text,
				     word);
	}
	if (rc == 0 && spec.torn && !ends_process(&spec))
		rc = err_set(err, ERR_USAGE, "--fault %s: torn is for crash and power-cut", text);
	if (rc == 0 && ends_process(&spec) && !spec.any_member)
		rc = err_set(err, ERR_USAGE,
			     "--fault %s: counts all members, so it takes no member", text);
	if (rc == 0)
		*spec_out = spec;
	return rc;
}

/* What kill -9 does: no handler runs, nothing more is written. */
static void die(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static int power_prepare(struct fault_set *set, struct env *env, struct err *err)
{
	struct power_config config = { .at = UINT64_MAX, .die = die };
	bool wanted = false;

	for (size_t i = 0; i < set->count; i++) {
		const struct spec *spec = &set->specs[i];

		wanted |= ends_process(spec) || spec->kind == KIND_LYING_FLUSH;
		if (!ends_process(spec))
			continue;
		if (config.at != UINT64_MAX)
			return err_set(err, ERR_USAGE, "--fault: a command dies only once");
		config.at = spec->at;
		config.torn = spec->torn;
		config.cut = spec->kind == KIND_POWER_CUT;
		config.seed = spec->seed;
	}
	if (!wanted)
		return 0;
	set->power = power_create(env, &config);
	return set->power ? 0 : err_set(err, ERR_NOMEM, "no memory for faults");
}

int fault_set_create(struct fault_set **set_out, const struct text_list *specs, struct env *env,
		     struct err *err)
{
	struct fault_set *set;
	int rc = 0;

	*set_out = NULL;
	if (specs->count == 0)
		return 0;
	if (specs->count > SPECS_MAX)
		return err_set(err, ERR_LIMIT, "--fault: at most %u of them", SPECS_MAX);
	set = mem_calloc(1, sizeof(*set));
	if (!set)
		return err_set(err, ERR_NOMEM, "no memory for faults");
	for (size_t i = 0; rc == 0 && i < specs->count; i++) {
		char *text = mem_strdup(specs->at[i]);

		rc = text ? spec_parse(&set->specs[i], text, err)
			  : err_set(err, ERR_NOMEM, "no memory for faults");
		mem_free(text);
		set->count = i + 1;
	}
	if (rc == 0)
		rc = power_prepare(set, env, err);
	if (rc)
		fault_set_free(set);
	else
		*set_out = set;
	return rc;
}

void fault_set_free(struct fault_set *set)
{
	if (!set)
		return;
	power_free(set->power);
	mem_free(set);
}

/* ---- wrapping */

static bool is_of(const struct spec *spec, uint32_t slot)
{
	return spec->any_member || (slot != MEMBER_NONE && spec->member == slot);
}

static struct fault fault_of(const struct spec *spec)
{
	bool is_delay = spec->kind == FAULT_LATENCY || spec->kind == FAULT_HANG;

	return (struct fault){
		.kind = (enum fault_kind)spec->kind,
		.offset = spec->first,
		.size = spec->end - spec->first,
		.shift = spec->shift,
		.delay_ns = is_delay ? spec->delay_ms * NS_PER_MS : 0,
		.seed = spec->seed,
		.skip = (uint32_t)spec->at - 1,
		.count = (uint32_t)spec->count,
	};
}

/* The flush from which on this member lies; UINT64_MAX: it is honest. */
static uint64_t lie_of(const struct fault_set *set, uint32_t slot)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->specs[i].kind == KIND_LYING_FLUSH && is_of(&set->specs[i], slot))
			return set->specs[i].at;
	}
	return UINT64_MAX;
}

/* Take the fault device away again, without what is below it. */
static void unwrap(struct dev *dev, struct dev *below)
{
	if (dev == below)
		return;
	dev->below = NULL;
	dev_close(dev);
}

static int faults_add(struct dev **dev_out, struct dev *below, const struct fault_set *set,
		      uint32_t slot)
{
	struct dev *dev = below;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < set->count; i++) {
		const struct spec *spec = &set->specs[i];
		const struct fault fault = fault_of(spec);

		if (!is_of(spec, slot) || spec->kind >= KIND_LYING_FLUSH)
			continue;
		if (dev == below)
			rc = dev_fault_open(&dev, below);
		if (rc == 0)
			rc = dev_fault_add(dev, &fault);
	}
	if (rc)
		unwrap(dev, below);
	else
		*dev_out = dev;
	return rc;
}

int fault_set_wrap(struct dev **dev_out, struct dev *below, struct fault_set *set, uint32_t slot,
		   struct err *err)
{
	struct dev *dev = below, *top;
	int rc = set ? faults_add(&dev, below, set, slot) : 0;

	top = dev;
	if (rc == 0 && set && set->power) {
		rc = dev_power_open(&top, dev, set->power, lie_of(set, slot));
		if (rc)
			unwrap(dev, below);
	}
	if (rc)
		return err_set(err, rc, "%s: no memory for its faults", dev_name(below));
	*dev_out = top;
	return 0;
}
