/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_ask.c - the asking side of the channel (heap/channel.h).
 *
 * One asker at a time: it holds flock on the table, which goes with it however it ends. The table is read
 * and written by pread and pwrite; its first page is mapped as well, but only as the address of a futex,
 * and never touched: a file that is cut meanwhile would be a bus error.
 */
#include "config.h"

#include "tool/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utf8.h"

#define MAX_EXTENTS ((size_t)1 << 24)
#define AT(field) ((off_t)(PUBLISH_CHANNEL_OFFSET + offsetof(struct publish_channel, field)))

static int failed_io(const struct process_channel *channel)
{
	return error__set(EIO, "the table of process %ld cannot be written", (long)channel->pid);
}

static bool put(const struct process_channel *channel, off_t at, const void *from, size_t size)
{
	return pwrite(channel->fd, from, size, at) == (ssize_t)size;
}

static bool get(const struct process_channel *channel, off_t at, void *to, size_t size)
{
	return pread(channel->fd, to, size, at) == (ssize_t)size;
}

int process__ask_open(pid_t pid, struct process_channel *channel)
{
	struct publish_header header;
	void *page;
	int err;

	*channel = (struct process_channel){ .pid = pid, .fd = -1 };
	err = process__open_table(pid, O_RDWR, &channel->fd);
	if (err)
		return err;
	if (pread(channel->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
		header.magic != PUBLISH_MAGIC || header.version != PUBLISH_VERSION) {
		close(channel->fd);
		return error__set(EPROTO, "the table of process %ld is of another version of Situs", (long)pid);
	}
	if (flock(channel->fd, LOCK_EX | LOCK_NB)) {
		close(channel->fd);
		return error__set(EBUSY, "somebody else is asking process %ld just now; try again", (long)pid);
	}
	page = mmap(NULL, PUBLISH_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, channel->fd, 0);
	channel->page = page == MAP_FAILED ? NULL : page;
	return 0;
}

void process__ask_close(struct process_channel *channel)
{
	if (channel->page)
		munmap(channel->page, PUBLISH_PAGE);
	close(channel->fd);
}

int process__answer(const struct process_channel *channel, struct publish_answer *answer)
{
	char name[64];

	if (pread(channel->fd, answer, sizeof(*answer), AT(answer)) != (ssize_t)sizeof(*answer))
		return failed_io(channel);
	answer->text[sizeof(answer->text) - 1] = 0;
	utf8__make_printable(answer->text);
	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)channel->pid);
	if (access(name, F_OK) && answer->finished != channel->ticket)
		return error__set(ESRCH, "process %ld has ended", (long)channel->pid);
	return 0;
}

bool process__withdraw(struct process_channel *channel)
{
	struct publish_answer answer;

	put(channel, AT(request.ticket), &channel->before, sizeof(channel->before));
	/* It may have been taken in the meantime; whoever takes it does so at once. */
	nanosleep(&(struct timespec){ 0, 20 * 1000 * 1000 }, NULL);
	return process__answer(channel, &answer) || answer.taken == channel->before;
}

/* Never one that was used before, since what took long to read the request before may still compare it; and
   never one whose low half, on which a program waits, is that of the last. */
static uint64_t new_ticket(uint64_t taken)
{
	struct timespec now;
	uint64_t ticket;

	clock_gettime(CLOCK_REALTIME, &now);
	ticket = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	return (uint32_t)ticket == (uint32_t)taken ? ticket + 1 : ticket;
}

/* What is asked already and not taken: an order stands, what somebody was killed over is taken back. */
static int settle_standing(struct process_channel *channel, const struct publish_request *request)
{
	struct publish_request standing;

	if (!get(channel, AT(request), &standing, sizeof(standing)))
		return failed_io(channel);
	if (standing.ticket == channel->before)
		return 0;
	if (standing.kind == PUBLISH_ASK_MIGRATE && request->kind != PUBLISH_ASK_MIGRATE)
		return error__set(EBUSY, "process %ld has not yet taken the order to move a heap", (long)channel->pid);
	return process__withdraw(channel) || standing.kind != PUBLISH_ASK_MIGRATE ? 0 :
		error__set(EBUSY, "process %ld has just taken an earlier order; try again", (long)channel->pid);
}

