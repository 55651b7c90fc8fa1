/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A member that is an image file or a block device. Everything is done on the one descriptor that
 * was opened and checked; the path is never looked up again, so it may be renamed or replaced.
 */
#include "core/base/mem.h"
#include "core/dev/dev_block.h"
#include "core/dev/dev_lock.h"
#include "core/dev/devices.h"
#include "core/dev/uring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PREFERRED_IO_CACHED (128u << 10) /* the kernel reads ahead by itself */
#define PREFERRED_IO_DIRECT (1u << 20)   /* from here on disks are as fast as they get */
#define CREATE_MODE 0644                 /* before umask */
#define STALLS_MAX 8u                    /* transfers in a row that moved less than a block */

#define NS_PER_S UINT64_C(1000000000)
#define ZERO_SIZE (64u << 10)
#define ZERO_IOV_COUNT 16u /* 1 MiB of zeros per call */

struct file_dev {
	struct dev dev;
	int fd;
	bool direct; /* O_DIRECT is on */
	bool rings;  /* are to be had */
};

/* For O_DIRECT also this memory must be aligned. */
static _Alignas(BLOCK_SIZE) const uint8_t zeros[ZERO_SIZE];

static struct file_dev *file_of(struct dev *dev)
{
	return (struct file_dev *)dev;
}

/* What is left of the memory of `io` behind its first `done` bytes; returns how many entries. */
static uint32_t iov_rest(struct iovec rest[static IO_IOV_MAX], const struct io *io, uint64_t done)
{
	uint32_t count = 0;

	assert(io->iov_count <= IO_IOV_MAX);
	for (uint32_t i = 0; i < io->iov_count; i++) {
		const struct iovec *iov = &io->iov[i];

		if (done >= iov->iov_len) {
			done -= iov->iov_len;
			continue;
		}
		rest[count].iov_base = (uint8_t *)iov->iov_base + done;
		rest[count].iov_len = iov->iov_len - (size_t)done;
		done = 0;
		count++;
	}
	return count;
}

/* One system call for what is left of `io`; what it returned. */
static ssize_t file_move(int fd, const struct io *io, uint64_t done)
{
	struct iovec rest[IO_IOV_MAX];
	int count = (int)iov_rest(rest, io, done);
	off_t at = (off_t)(io->offset + done);
	ssize_t moved;

	do {
		moved = io->op == IO_READ ? preadv(fd, rest, count, at)
					  : pwritev(fd, rest, count, at);
	} while (moved < 0 && errno == EINTR);
	return moved;
}

/*
 * Read or write all of `io`. After a short transfer go on at the last whole block, which O_DIRECT
 * needs; a read that keeps moving less than that is at the end of a file that has shrunk.
 */
static int file_transfer(int fd, const struct io *io)
{
	int code_of_stall = io->op == IO_READ ? ERR_TRUNCATED : ERR_IO;
	unsigned stalls = 0;

	for (uint64_t done = 0; done < io->size;) {
		ssize_t moved = file_move(fd, io, done);

		if (moved < 0)
			return dev_code_of_errno(errno);
		if ((uint64_t)moved >= BLOCK_SIZE)
			stalls = 0;
		else if (++stalls == STALLS_MAX)
			return code_of_stall;
		done += (uint64_t)moved - (uint64_t)moved % BLOCK_SIZE;
	}
	return 0;
}

/* Write zeros, where the file system cannot do it. */
static int file_write_zeros(int fd, uint64_t offset, uint64_t size)
{
	struct iovec iov[ZERO_IOV_COUNT];

	for (uint64_t done = 0; done < size;) {
		uint64_t left = size - done;
		struct io io = { .op = IO_WRITE, .offset = offset + done, .iov = iov };
		int rc;

		while (io.iov_count < ZERO_IOV_COUNT && left) {
			size_t part = left < ZERO_SIZE ? (size_t)left : ZERO_SIZE;

			iov[io.iov_count].iov_base = (void *)(uintptr_t)zeros;
			iov[io.iov_count++].iov_len = part;
			io.size += part;
			left -= part;
		}
		rc = file_transfer(fd, &io);
		if (rc)
			return rc;
		done += io.size;
	}
	return 0;
}

static int file_zero(const struct file_dev *file, const struct io *io)
{
	/* A hole keeps an image small; a disk is asked to write zeros as fast as it can. */
	int mode = file->dev.info.is_block ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
	int rc;

	do {
		rc = fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)io->offset,
			       (off_t)io->size);
	} while (rc && errno == EINTR);
	if (rc == 0)
		return 0;
	if (errno == EIO || dev_code_of_errno(errno) == ERR_NOSPACE)
		return dev_code_of_errno(errno);
	return file_write_zeros(file->fd, io->offset, io->size);
}

