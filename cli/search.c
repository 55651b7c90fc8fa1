/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/search.h"

#include "cli/member_maps.h"
#include "cli/member_stack.h"
#include "cli/overlay_dir.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "formats/md_map.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define DEVS_MAX                                                                                   \
	(MEMBERS_MAX + 1u) /* what array_open() takes: a clone more is refused there by name */

int refuse_uri(const char *name, struct err *err)
{
	static const char *const schemes[] = { "nbd://", "nbds://", "nbd+unix://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strncmp(name, schemes[i], strlen(schemes[i])) != 0)
			continue;
		err_set(err, ERR_UNSUPPORTED, "%s: NBD members are not available in this version",
			name);
		return err_hint(err, "attach the export as a block device and name that");
	}
	return 0;
}

static bool is_directory(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static int check_exists(const struct invocation *inv, const char *path, struct err *err)
{
	struct stat facts;

	if (stat(path, &facts) == 0 || overlay_dir_has_new(inv->overlay, path))
		return 0;
	if (errno == ENAMETOOLONG) /* which would push the reason out of the message */
		err_set(err, ERR_ACCESS, "%.80s...: %s", path, strerrordesc_np(errno));
	else
		err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_ACCESS,
			"%s: %s", path, strerrordesc_np(errno));
	return err_hint(err, "name a member or a directory of members; pgctl list DIR shows what "
			     "arrays are there");
}

bool candidate_identity(struct identity *identity_out, const struct candidate *candidate)
{
	const struct md_found *md = candidate_md(candidate);
	const struct adopt_record *adoption = candidate->adoption;

	if (adoption && candidate->adoption_stands)
		*identity_out = (struct identity){ MAKER_US, adoption->array };
	else if (adoption)
		*identity_out = (struct identity){ MAKER_MD, adoption->origin };
	else if (candidate->probe.valid_slots)
		*identity_out = (struct identity){ MAKER_US, candidate->probe.array };
	else if (md)
		*identity_out = (struct identity){ MAKER_MD, md->member.array };
	else
		return false;
	return true;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->maker == b->maker && uuid_equal(&a->uuid, &b->uuid);
}

void candidate_name(char name_out[static NAME_SIZE], const struct candidate *candidate)
{
	const struct md_found *md = candidate_md(candidate);

	if (candidate->adoption)
		memcpy(name_out, candidate->adoption->name, NAME_SIZE);
	else if (candidate->probe.valid_slots || !md)
		memcpy(name_out, candidate->probe.name, NAME_SIZE);
	else
		md_map_name(name_out, &md->member);
}

/* The array that a candidate says it is of, if it counts in this search. */
static bool identity_in(struct identity *identity_out, const struct search *search,
			const struct candidate *candidate)
{
	return candidate_identity(identity_out, candidate) &&
	       (identity_out->maker == MAKER_US || !search->headless);
}

/* The first candidate of each array is its sign; is this one? */
static bool is_first_of_array(const struct search *search, size_t index, struct identity *array_out)
{
	struct identity other;

	if (!identity_in(array_out, search, &search->candidates.at[index]))
		return false;
	for (size_t i = 0; i < index; i++) {
		if (identity_in(&other, search, &search->candidates.at[i]) &&
		    identity_equal(&other, array_out))
			return false;
	}
	return true;
}

static int refuse_several(const struct search *search, const char *name, struct err *err)
{
	struct text text = { 0 };
	const char *example = NULL;
	int rc;

	for (size_t i = 0; i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];
		struct identity array;
		char shown[NAME_SIZE];

		if (!is_first_of_array(search, i, &array))
			continue;
		candidate_name(shown, one);
		text_add(&text, "%s'%s' (%s%s)", text.size ? ", " : "", shown,
			 array.maker == MAKER_MD ? "Linux MD, " : "", one->path);
		example = one->path;
	}
	rc = err_set(err, ERR_USAGE, "%s holds several arrays: %s", name,
		     text.chars ? text.chars : "");
	text_reset(&text);
	err_hint(err, "name a member of the one that is meant: %s", example);
	return rc;
}