int process__ask(struct process_channel *channel, const struct publish_request *request)
{
	struct publish_answer answer;
	int err = process__answer(channel, &answer);
	uint64_t ticket;

	if (err)
		return err;
	channel->before = answer.taken;
	err = settle_standing(channel, request);
	if (err)
		return err;
	ticket = new_ticket(answer.taken);
	if (!put(channel, AT(request.kind), (const char *)request + offsetof(struct publish_request, kind),
		    sizeof(*request) - offsetof(struct publish_request, kind)) ||
		!put(channel, AT(request.ticket), &ticket, sizeof(ticket)))
		return failed_io(channel);
	channel->ticket = ticket;
	if (channel->page)
		syscall(SYS_futex, publish__ask_futex((void *)(channel->page + PUBLISH_CHANNEL_OFFSET)),
			FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	return 0;
}

void process__cancel(const struct process_channel *channel)
{
	put(channel, AT(request.cancel), &channel->ticket, sizeof(channel->ticket));
}

/* Asks and waits for the end of it; false where it did not come in time. */
static bool ask_and_wait(struct process_channel *channel, const struct publish_request *request, int wait_ms,
	struct publish_answer *answer)
{
	if (process__ask(channel, request))
		return false;
	for (int waited = 0; waited <= wait_ms; waited += 5) {
		nanosleep(&(struct timespec){ 0, 5 * 1000 * 1000 }, NULL);
		if (process__answer(channel, answer))
			return false;
		if (answer->finished == channel->ticket)
			return true;
	}
	process__withdraw(channel);
	return false;
}

bool process__refresh(pid_t pid, int wait_ms)
{
	struct publish_request request = { .kind = PUBLISH_ASK_STATS };
	struct process_channel channel;
	struct publish_answer answer;
	bool is_fresh;

	if (process__ask_open(pid, &channel))
		return false;
	is_fresh = ask_and_wait(&channel, &request, wait_ms, &answer) && answer.result == 0;
	process__ask_close(&channel);
	return is_fresh;
}

static int by_start(const void *a, const void *b)
{
	const struct publish_extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Reads n extents from behind the table; false where they are not there, or no extents. */
static bool read_extents(const struct process_channel *channel, struct process_heap *heap, size_t n)
{
	const size_t size = n * sizeof(heap->extents[0]);

	if (n > MAX_EXTENTS)
		return false;
	heap->extents = malloc(size ? size : 1);
	if (!heap->extents || pread(channel->fd, heap->extents, size, PUBLISH_FILE_SIZE) != (ssize_t)size)
		return false;
	qsort(heap->extents, n, sizeof(heap->extents[0]), by_start);
	for (size_t i = 0; i < n; i++)
		if (heap->extents[i].start + heap->extents[i].size < heap->extents[i].start ||
			(i && heap->extents[i].start < heap->extents[i - 1].start + heap->extents[i - 1].size))
			return false;
	heap->n_extents = n;
	return true;
}

bool process__extents(pid_t pid, struct process_heap *heap, int wait_ms)
{
	struct publish_request request = { .kind = PUBLISH_ASK_EXTENTS, .heap = heap->slot };
	struct process_channel channel;
	struct publish_answer answer;
	bool is_known;

	if (process__ask_open(pid, &channel))
		return false;
	memcpy(request.name, heap->asked_name, sizeof(request.name));
	is_known = ask_and_wait(&channel, &request, wait_ms, &answer) && answer.result == 0 &&
		read_extents(&channel, heap, (size_t)answer.n_extents);
	if (ftruncate(channel.fd, PUBLISH_FILE_SIZE))
		is_known = false;
	process__ask_close(&channel);
	if (!is_known) {
		free(heap->extents);
		heap->extents = NULL;
	}
	return is_known;
}