static int file_flush(int fd)
{
	while (fdatasync(fd)) {
		if (errno != EINTR)
			return dev_code_of_errno(errno);
	}
	return 0;
}

/* Write past alignment rules of O_DIRECT, which a part of a block need not keep. */
static ssize_t tail_write_cached(int fd, const void *bytes, size_t size, off_t offset)
{
	int flags = fcntl(fd, F_GETFL);
	ssize_t moved;

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_DIRECT))
		return -1;
	moved = pwrite(fd, bytes, size, offset);
	int number = errno;

	fcntl(fd, F_SETFL, flags);
	errno = number;
	return moved;
}

/* The block at `offset`, in which the device ends: `page` is what is read or written of it. */
static int file_move_tail(const struct file_dev *file, enum io_op op, uint64_t offset,
			  uint8_t *page)
{
	size_t size = (size_t)(file->dev.info.size_exact - offset);
	off_t at = (off_t)offset;
	ssize_t moved;

	assert(size > 0 && size < BLOCK_SIZE);
	do {
		moved = op == IO_READ ? pread(file->fd, page, BLOCK_SIZE, at)
				      : pwrite(file->fd, page, size, at);
		if (moved < 0 && errno == EINVAL && op == IO_WRITE)
			moved = tail_write_cached(file->fd, page, size, at);
	} while (moved < 0 && errno == EINTR);
	if (moved < 0)
		return dev_code_of_errno(errno);
	if ((size_t)moved < size)
		return op == IO_READ ? ERR_TRUNCATED : ERR_IO;
	if (op == IO_READ)
		memset(page + size, 0, BLOCK_SIZE - size);
	return 0;
}

/* It is asked for a block that the device has only a part of (dev_show_tail()). */
static bool reaches_tail(const struct file_dev *file, const struct io *io)
{
	return io->op != IO_FLUSH && io->offset + io->size > file->dev.info.size_exact;
}

static int file_run(struct dev *dev, struct io *io);

/* The blocks before as any others, then the last one, whose memory ends the last piece of `io`. */
static int file_run_tail(struct dev *dev, const struct io *io)
{
	struct iovec iov[IO_IOV_MAX];
	struct io head = *io;
	uint8_t *page = (uint8_t *)(uintptr_t)zeros;

	head.iov_count = 0;
	head.size -= BLOCK_SIZE;
	if (io->op != IO_ZERO) {
		const struct iovec *last = &io->iov[io->iov_count - 1];

		assert(io->iov_count > 0 && io->iov_count <= IO_IOV_MAX);
		memcpy(iov, io->iov, io->iov_count * sizeof(iov[0]));
		iov[io->iov_count - 1].iov_len -= BLOCK_SIZE;
		head.iov = iov;
		head.iov_count = io->iov_count;
		page = (uint8_t *)last->iov_base + last->iov_len - BLOCK_SIZE;
	}
	int rc = head.size ? file_run(dev, &head) : 0;

	return rc ? rc
		  : file_move_tail(file_of(dev), io->op == IO_READ ? IO_READ : IO_WRITE,
				   io->offset + head.size, page);
}

static int file_run(struct dev *dev, struct io *io)
{
	const struct file_dev *file = file_of(dev);

	if (reaches_tail(file, io))
		return file_run_tail(dev, io);
	switch (io->op) {
	case IO_READ:
	case IO_WRITE:
		return file_transfer(file->fd, io);
	case IO_ZERO:
		return file_zero(file, io);
	case IO_FLUSH:
		return file_flush(file->fd);
	}
	return ERR_IO;
}

static int file_direct_fd(struct dev *dev, const struct io *io)
{
	const struct file_dev *file = file_of(dev);

	return file->rings && io->op != IO_ZERO && !reaches_tail(file, io) ? file->fd : -1;
}

static void file_close(struct dev *dev)
{
	struct file_dev *file = file_of(dev);

	/* With something given up in flight nobody else may take the device, and close() may have to wait for it. */
	if (!dev_has_hung(dev))
		close(file->fd);
	dev_reset(dev);
	mem_free(file);
}

static const struct dev_ops file_ops = {
	.name = "file",
	.run = file_run,
	.has_tail = true,
	.close = file_close,
	.direct_fd = file_direct_fd,
};

