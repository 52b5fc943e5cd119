/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_move.c - moves another process's pages from outside, by move_pages with its number.
 *
 * The kernel copies each page while the process goes on, or sleeps. In rounds, since a call ends at the first
 * page that finds no room and since pages may be held for a moment; the account is taken from where pages
 * are before and after, not from what the calls said.
 */
#include "config.h"

#include "tool/process.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "area/linux.h"
#include "base/error.h"
#include "os/policy.h"

enum { N_PAGES = 512, ROUNDS = 4 };

struct mover {
	pid_t pid;
	size_t page_size;
	const struct process_target *target;
	int (*progress)(const struct publish_answer *figures, void *arg);
	void *arg;
	struct publish_answer *figures;
	int err;
	size_t n_astray, n_moved; /* pages, in this round */
	size_t n;
	void *page[N_PAGES];
	int to[N_PAGES], status[N_PAGES];
};

static int node_for(const struct process_target *target, uintptr_t number, int spare)
{
	int node = os__nodes_next(&target->nodes, 0);

	if (!target->in_turn)
		return spare;
	for (size_t i = number % (size_t)os__nodes_count(&target->nodes); i > 0; i--)
		node = os__nodes_next(&target->nodes, node + 1);
	return node;
}

static void count(struct mover *mover)
{
	for (size_t i = 0; i < mover->n; i++) {
		const int status = mover->status[i];

		if (status >= 0)
			mover->n_moved++;
		else if (status == -ENOMEM || status == INT_MIN) /* or what a call that ended did not come to */
			mover->figures->no_room += mover->page_size;
		else if (status == -EBUSY || status == -EAGAIN)
			mover->figures->busy += mover->page_size;
		else
			mover->figures->other += mover->page_size;
	}
}

/* Moves the batch; non-zero: stop, and why is in mover->err. */
static int move_batch(struct mover *mover)
{
	const int spare = linux__roomiest(&mover->target->nodes);

	if (mover->n == 0)
		return 0;
	for (size_t i = 0; i < mover->n; i++) {
		mover->to[i] = node_for(mover->target, (uintptr_t)mover->page[i] / mover->page_size, spare);
		mover->status[i] = INT_MIN;
	}
	if (os__move_pages(mover->pid, mover->n, mover->page, mover->to, mover->status, MPOL_MF_MOVE) < 0 &&
		errno != ENOMEM && errno != ENOENT) {
		mover->err = -errno;
		return 1;
	}
	count(mover);
	mover->figures->done += mover->n * mover->page_size;
	mover->n = 0;
	if (mover->progress(mover->figures, mover->arg))
		mover->err = -EINTR;
	return mover->err != 0;
}

static int move_run(const struct process_run *run, void *arg)
{
	struct mover *mover = arg;

	if (run->state < 0 || os__nodes_has(&mover->target->nodes, run->state))
		return 0;
	for (uintptr_t at = run->start; at < run->end; at += mover->page_size) {
		/* The kernel's interface has pointers; nobody follows them here. */
		mover->page[mover->n++] = (void *)at;
		mover->n_astray++;
		if (mover->n == N_PAGES && move_batch(mover))
			return 1;
	}
	return 0;
}

/* One look at everything: 0, or a negative errno after error__set. */
static int move_round(struct mover *mover, const struct process_range *ranges, size_t n)
{
	int err = 0;

	mover->n_astray = mover->n_moved = mover->n = 0;
	mover->figures->no_room = mover->figures->busy = mover->figures->other = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = process__runs(mover->pid, &ranges[i], move_run, mover);
	if (err == 0 && mover->n)
		move_batch(mover);
	if (err < 0)
		return err;
	if (mover->err == -EINTR)
		return error__set(EINTR, "interrupted");
	return mover->err ? error__set(-mover->err, "the kernel does not move the pages of process %ld: %s",
		(long)mover->pid, os__strerror(mover->err)) : 0;
}

static size_t at_home(const struct process_pages *pages, const struct process_target *target)
{
	size_t size = 0;

	for (int node = 0; node < OS_MAX_NODES; node++)
		if (os__nodes_has(&target->nodes, node))
			size += pages->on_node[node];
	return size;
}

int process__move(pid_t pid, const struct process_range *ranges, size_t n,
	const struct process_target *target, int (*progress)(const struct publish_answer *figures, void *arg),
	void *arg, struct publish_answer *figures)
{
	struct mover mover = { .pid = pid, .page_size = (size_t)sysconf(_SC_PAGESIZE), .target = target,
		.progress = progress, .arg = arg, .figures = figures };
	struct process_pages before, after;
	size_t home;
	int err = process__pages(pid, ranges, n, &before), failed = 0;

	if (err)
		return err;
	memset(figures, 0, sizeof(*figures));
	if (os__nodes_count(&target->nodes) == 0) {
		figures->already = before.present - before.unknown;
		return 0;
	}
	figures->already = at_home(&before, target);
	figures->total = before.present - before.unknown - figures->already;
	for (int round = 0; round < ROUNDS && !failed; round++) {
		failed = move_round(&mover, ranges, n);
		if (mover.n_astray == 0 || (mover.n_moved == 0 && round > 0))
			break;
	}
	err = process__pages(pid, ranges, n, &after);
	if (err)
		return err;
	home = at_home(&after, target);
	figures->moved = home > figures->already ? home - figures->already : 0;
	if (home == after.present - after.unknown)
		figures->no_room = figures->busy = figures->other = 0;
	return failed;
}