/* Which array a directory means: the only one that it holds. */
static int choose_array(struct search *search, const char *name, struct err *err)
{
	for (size_t i = 0; i < search->candidates.count; i++) {
		struct identity array;

		if (!is_first_of_array(search, i, &array))
			continue;
		if (search->known)
			return refuse_several(search, name, err);
		search->known = true;
		search->array = array;
	}
	return 0;
}

static bool is_block_device(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISBLK(status.st_mode);
}

struct scan_how search_how(const struct invocation *inv)
{
	return (struct scan_how){
		.env = inv->env,
		.engine = inv->common->io == IO_MODE_SYNC ? DEV_ENGINE_SYNC : DEV_ENGINE_CACHED,
		.limit_ns = cli_member_limit_ns(inv),
		.overlay = inv->overlay,
	};
}

/* Members lie beside each other: images beside an image, devices beside a device. */
static int look_beside(struct search *search, const char *name, struct err *err)
{
	const struct scan_how how = search_how(search->inv);
	const char *slash = strrchr(name, '/');
	char *directory = slash ? mem_strndup(name, (size_t)(slash - name) + 1) : mem_strdup(".");
	int rc;

	if (!directory)
		return err_set(err, ERR_NOMEM, "%s: no memory", name);
	rc = is_block_device(name) ? scan_devices(&search->candidates, &how, directory, err)
				   : scan_directory(&search->candidates, &how, directory, err);
	mem_free(directory);
	return rc;
}

/* A file that was named as a member holds no superblock, or none that can be used. */
static int refuse_no_member(const char *path, const struct array_probe *probe, struct err *err)
{
	if (probe->damage.code) {
		*err = probe->damage;
		err_prefix(err, "%s", path);
	} else {
		err_set(err, ERR_NOT_MEMBER, "%s: no pgctl superblock", path);
	}
	return err_hint(err, "pgctl inspect %s", path);
}

/* The member that was named comes first and says which array is meant; what others say can change what it is of. */
static void settle(struct search *search)
{
	candidates_settle(&search->candidates);
	if (search->from_member)
		search->known = identity_in(&search->array, search, &search->candidates.at[0]);
}

/* Start from one member: what array it says it is of, and who lies beside it. */
static int look_from_member(struct search *search, const char *name, struct err *err)
{
	const struct scan_how how = search_how(search->inv);
	int rc = scan_named(&search->candidates, &how, name, err);

	if (rc)
		return rc;
	settle(search);
	if (!search->known && !search->headless)
		return refuse_no_member(name, &search->candidates.at[0].probe, err);
	rc = look_beside(search, name, err);
	settle(search);
	return rc;
}

static int look_elsewhere(struct search *search, struct err *err)
{
	const struct text_list *members = &search->inv->common->members;
	const struct scan_how how = search_how(search->inv);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < members->count; i++) {
		rc = refuse_uri(members->at[i], err);
		if (rc == 0)
			rc = check_exists(search->inv, members->at[i], err);
		if (rc == 0 && is_directory(members->at[i]))
			rc = scan_directory(&search->candidates, &how, members->at[i], err);
		else if (rc == 0)
			rc = scan_named(&search->candidates, &how, members->at[i], err);
	}
	if (rc == 0 && search->inv->common->scan)
		rc = scan_block_devices(&search->candidates, &how, err);
	return rc;
}

/* Does the candidate stay? A named one that does not belong is an error. */
static int keep(bool *keep_out, const struct search *search, const struct candidate *one,
		struct err *err)
{
	struct identity array;
	char name[NAME_SIZE];

	*keep_out = false;
	if (!identity_in(&array, search, one)) {
		*keep_out = one->named && search->headless;
		return *keep_out || !one->named ? 0 : refuse_no_member(one->path, &one->probe, err);
	}
	*keep_out = search->known && identity_equal(&array, &search->array);
	if (*keep_out || !one->named)
		return 0;
	candidate_name(name, one);
	return err_set(err, ERR_MIXED, "%s belongs to another array, '%s'", one->path, name);
}