/* 0 for a regular file or block device. */
static int kind_check(mode_t mode, const char *path, struct err *err)
{
	const char *kind = "neither a file nor a block device";

	if (S_ISREG(mode) || S_ISBLK(mode))
		return 0;
	if (S_ISDIR(mode))
		kind = "a directory";
	else if (S_ISFIFO(mode))
		kind = "a FIFO";
	else if (S_ISSOCK(mode))
		kind = "a socket";
	else if (S_ISCHR(mode))
		kind = "a character device";
	return err_set(err, ERR_KIND, "%s is %s", path, kind);
}

/* The error of an open() or stat() that failed with `number`. */
static int open_error(int number, const char *path, const struct stat *stat, struct err *err)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
		return err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerrordesc_np(number));
	case EEXIST:
		return err_set(err, ERR_EXISTS, "%s exists already", path);
	case ENOMEM:
		return err_set(err, ERR_NOMEM, "%s: %s", path, strerrordesc_np(number));
	case EISDIR:
		return kind_check(S_IFDIR, path, err);
	case EROFS:
		return err_set(err, ERR_ACCESS, "%s: the file system is mounted read-only", path);
	case EACCES:
		if (!stat)
			break;
		return err_set(err, ERR_ACCESS, "%s: mode %04o, owner %u; this process is user %u",
			       path, (unsigned)stat->st_mode & 07777, (unsigned)stat->st_uid,
			       (unsigned)geteuid());
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(err, ERR_NOSPACE, "%s: %s", path, strerrordesc_np(number));
	case EIO:
		return err_set(err, ERR_IO, "%s: %s", path, strerrordesc_np(number));
	default:
		break;
	}
	return err_set(err, ERR_ACCESS, "%s: cannot be opened: %s", path, strerrordesc_np(number));
}

/* Make the entry of a new file in its directory durable. */
static int directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
	int fd, rc, number;

	if (!directory) {
		errno = ENOMEM;
		return -1;
	}
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_free(directory);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	number = errno;
	close(fd);
	if (rc && number == EINVAL) /* some file systems cannot, and need not */
		return 0;
	errno = number;
	return rc;
}

/* A new sparse file of `size` bytes, durable; on failure no file is left. */
static int file_create(int *fd_out, const char *path, uint64_t size, struct err *err)
{
	int fd, rc;

	if (size > (uint64_t)INT64_MAX)
		return err_set(err, ERR_SIZE, "%s: %" PRIu64 " bytes are more than a file can have",
			       path, size);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, CREATE_MODE);
	if (fd < 0)
		return open_error(errno, path, NULL, err);
	if (ftruncate(fd, (off_t)size) || fsync(fd) || directory_sync(path)) {
		rc = open_error(errno, path, NULL, err);
		unlink(path);
		close(fd);
		return rc;
	}
	*fd_out = fd;
	return 0;
}

static int file_open_existing(int *fd_out, const char *path, const struct dev_file_options *options,
			      struct err *err)
{
	/* O_NONBLOCK: should the path become a FIFO after the check, open() still returns. */
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat facts;
	int rc;

	if (stat(path, &facts))
		return open_error(errno, path, NULL, err);
	rc = kind_check(facts.st_mode, path, err);
	if (rc)
		return rc;
	flags |= options->access == DEV_WRITE ? O_RDWR : O_RDONLY;
	if (options->exclusive && S_ISBLK(facts.st_mode))
		flags |= O_EXCL;
	*fd_out = open(path, flags);
	if (*fd_out < 0 && errno == EBUSY && S_ISBLK(facts.st_mode))
		return dev_block_busy(facts.st_rdev, path, err);
	return *fd_out < 0 ? open_error(errno, path, &facts, err) : 0;
}

/* Fill `info` from the open descriptor, and lock it for a writer. */
static int file_facts(struct file_dev *file, const struct dev_file_options *options,
		      struct err *err)
{
	struct dev_info *info = &file->dev.info;
	const char *path = file->dev.name;
	struct block_facts block;
	struct stat facts;
	int rc;

	if (fstat(file->fd, &facts))
		return open_error(errno, path, NULL, err);
	rc = kind_check(facts.st_mode, path, err);
	if (rc)
		return rc;

	info->read_only = options->access == DEV_READ;
	info->is_block = S_ISBLK(facts.st_mode);
	if (info->is_block) {
		rc = dev_block_facts(&block, file->fd, facts.st_rdev, path, err);
		if (rc)
			return rc;
		if (block.read_only && !info->read_only)
			return err_set(err, ERR_ACCESS, "%s: the device is read-only", path);
		info->size_exact = block.size;
		memcpy(info->identity, block.identity, sizeof(info->identity));
	} else {
		info->size_exact = (uint64_t)facts.st_size;
		info->identity[0] = facts.st_dev;
		info->identity[1] = facts.st_ino;
	}
	info->size = info->size_exact - info->size_exact % BLOCK_SIZE;
	return info->read_only ? 0 : dev_lock_take(file->fd, &facts, file->dev.env, path, err);
}

