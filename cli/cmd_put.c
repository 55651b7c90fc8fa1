/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pgctl put: store files, standard input or the entries of an archive, each as one new volume.
 *
 * Every volume is a commit of its own: what was stored before a failure stays stored, and is listed.
 */
#include "cli/command.h"
#include "cli/member_guard.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/pipe_wait.h"
#include "cli/plan.h"
#include "cli/policy_args.h"
#include "cli/room_warn.h"
#include "core/array/array.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/dev/devices.h"
#include "core/job/transfer.h"
#include "formats/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct put_args {
	const char *as;
	const char *tar;
	bool append;
	struct policy_args policy;
};

static const struct put_args put_defaults = { .policy = POLICY_ARGS_NONE };

static const struct option_spec put_options[] = {
	{ "as", OPTION_TEXT, offsetof(struct put_args, as), "NAME",
	  "name of the volume; needed for standard input" },
	{ "tar", OPTION_TEXT, offsetof(struct put_args, tar), "FILE",
	  "each regular file of this archive becomes a volume; - is standard input" },
	{ "append", OPTION_FLAG, offsetof(struct put_args, append), NULL,
	  "put the bytes behind the end of the volume, which exists" },
	POLICY_OPTIONS(put_args, policy),
	{ "unmirrored", OPTION_FLAG, offsetof(struct put_args, policy.unmirrored), NULL,
	  "one copy only: the same as --layout plain" },
	{ 0 },
};

/* An entry of an archive that did not become a volume. */
struct left {
	char *name; /* owned */
	const char *kind;
};
#define LEFT_MAX 1000u /* are listed; all are counted */
VEC_DEFINE(left_vec, struct left);

static const struct field left_fields[] = {
	{ "name", FIELD_TEXT, "LEFT OUT" },
	{ "kind", FIELD_TEXT, "KIND" },
	{ 0 },
};

/* One run: the array and what the plan has added up. */
struct putting {
	const struct invocation *inv;
	struct array *array;
	uint64_t planned;
	struct left_vec left; /* of an archive, the first LEFT_MAX */
	uint64_t left_count;
};

/* Where the bytes of one volume come from. */
struct put_input {
	const struct invocation *inv;
	const char *name; /* for messages */
	int fd;
	struct archive_reader *reader; /* or NULL: read fd */
	uint64_t length;               /* UINT64_MAX: unknown */
	struct dev *dev;               /* the whole blocks of a regular file; NULL: read fd */
};

static const struct field put_fields[] = {
	{ "name", FIELD_TEXT, "VOLUME" },
	{ "length", FIELD_BYTES, "LENGTH" },
	{ "groups", FIELD_COUNT, "GROUPS" },
	{ "bytes_written", FIELD_BYTES, "ON MEMBERS" },
	{ 0 },
};

/* Fill the buffer from a descriptor; a pipe gives less than asked without being at its end. */
static int descriptor_read(const struct put_input *input, void *bytes, size_t size, size_t *got_out,
			   struct err *err)
{
	size_t got = 0;

	while (got < size) {
		int rc = pipe_wait(input->fd, POLLIN, &input->inv->watch, err);
		ssize_t part = rc ? 0 : read(input->fd, (char *)bytes + got, size - got);

		if (rc)
			return rc;
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return err_set(err, ERR_IO, "%s: cannot be read: %s", input->name,
				       strerrordesc_np(errno));
		if (part == 0)
			break;
		got += (size_t)part;
	}
	*got_out = got;
	return 0;
}

static int input_read(void *arg, void *bytes, size_t size, size_t *got_out, struct err *err)
{
	const struct put_input *input = arg;

	if (input->reader)
		return archive_reader_read(input->reader, bytes, size, got_out, err);
	return descriptor_read(input, bytes, size, got_out, err);
}

/* The policy of the groups: that of the volume, if there is one, or the array's; then the options. */
static int policy_choose(struct policy *policy_out, const struct putting *putting, const char *name,
			 struct err *err)
{
	const struct put_args *args = putting->inv->args;
	const struct map *map = array_map(putting->array);
	const struct volume *volume = map_volume_named(map, name);
	struct policy policy = volume ? volume->policy : map->policy;
	int rc;

