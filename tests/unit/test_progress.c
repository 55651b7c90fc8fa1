/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress: aim is that programs read lines that never lie. Method: reports of a job that behaves badly,
 * in a burst, into a pipe, under a clock that the test moves; the lines are read with jansson.
 */
#include "cli/progress.h"
#include "core/env/env.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define LINES_MAX 64
#define NS_PER_S UINT64_C(1000000000)

/* Nothing of an environment but its clock is used. */
struct clock_env {
	struct env env;
	uint64_t now_ns;
};

static uint64_t clock_now(struct env *env)
{
	return ((struct clock_env *)env)->now_ns;
}

static const struct env_ops clock_ops = { .name = "clock", .now_ns = clock_now };

struct watched {
	struct clock_env clock;
	struct progress *progress;
	struct job_watch watch;
	int pipe[2];
	json_t *lines[LINES_MAX];
	size_t line_count;
};

static bool stop_now;
static bool stop(void)
{
	return stop_now;
}

static void watched_open(struct watched *watched, enum progress_mode mode)
{
	struct progress_config config = { .mode = mode, .stop = stop, .rate_max = 77 };
	struct err err = { 0 };

	*watched =
		(struct watched){ .clock = { .env = { .ops = &clock_ops }, .now_ns = NS_PER_S } };
	assert_int_equal(pipe2(watched->pipe, O_NONBLOCK), 0);
	config.env = &watched->clock.env;
	config.fd = watched->pipe[1];
	assert_int_equal(progress_open(&watched->progress, &config, &err), 0);
	watched->watch = progress_watch(watched->progress);
}

static void report(struct watched *watched, uint64_t done, uint64_t total)
{
	const struct job_progress progress = { .kind = "put", .done = done, .total = total };

	watched->watch.progress(watched->watch.arg, &progress);
}

/* Close, and take the lines apart. */
static void watched_close(struct watched *watched)
{
	char bytes[16384];
	ssize_t size;
	json_error_t why;

	progress_close(watched->progress);
	close(watched->pipe[1]);
	size = read(watched->pipe[0], bytes, sizeof(bytes) - 1);
	close(watched->pipe[0]);
	bytes[size > 0 ? size : 0] = '\0';
	for (char *line = bytes, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_true(watched->line_count < LINES_MAX);
		watched->lines[watched->line_count] = json_loads(line, 0, &why);
		assert_non_null(watched->lines[watched->line_count]);
		watched->line_count++;
	}
}

static void watched_reset(struct watched *watched)
{
	for (size_t i = 0; i < watched->line_count; i++)
		json_decref(watched->lines[i]);
}

static int64_t field(const struct watched *watched, size_t line, const char *key)
{
	return json_integer_value(json_object_get(watched->lines[line], key));
}

static void never_falls(void **state)
{
	static const uint64_t reports[] = { 10, 50, 30, 0, 60, 55, 100 };
	struct watched watched;
	int64_t last = 0;

	(void)state;
	watched_open(&watched, PROGRESS_JSON);
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		report(&watched, reports[i], i == 4 ? 50 : 100); /* once less than is done */
		watched.clock.now_ns += NS_PER_S;
	}
	watched_close(&watched);
	assert_int_equal(watched.line_count, 7);
	for (size_t i = 0; i < watched.line_count; i++) {
		assert_true(field(&watched, i, "done") >= last);
		last = field(&watched, i, "done");
		assert_true(field(&watched, i, "total") >= last);
	}
	assert_int_equal(last, 100);
	watched_reset(&watched);
}

/* Nobody knows how long a pipe is: bytes, no end and no part of it. */
static void total_is_null_while_unknown(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched, PROGRESS_JSON);
	report(&watched, 10, 0);
	watched.clock.now_ns += NS_PER_S;
	report(&watched, 20, 0);
	watched.clock.now_ns += NS_PER_S;
	report(&watched, 20, 20);
	watched_close(&watched);
	assert_int_equal(watched.line_count, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_true(json_is_null(json_object_get(watched.lines[i], "total")));
		assert_true(json_is_null(json_object_get(watched.lines[i], "eta_s")));
	}
	assert_true(field(&watched, 1, "bytes_per_s") > 0);
	assert_int_equal(field(&watched, 2, "total"), 20);
	watched_reset(&watched);
}