/* Read one block past the page cache: what the system call returned, a negative errno; -ETIME when it takes too long. */
static int direct_try(int fd, uint64_t limit_ns)
{
	struct uring *ring = uring_take();
	void *page = mem_pages(BLOCK_SIZE);
	const struct iovec iov = { .iov_base = page, .iov_len = BLOCK_SIZE };
	const struct uring_op op = { .kind = URING_READ, .fd = fd, .iov = &iov, .iov_count = 1 };
	int result = -EAGAIN, rc = ERR_NOMEM;
	uint32_t tag;

	if (ring && page) {
		uring_add(ring, &op);
		rc = uring_wait(ring, limit_ns, &tag, &result);
	}
	if (rc == ERR_TIMEOUT) {
		uring_lose(ring, &page, 1);
		return -ETIME;
	}
	if (ring)
		uring_give(ring);
	mem_pages_free(page);
	return result;
}

/* The page cache is all that there is of it. The node of a disk lies on such a file system too. */
static bool is_in_memory(const struct file_dev *file)
{
	struct statfs system;

	return !file->dev.info.is_block &&
	       (fstatfs(file->fd, &system) || system.f_type == TMPFS_MAGIC ||
		system.f_type == RAMFS_MAGIC);
}

/*
 * Switch the descriptor to reads past the page cache where those work; *direct_out says whether they do. Returns
 * 0 or ERR_TIMEOUT.
 */
static int direct_switch(bool *direct_out, const struct file_dev *file)
{
	int fd = file->fd, flags = fcntl(fd, F_GETFL), got;

	if (file->dev.info.size < BLOCK_SIZE || flags < 0 || is_in_memory(file) ||
	    fcntl(fd, F_SETFL, flags | O_DIRECT))
		return 0;
	got = direct_try(fd, file->dev.limit_ns);
	if (got == -ETIME)
		return ERR_TIMEOUT;
	/* A bad first block is no reason to go through the cache; an alignment that fails is. */
	*direct_out = got == (int)BLOCK_SIZE || got == -EIO;
	if (!*direct_out)
		fcntl(fd, F_SETFL, flags);
	return 0;
}

static int engine_choose(struct file_dev *file, enum dev_engine engine, struct err *err)
{
	struct dev_info *info = &file->dev.info;
	int flags = fcntl(file->fd, F_GETFL);
	int rc = 0;

	/* The kernel would hand a busy O_NONBLOCK file back to the ring unread. */
	if (flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_NONBLOCK))
		return open_error(errno, file->dev.name, NULL, err);

	file->rings = engine != DEV_ENGINE_SYNC && uring_is_available();
	if (file->rings && engine != DEV_ENGINE_CACHED) {
		rc = direct_switch(&file->direct, file);
		file->rings = file->direct;
	}
	if (rc)
		return err_set(err, rc, "%s: the first block cannot be read within %" PRIu64 " s",
			       file->dev.name, file->dev.limit_ns / NS_PER_S);
	if (engine == DEV_ENGINE_URING && !file->direct)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: io_uring or direct I/O does not work here", file->dev.name);
	info->is_direct = file->direct;
	info->preferred_io = file->direct ? PREFERRED_IO_DIRECT : PREFERRED_IO_CACHED;
	return 0;
}

int dev_file_open(struct dev **dev_out, struct env *env, const char *path,
		  const struct dev_file_options *options, struct err *err)
{
	bool create = options->create_size > 0;
	struct file_dev *file = mem_calloc(1, sizeof(*file));
	int rc;

	assert(!create || options->access == DEV_WRITE);
	if (!file)
		return err_set(err, ERR_NOMEM, "%s: no memory", path);
	if (dev_init(&file->dev, &file_ops, env, path)) {
		rc = err_set(err, ERR_NOMEM, "%s: no memory", path);
		goto out_free;
	}
	file->dev.limit_ns = options->limit_ns;
	if (create)
		rc = file_create(&file->fd, path, options->create_size, err);
	else
		rc = file_open_existing(&file->fd, path, options, err);
	if (rc)
		goto out_reset;
	rc = file_facts(file, options, err);
	if (rc == 0)
		rc = engine_choose(file, options->engine, err);
	if (rc)
		goto out_close;
	*dev_out = &file->dev;
	return 0;

out_close:
	if (rc != ERR_TIMEOUT)
		close(file->fd);
	if (create)
		unlink(path);
out_reset:
	dev_reset(&file->dev);
out_free:
	mem_free(file);
	return rc;
}