	if (args->append && !volume) {
		err_set(err, ERR_NOT_FOUND, "there is no volume %s to append to", name);
		return err_hint(err, "without --append it is made");
	}
	if (!args->append && volume && volume->length > 0) {
		err_set(err, ERR_EXISTS, "volume %s exists already", volume->name);
		return err_hint(err, "choose another name with --as, or pgctl volume remove");
	}
	rc = policy_args_apply(&policy, &args->policy, &map->geometry, err);
	if (rc == 0)
		rc = policy_args_literal(&policy, &args->policy, map->member_count, err);
	if (rc == 0)
		*policy_out = policy;
	return rc;
}

static void report_show(struct out *out, const char *name, const struct put_report *report)
{
	out_text(out, name);
	out_number(out, report->length);
	out_number(out, report->groups);
	out_number(out, report->bytes_written);
}

/* Store one volume, or say what that would take. */
static int put_one(struct putting *putting, const char *name, struct put_input *input,
		   struct err *err)
{
	const struct invocation *inv = putting->inv;
	struct put_request request = {
		.name = name,
		.source = input_read,
		.source_arg = input,
		.source_dev = input->dev,
		.length_hint = input->length,
		.watch = inv->watch,
	};
	struct put_report report = { 0 };
	int rc = map_name_check(name, err);

	if (rc == 0)
		rc = policy_choose(&request.policy, putting, name, err);
	if (rc)
		return rc;
	request.append = map_volume_named(array_map(putting->array), name) != NULL;
	if (plan_only(inv) && input->length == UINT64_MAX)
		return err_set(err, ERR_USAGE, "%s: its length is not known before it was read",
			       input->name);

	if (plan_only(inv))
		rc = put_plan(putting->array, &request, &report, err);
	else
		rc = put_run(putting->array, &request, &report, err);
	if (rc == ERR_STOPPED)
		err_hint(err, "nothing of %s was stored: put it again", name);
	if (rc)
		return rc;
	putting->planned += report.bytes_written;
	report_show(inv->out, name, &report);
	if (input->length != UINT64_MAX && report.length != input->length)
		out_warn(inv->out,
			 "%s changed while it was read: it had %" PRIu64 " bytes, %" PRIu64
			 " were stored",
			 input->name, input->length, report.length);
	return 0;
}

/* The last part of a path, as the name of its volume. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int file_open(struct put_input *input, const struct putting *putting, const char *path,
		     struct err *err)
{
	struct stat facts;
	int rc = member_guard(putting->inv, putting->array, path, err);

	if (rc)
		return rc;
	input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (input->fd < 0)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			       strerrordesc_np(errno));
	if (fstat(input->fd, &facts) || S_ISDIR(facts.st_mode)) {
		close(input->fd);
		err_set(err, ERR_KIND, "%s is a directory", path);
		return err_hint(err, "tar -c %s | pgctl put %s --tar -", path,
				putting->inv->operands[0]);
	}
	if (S_ISREG(facts.st_mode)) {
		input->length = (uint64_t)facts.st_size;
		(void)posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return 0;
}

/*
 * A regular file is read as members are, past the page cache where that can be: several times less work
 * for the processor. Where it cannot be opened so, it is read as a stream, which needs no word.
 */
static void device_open(struct put_input *input, const char *path)
{
	const struct dev_file_options options = {
		.access = DEV_READ,
		.limit_ns = cli_member_limit_ns(input->inv),
	};
	struct stat facts;
	struct err why = { 0 };
	struct dev *dev;

	if (input->length == UINT64_MAX || input->length < BLOCK_SIZE ||
	    dev_file_open(&dev, input->inv->env, path, &options, &why))
		return;
	const struct dev_info *info = dev_info(dev);
	/* The very file that `fd` is; its bytes behind the last whole block come from there. */
	if (fstat(input->fd, &facts) || info->is_block || info->identity[0] != facts.st_dev ||
	    info->identity[1] != facts.st_ino || info->size_exact != input->length ||
	    lseek(input->fd, (off_t)info->size, SEEK_SET) < 0) {
		dev_close(dev);
		return;
	}
	input->dev = dev;
}