static void few_lines_first_and_last_shown(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched, PROGRESS_JSON);
	for (uint64_t done = 1; done <= 2000; done++) { /* 2 seconds */
		report(&watched, done, 2000);
		watched.clock.now_ns += NS_PER_S / 1000;
	}
	watched_close(&watched);
	assert_true(watched.line_count >= 10 && watched.line_count <= 2 * PROGRESS_PER_S + 2);
	assert_int_equal(field(&watched, 0, "done"), 1);
	assert_int_equal(field(&watched, watched.line_count - 1, "done"), 2000);
	watched_reset(&watched);
}

/* 100 bytes a second from where a resumed job began: 200 of 1000 left are 2 seconds. */
static void rate_and_eta_of_a_resumed_job(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched, PROGRESS_JSON);
	report(&watched, 500, 1000);
	assert_true(watched.watch.rate_max == 77);
	watched.clock.now_ns += 3 * NS_PER_S;
	report(&watched, 800, 1000);
	watched_close(&watched);
	assert_true(json_is_null(json_object_get(watched.lines[0], "eta_s")));
	assert_int_equal(field(&watched, 1, "bytes_per_s"), 100);
	assert_int_equal(field(&watched, 1, "eta_s"), 2);
	watched_reset(&watched);
}

static void a_reader_that_goes_away_stops_nothing(void **state)
{
	struct watched watched;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	watched_open(&watched, PROGRESS_JSON);
	close(watched.pipe[0]);
	for (uint64_t done = 0; done < 10; done++) {
		report(&watched, done, 10);
		watched.clock.now_ns += NS_PER_S;
	}
	progress_close(watched.progress);
	close(watched.pipe[1]);
}

/* A full pipe is not waited for. */
static void a_slow_reader_loses_lines(void **state)
{
	struct watched watched;
	char bytes[65536];
	size_t newlines = 0;
	ssize_t size;

	(void)state;
	watched_open(&watched, PROGRESS_JSON);
	for (uint64_t done = 0; done < 2000; done++) {
		report(&watched, done, 2000);
		watched.clock.now_ns += NS_PER_S;
	}
	progress_close(watched.progress);
	close(watched.pipe[1]);
	size = read(watched.pipe[0], bytes, sizeof(bytes));
	assert_true(size > 0);
	for (ssize_t i = 0; i < size; i++)
		newlines += bytes[i] == '\n';
	assert_true(newlines > 100 && newlines < 2000);
	close(watched.pipe[0]);
}

static void nothing_in_a_pipe_unless_asked(void **state)
{
	static const enum progress_mode modes[] = { PROGRESS_AUTO, PROGRESS_NEVER };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct watched watched;

		watched_open(&watched, modes[i]);
		report(&watched, 1, 2);
		watched_close(&watched);
		assert_int_equal(watched.line_count, 0);
	}
}

static void stop_is_asked_every_time(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched, PROGRESS_NEVER);
	assert_false(watched.watch.stop(watched.watch.arg));
	stop_now = true;
	assert_true(watched.watch.stop(watched.watch.arg));
	stop_now = false;
	watched_close(&watched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_falls),
		cmocka_unit_test(total_is_null_while_unknown),
		cmocka_unit_test(few_lines_first_and_last_shown),
		cmocka_unit_test(rate_and_eta_of_a_resumed_job),
		cmocka_unit_test(a_reader_that_goes_away_stops_nothing),
		cmocka_unit_test(a_slow_reader_loses_lines),
		cmocka_unit_test(nothing_in_a_pipe_unless_asked),
		cmocka_unit_test(stop_is_asked_every_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
