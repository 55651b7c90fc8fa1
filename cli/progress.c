/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/progress.h"

#include "core/base/mem.h"
#include "core/base/units.h"
#include "core/env/env.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define LINE_MAX_SIZE 512u
#define BAR_WIDTH 24u
#define RATE_AFTER_NS (NS_PER_S / 2) /* before that a rate is noise */

enum style { STYLE_NONE, STYLE_BAR, STYLE_JSON };

struct progress {
	struct progress_config config;
	enum style style;
	bool begun;
	bool pending; /* the newest state has not been shown */
	bool drawn;   /* a bar stands on the terminal's line */
	uint64_t first_ns;
	uint64_t first_done; /* a resumed job does not begin at 0 */
	uint64_t shown_ns;
	struct job_progress now;
};

static enum style style_of(const struct progress_config *config)
{
	const char *term = getenv("TERM");

	if (config->mode == PROGRESS_JSON)
		return STYLE_JSON;
	if (config->mode == PROGRESS_NEVER || config->silent || !isatty(config->fd))
		return STYLE_NONE;
	return term && strcmp(term, "dumb") != 0 ? STYLE_BAR : STYLE_NONE;
}

int progress_open(struct progress **progress_out, const struct progress_config *config,
		  struct err *err)
{
	struct progress *progress = mem_calloc(1, sizeof(*progress));

	if (!progress)
		return err_set(err, ERR_NOMEM, "no memory for progress");
	progress->config = *config;
	progress->style = style_of(config);
	*progress_out = progress;
	return 0;
}

/* Whole or not at all; a reader that is gone or too slow loses lines, the job goes on. */
static void put(struct progress *progress, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(progress->config.fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			if (errno != EAGAIN)
				progress->style = STYLE_NONE;
			return;
		}
		bytes += written;
		size -= (size_t)written;
	}
}

struct pace {
	bool known;     /* the rate is */
	bool eta_known; /* the end is as well */
	uint64_t bytes_per_s;
	uint64_t eta_s;
};

static struct pace pace_of(const struct progress *progress, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - progress->first_ns;
	uint64_t done = progress->now.done - progress->first_done;
	struct pace pace = { 0 };

	if (elapsed_ns < RATE_AFTER_NS || done == 0)
		return pace;
	pace.bytes_per_s = (uint64_t)((double)done * (double)NS_PER_S / (double)elapsed_ns);
	if (pace.bytes_per_s == 0)
		return pace;
	pace.known = true;
	pace.eta_known = progress->now.total > 0;
	if (pace.eta_known)
		pace.eta_s = (progress->now.total - progress->now.done) / pace.bytes_per_s;
	return pace;
}

static void show_json(struct progress *progress, uint64_t now_ns)
{
	const struct job_progress *now = &progress->now;
	struct pace pace = pace_of(progress, now_ns);
	char line[LINE_MAX_SIZE], eta[24] = "null", total[24] = "null";
	int size;

	if (pace.eta_known)
		snprintf(eta, sizeof(eta), "%" PRIu64, pace.eta_s);
	if (now->total > 0)
		snprintf(total, sizeof(total), "%" PRIu64, now->total);
	size = snprintf(line, sizeof(line),
			"{\"kind\":\"%s\",\"done\":%" PRIu64 ",\"total\":%s"
			",\"bytes_read\":%" PRIu64 ",\"bytes_written\":%" PRIu64
			",\"bytes_per_s\":%" PRIu64 ",\"eta_s\":%s}\n",
			now->kind, now->done, total, now->bytes_read, now->bytes_written,
			pace.bytes_per_s, eta);
	assert(size > 0 && (size_t)size < sizeof(line));
	put(progress, line, (size_t)size);
}

static unsigned terminal_columns(int fd)
{
	struct winsize window;

	if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col)
		return window.ws_col;
	return 80;
}