/* Bytes that came to the file's end while it was read are not in the volume. */
static void growth_check(const struct put_input *input)
{
	struct stat facts;

	if (input->dev && fstat(input->fd, &facts) == 0 && (uint64_t)facts.st_size > input->length)
		out_warn(input->inv->out,
			 "%s changed while it was read: it has %" PRIu64
			 " bytes, the first %" PRIu64 " were stored",
			 input->name, (uint64_t)facts.st_size, input->length);
}

static int put_file(struct putting *putting, const char *path, struct err *err)
{
	const struct put_args *args = putting->inv->args;
	const char *name = args->as ? args->as : base_name(path);
	struct put_input input = { putting->inv, path, STDIN_FILENO, NULL, UINT64_MAX, NULL };
	bool is_stdin = strcmp(path, "-") == 0;
	int rc;

	if (is_stdin) {
		input.name = "standard input";
	} else {
		rc = file_open(&input, putting, path, err);
		if (rc)
			return rc;
		device_open(&input, path);
	}
	rc = put_one(putting, name, &input, err);
	if (rc == 0 && !plan_only(putting->inv))
		growth_check(&input);
	dev_close(input.dev);
	if (!is_stdin)
		close(input.fd);
	return rc;
}

static int put_files(struct putting *putting, struct err *err)
{
	const struct invocation *inv = putting->inv;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++)
		rc = put_file(putting, inv->operands[i], err);
	return rc;
}

/* Without memory the name is not kept; it counts. */
static void left_out(void *arg, const char *name, const char *kind)
{
	struct putting *putting = arg;
	struct left left = { mem_strdup(name), kind };

	putting->left_count++;
	if (!left.name || putting->left.count == LEFT_MAX || left_vec_push(&putting->left, left))
		mem_free(left.name);
}

static void left_show(struct putting *putting, unsigned *verdict_out)
{
	const struct invocation *inv = putting->inv;

	if (putting->left_count == 0)
		return;
	*verdict_out |= VERDICT_LEFT;
	out_list_begin(inv->out, "left_out", left_fields);
	for (size_t i = 0; i < putting->left.count; i++) {
		out_text(inv->out, putting->left.at[i].name);
		out_text(inv->out, putting->left.at[i].kind);
		mem_free(putting->left.at[i].name);
	}
	out_list_end(inv->out);
	left_vec_reset(&putting->left);
	out_warn(inv->out, "%" PRIu64 " entries of the archive are no volumes now: left out",
		 putting->left_count);
}

static int put_entry(struct putting *putting, struct archive_reader *reader,
		     const struct archive_file *file, struct err *err)
{
	struct put_input input = {
		.inv = putting->inv,
		.name = file->name,
		.reader = reader,
		.length = file->has_size ? file->size : UINT64_MAX,
	};
	struct err why = { 0 };
	char name[NAME_SIZE];

	if (archive_name_encode(name, sizeof(name), file->name) && map_name_check(name, &why) == 0)
		return put_one(putting, name, &input, err);
	left_out(putting, file->name, "name");
	return 0;
}

/* Before each read of the archive. */
static int archive_wait(void *arg, struct err *err)
{
	const struct put_input *input = arg;

	return pipe_wait(input->fd, POLLIN, &input->inv->watch, err);
}

static int put_entries(struct putting *putting, struct archive_reader *reader, struct err *err)
{
	struct archive_file file;
	bool end = false;

	for (;;) {
		int rc = archive_reader_next(reader, &file, &end, err);

		if (rc || end)
			return rc;
		rc = put_entry(putting, reader, &file, err);
		if (rc)
			return rc;
	}
}

static int put_archive(struct putting *putting, const char *path, struct err *err)
{
	struct put_input input = { putting->inv, path, STDIN_FILENO, NULL, UINT64_MAX, NULL };
	struct archive_input archive = {
		path, STDIN_FILENO, archive_wait, &input, left_out, putting,
	};
	struct archive_reader *reader = NULL;
	bool is_stdin = strcmp(path, "-") == 0;
	int rc = is_stdin ? 0 : file_open(&input, putting, path, err);

	if (rc)
		return rc;
	if (is_stdin)
		archive.name = input.name = "standard input";
	archive.fd = input.fd;
	rc = archive_reader_open(&reader, &archive, err);
	if (rc == 0)
		rc = put_entries(putting, reader, err);
	archive_reader_close(reader);
	if (!is_stdin)
		close(input.fd);
	return rc;
}

