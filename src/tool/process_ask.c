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
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

#define AT(field) ((off_t)(PUBLISH_CHANNEL_OFFSET + offsetof(struct publish_channel, field)))

static int failed_io(const struct process_channel *channel)
{
	return error__set(EIO, "the table of process %ld cannot be written", (long)channel->pid);
}

static bool put(const struct process_channel *channel, off_t at, const void *from, size_t size)
{
	return pwrite(channel->fd, from, size, at) == (ssize_t)size;
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
	process__make_printable(answer->text);
	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)channel->pid);
	if (access(name, F_OK) && answer->finished != channel->ticket)
		return error__set(ESRCH, "process %ld has ended", (long)channel->pid);
	return 0;
}

int process__ask(struct process_channel *channel, const struct publish_request *request)
{
	struct publish_answer answer;
	int err = process__answer(channel, &answer);
	uint64_t ticket;

	if (err)
		return err;
	ticket = answer.taken + 1;
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

bool process__withdraw(struct process_channel *channel)
{
	uint64_t before = channel->ticket - 1;
	struct publish_answer answer;

	put(channel, AT(request.ticket), &before, sizeof(before));
	/* It may have been taken in the meantime; whoever takes it does so at once. */
	nanosleep(&(struct timespec){ 0, 20 * 1000 * 1000 }, NULL);
	return process__answer(channel, &answer) || answer.taken != channel->ticket;
}

void process__cancel(const struct process_channel *channel)
{
	put(channel, AT(request.cancel), &channel->ticket, sizeof(channel->ticket));
}

bool process__refresh(pid_t pid, int wait_ms)
{
	struct publish_request request = { .kind = PUBLISH_ASK_STATS };
	struct publish_answer answer = { .finished = 0 };
	struct process_channel channel;
	bool is_fresh = false;

	if (process__ask_open(pid, &channel))
		return false;
	if (!process__ask(&channel, &request)) {
		for (int waited = 0; !is_fresh && waited <= wait_ms; waited += 5) {
			nanosleep(&(struct timespec){ 0, 5 * 1000 * 1000 }, NULL);
			if (process__answer(&channel, &answer))
				break;
			is_fresh = answer.finished == channel.ticket;
		}
		if (!is_fresh)
			process__withdraw(&channel);
	}
	process__ask_close(&channel);
	return is_fresh && answer.result == 0;
}