/* The bar and its numbers; bytes alone where nobody knows how many will come. */
static void bar_text(char text[static LINE_MAX_SIZE], const struct job_progress *now,
		     const char *tail)
{
	double part = now->total ? (double)now->done / (double)now->total : 0;
	unsigned filled = (unsigned)(part * BAR_WIDTH);
	char bar[BAR_WIDTH + 1], done[UNITS_TEXT_SIZE], total[UNITS_TEXT_SIZE];

	units_text(done, now->done);
	if (now->total == 0) {
		snprintf(text, LINE_MAX_SIZE, "%s  %s%s", now->kind, done, tail);
		return;
	}
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', filled < BAR_WIDTH ? filled : BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	/* 100 % is said only when all is done */
	snprintf(text, LINE_MAX_SIZE, "%s [%s] %3u%%  %s of %s%s", now->kind, bar,
		 (unsigned)(part * 100), done, units_text(total, now->total), tail);
}

static void show_bar(struct progress *progress, uint64_t now_ns)
{
	struct pace pace = pace_of(progress, now_ns);
	char line[LINE_MAX_SIZE], tail[64] = "", rate[UNITS_TEXT_SIZE];
	unsigned columns;

	if (pace.eta_known)
		snprintf(tail, sizeof(tail), "  %s/s  %" PRIu64 ":%02u left",
			 units_text(rate, pace.bytes_per_s), pace.eta_s / 60,
			 (unsigned)(pace.eta_s % 60));
	else if (pace.known)
		snprintf(tail, sizeof(tail), "  %s/s", units_text(rate, pace.bytes_per_s));
	bar_text(line, &progress->now, tail);
	columns = terminal_columns(progress->config.fd);
	if (strlen(line) >= columns)
		line[columns - 1] = '\0';
	put(progress, "\r", 1);
	put(progress, line, strlen(line));
	put(progress, "\033[K", 3);
	progress->drawn = true;
}

static void show(struct progress *progress, uint64_t now_ns)
{
	if (progress->style == STYLE_JSON)
		show_json(progress, now_ns);
	else if (progress->style == STYLE_BAR)
		show_bar(progress, now_ns);
	progress->shown_ns = now_ns;
	progress->pending = false;
}

static void watch_progress(void *arg, const struct job_progress *reported)
{
	struct progress *progress = arg;
	uint64_t done = progress->now.done;
	uint64_t now_ns;

	if (progress->style == STYLE_NONE)
		return;
	now_ns = env_now_ns(progress->config.env);
	if (!progress->begun || strcmp(progress->now.kind, reported->kind) != 0) {
		progress->begun = true;
		progress->first_ns = now_ns;
		progress->first_done = done = reported->done;
		progress->shown_ns = 0;
	}
	progress->now = *reported;
	/* never falls, never passes the end */
	if (progress->now.done < done)
		progress->now.done = done;
	if (progress->now.total > 0 && progress->now.total < progress->now.done)
		progress->now.total = progress->now.done;
	progress->pending = true;
	if (progress->shown_ns == 0 || now_ns - progress->shown_ns >= NS_PER_S / PROGRESS_PER_S)
		show(progress, now_ns);
}

static bool watch_stop(void *arg)
{
	const struct progress *progress = arg;

	return progress->config.stop && progress->config.stop();
}

struct job_watch progress_watch(struct progress *progress)
{
	return (struct job_watch){
		.progress = watch_progress,
		.stop = watch_stop,
		.arg = progress,
		.rate_max = progress->config.rate_max,
	};
}

void progress_hide(struct progress *progress)
{
	static const char erase[] = "\r\033[K";

	if (!progress->drawn)
		return;
	put(progress, erase, sizeof(erase) - 1);
	progress->drawn = false;
}

void progress_close(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->pending && progress->style == STYLE_JSON)
		show(progress, env_now_ns(progress->config.env));
	progress_hide(progress);
	mem_free(progress);
}