/* Two files with one name would be one volume. */
static int twins_check(const struct invocation *inv, size_t last, const char *name, struct err *err)
{
	for (size_t j = 1; j < last; j++) {
		if (strcmp(name, base_name(inv->operands[j])) == 0)
			return err_set(err, ERR_EXISTS, "%s and %s would both be volume %s",
				       inv->operands[j], inv->operands[last], name);
	}
	return 0;
}

static int operands_check(const struct invocation *inv, struct err *err)
{
	const struct put_args *args = inv->args;
	size_t files = inv->operand_count - 1;
	int rc = 0;

	if (args->tar && (files > 0 || args->as || args->append))
		return err_set(err, ERR_USAGE,
			       "--tar takes no FILE, no --as and no --append beside it");
	if (!args->tar && files == 0)
		return err_set(err, ERR_USAGE, "FILE is missing");
	if (args->as && files != 1)
		return err_set(err, ERR_USAGE, "--as names one volume, and there are %zu files",
			       files);
	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++) {
		const char *name = args->as ? args->as : base_name(inv->operands[i]);

		if (strcmp(inv->operands[i], "-") == 0 && !args->as)
			return err_set(err, ERR_USAGE, "standard input has no name: add --as NAME");
		rc = twins_check(inv, i, name, err);
	}
	return rc;
}

/* Names that are taken already are refused before the first file is stored. */
static int names_check(const struct putting *putting, struct err *err)
{
	const struct invocation *inv = putting->inv;
	const struct put_args *args = inv->args;
	struct policy policy;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < inv->operand_count; i++) {
		const char *name = args->as ? args->as : base_name(inv->operands[i]);

		rc = map_name_check(name, err);
		if (rc == 0)
			rc = policy_choose(&policy, putting, name, err);
	}
	return rc;
}

static int cmd_put_run(const struct invocation *inv, unsigned *verdict_out, struct err *err)
{
	const struct put_args *args = inv->args;
	struct putting putting = { .inv = inv };
	int rc = operands_check(inv, err);

	if (rc == 0)
		rc = cli_array_open(&putting.array, inv, inv->operands[0], plan_access(inv), err);
	if (rc)
		return rc;
	rc = names_check(&putting, err);
	if (rc)
		goto out_close;

	bool was_short = room_is_short(putting.array);
	out_list_begin(inv->out, "volumes", put_fields);
	rc = args->tar ? put_archive(&putting, args->tar, err) : put_files(&putting, err);
	out_list_end(inv->out);
	left_show(&putting, verdict_out);
	if (rc == 0 && plan_only(inv)) {
		const struct plan_row row = { "data, parity and seal", putting.planned };

		plan_show(inv, &row, 1);
	}
	room_warn(inv, putting.array, was_short);

out_close:
	array_close(putting.array);
	return rc;
}

static const char *const put_details[] = {
	"Each FILE becomes a volume of exactly its length, named by the last part of its path. "
	"Nothing of it is to be seen before it is stored as a whole, with its checks.",
	"With --tar the regular files of an archive of any format become volumes; in their names "
	"\"/\" is written \"%2F\" and \"%\" is written \"%25\", which `get --tar` turns back.",
	"Links, devices and names that no volume can have are left out, listed, and end the "
	"command "
	"with 4; directories hold nothing. Two entries of one name are an error.",
	"An empty volume made by `volume create` is filled, with or without --append, in its own "
	"layout unless options give another.",
	"With --append the bytes go behind the end of a volume, into groups of their own with its "
	"layout and parity.",
	NULL,
};
static const char *const put_examples[] = {
	"pgctl put tank/ film.mkv",
	"tar -c photos | pgctl put tank/ - --as photos.tar --layout parity --parity 2",
	"pgctl put tank/ --tar backup.tar.zst",
	NULL,
};

const struct command cmd_put = {
	.name = "put",
	.summary = "store files as new volumes",
	.group = GROUP_LIFE,
	.flags = COMMAND_WRITES | COMMAND_PLANS,
	.operands = "ARRAY [FILE…]",
	.operands_min = 1,
	.operands_max = OPERANDS_ANY,
	.options = put_options,
	.args_size = sizeof(struct put_args),
	.defaults = &put_defaults,
	.details = put_details,
	.examples = put_examples,
	.run = cmd_put_run,
};