static int narrow(struct search *search, const char *name, struct err *err)
{
	struct candidate_vec *candidates = &search->candidates;
	size_t kept = 0;
	int rc = 0;

	if (!search->known && !search->headless) {
		err_set(err, ERR_NOT_FOUND, "%s: no pgctl array in this directory", name);
		return err_hint(err, "pgctl list %s", name);
	}
	for (size_t i = 0; i < candidates->count; i++) {
		bool stays = false;

		if (rc == 0)
			rc = keep(&stays, search, &candidates->at[i], err);
		if (stays)
			candidates->at[kept++] = candidates->at[i];
		else
			candidate_reset(&candidates->at[i]);
	}
	candidates->count = kept;
	if (rc == 0 && kept > DEVS_MAX)
		rc = err_set(err, ERR_LIMIT, "%s: %zu members found, at most %u can be", name, kept,
			     DEVS_MAX);
	return rc;
}

int search_refuse_half(const struct search *search, struct err *err)
{
	for (size_t i = 0; i < search->candidates.count; i++) {
		const struct candidate *one = &search->candidates.at[i];
		char name[NAME_SIZE];

		if (!candidate_is_half(one))
			continue;
		candidate_name(name, one);
		if (!one->adoption) {
			err_set(err, ERR_STATE,
				"%s was adopted by pgctl (array '%s'), and no superblock of that "
				"is "
				"there any more",
				one->path, name);
			return err_hint(err, "pgctl meta restore brings superblocks back from an "
					     "archive of pgctl meta dump");
		}
		err_set(err, ERR_STATE,
			"array '%s': its adoption, or the undo of it, was not finished", name);
		return err_hint(err,
				"pgctl adopt --undo %s puts everything back; pgctl adopt begins "
				"anew",
				one->path);
	}
	return 0;
}

static bool is_one_member(const struct candidate *one, const struct candidate *other)
{
	const struct md_found *a = candidate_md(one), *b = candidate_md(other);

	if (one->probe.valid_slots && other->probe.valid_slots)
		return uuid_equal(&one->probe.array, &other->probe.array) &&
		       uuid_equal(&one->probe.member, &other->probe.member);
	/* Superblocks 0.90 have no uuid of the device, and its number instead. */
	return !one->probe.valid_slots && !other->probe.valid_slots && a && b && a->decoded &&
	       b->decoded && uuid_equal(&a->member.array, &b->member.array) &&
	       uuid_equal(&a->member.device, &b->member.device) &&
	       a->member.device_number == b->member.device_number;
}

/* Images of one member that have maps stand behind the first of them. */
static void join_copies(struct search *search)
{
	struct candidate_vec *candidates = &search->candidates;
	size_t kept = 0;

	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate *one = &candidates->at[i];
		bool joined = false;

		for (size_t k = 0; !joined && k < kept; k++)
			joined = is_one_member(&candidates->at[k], one) &&
				 member_maps_join(search->inv->maps, candidates->at[k].path,
						  one->path);
		if (joined)
			candidate_reset(one);
		else
			candidates->at[kept++] = *one;
	}
	candidates->count = kept;
}

int search_run(struct search *search, const char *name, struct err *err)
{
	const struct scan_how how = search_how(search->inv);
	int rc = refuse_uri(name, err);

	if (rc == 0)
		rc = check_exists(search->inv, name, err);
	if (rc)
		return rc;
	if (is_directory(name)) {
		rc = scan_directory(&search->candidates, &how, name, err);
		settle(search);
		if (rc == 0)
			rc = choose_array(search, name, err);
	} else {
		search->from_member = true;
		rc = look_from_member(search, name, err);
	}
	if (rc == 0)
		rc = look_elsewhere(search, err);
	if (rc == 0)
		settle(search);
	if (rc == 0 && !search->known)
		rc = choose_array(search, name, err);
	if (rc == 0)
		rc = narrow(search, name, err);
	candidates_settle(&search->candidates);
	if (rc == 0 && search->inv->maps)
		join_copies(search);
	return rc;
}
