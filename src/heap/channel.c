/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.c - the answering side of the channel.
 *
 * One request at a time: `answering` is set by whoever takes one and cleared when it is answered. The
 * request is copied before it is looked at, since the asker may write to it at any time; it is not
 * trusted further than that its writer is this user.
 *
 * A heap that is worked on is named by `busy_with`, set under the registry's lock while the heap is on
 * it. Whoever destroys a heap takes it off the registry first and then waits for busy_with to change.
 */
#include "config.h"

#include "heap/channel.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "hooks/arena_stats.h"
#include "os/os.h"
#include "situs.h"

enum { N_EXTENTS = 64, STACK_SIZE = 256 * 1024, WAIT_NS = 200 * 1000 };

_Atomic(struct publish_channel *) channel__mapped;

/* A request that was taken, as it was then. */
struct job {
	struct publish_channel *channel;
	uint64_t ticket;
	uint64_t kind, heap;
	char name[PUBLISH_NAME_SIZE], place[PUBLISH_ASK_PLACE_SIZE];
};

static atomic_bool answering;
static struct job job; /* whoever set `answering` */
static _Atomic(const struct situs_heap *) busy_with;
static atomic_bool must_let_go;

/* Answers */

static void say(struct publish_answer *answer, int64_t result, const char *text)
{
	snprintf(answer->text, sizeof(answer->text), "%s", text);
	atomic_store_explicit(&answer->result, result, memory_order_relaxed);
}

static void finish(void)
{
	struct publish_channel *channel = job.channel;
	uint64_t ticket = job.ticket;

	atomic_store(&answering, false);
	atomic_store_explicit(&channel->answer.finished, ticket, memory_order_release);
}

/* Under the registry's lock. */
static int publish_allocated(struct situs_heap *heap, void *arg)
{
	(void)arg;
	stats__publish(heap, stats__allocated(heap));
	return 0;
}

static void answer_stats(void)
{
	int err = stats__refresh(NULL);

	if (!err)
		registry__for_each(publish_allocated, NULL);
	say(&job.channel->answer, err, err ? error__text() : "");
	finish();
}

static int progress(size_t done, size_t total, void *arg)
{
	struct publish_channel *channel = arg;

	atomic_store_explicit(&channel->answer.total, total, memory_order_relaxed);
	atomic_store_explicit(&channel->answer.done, done, memory_order_relaxed);
	return atomic_load(&must_let_go) || atomic_load(&channel->request.cancel) == job.ticket;
}

/* The heap that was meant becomes busy_with. */
static int take_heap(struct situs_heap *heap, void *arg)
{
	struct situs_heap **found = arg;

	/* The table's names are cut where they are too long. */
	if ((uint64_t)(int64_t)heap->published != job.heap ||
		strncmp(heap->name, job.name, sizeof(job.name) - 1) != 0)
		return 0;
	atomic_store(&must_let_go, false);
	atomic_store(&busy_with, heap);
	*found = heap;
	return 1;
}

static void write_account(struct situs_heap *heap, struct publish_answer *answer)
{
	struct situs_migration account = {.struct_size = sizeof(account)};

	if (situs_heap_migration(heap, &account))
		return;
	answer->moved = account.moved;
	answer->already = account.already;
	answer->no_room = account.no_room;
	answer->busy = account.busy;
	answer->other = account.other;
}

/* An area that a heap was moved to by request: both it and those before must outlive the heap. */
struct channel_area {
	struct aml_area *area;
	struct channel_area *next;
};

/*
 * The heap keeps the area until it goes; false where there is no memory to note that. Only the thread that
 * answers comes here.
 */
static bool keep_area(struct situs_heap *heap, struct aml_area *area)
{
	struct channel_area *kept = malloc(sizeof(*kept));

	if (kept == NULL)
		return false;
	kept->area = area;
	lock__acquire(&heap->lock);
	kept->next = heap->areas_by_request;
	heap->areas_by_request = kept;
	lock__release(&heap->lock);
	return true;
}

/* The heap has refused the area that it was given last, and nothing of it lies there. */
static void drop_area(struct situs_heap *heap)
{
	struct channel_area *dropped;

	lock__acquire(&heap->lock);
	dropped = heap->areas_by_request;
	heap->areas_by_request = dropped->next;
	lock__release(&heap->lock);
	aml_area_close(&dropped->area);
	free(dropped);
}

static bool lies_in(struct situs_heap *heap, const struct aml_area *area)
{
	bool does;

	lock__acquire(&heap->lock);
	does = heap->owner.area == area;
	lock__release(&heap->lock);
	return does;
}

void channel__close_areas(struct situs_heap *heap)
{
	struct channel_area *next;

	for (struct channel_area *kept = heap->areas_by_request; kept != NULL; kept = next) {
		next = kept->next;
		aml_area_close(&kept->area);
		free(kept);
	}
}

static void answer_migrate(void)
{
	struct publish_answer *answer = &job.channel->answer;
	struct situs_heap *heap = NULL;
	struct aml_area *area;
	bool is_kept = false;
	int err;

	if (aml_area_open(&area, job.place)) {
		say(answer, -errno, error__text());
		finish();
		return;
	}
	registry__for_each(take_heap, &heap);
	if (heap == NULL) {
		aml_area_close(&area);
		say(answer, -ENOENT, "the heap has gone");
		finish();
		return;
	}
	if (keep_area(heap, area)) {
		err = situs_heap_migrate(heap, area, progress, job.channel);
		is_kept = true;
	} else {
		aml_area_close(&area);
		err = error__set(ENOMEM, "the program has no memory left for the new place");
	}
	say(answer, err, err ? error__text() : "");
	/* Refused before anything changed: the account is an earlier one. */
	if (err != -ENOTSUP && err != -EINVAL && err != -EDOM)
		write_account(heap, answer);
	/* Where it moved half-way and was stopped, it draws from the new place. */
	if (err && is_kept && !lies_in(heap, area))
		drop_area(heap);
	atomic_store(&busy_with, NULL);
	finish();
}

/* Extents, gathered to be written behind the table. */
struct extents {
	int fd;
	size_t n, n_written;
	struct publish_extent list[N_EXTENTS];
};

static int write_extents(struct extents *extents)
{
	const size_t size = extents->n * sizeof(extents->list[0]);
	const off_t at = (off_t)(PUBLISH_FILE_SIZE + extents->n_written * sizeof(extents->list[0]));

	if (os__file_check_limit(at + (off_t)size))
		return -EFBIG;
	if (pwrite(extents->fd, extents->list, size, at) != (ssize_t)size)
		return -EIO;
	extents->n_written += extents->n;
	extents->n = 0;
	return 0;
}

static int add_extent(const struct situs_extent *extent, void *arg)
{
	struct extents *extents = arg;

	extents->list[extents->n++] = (struct publish_extent){
		.start = (uintptr_t)extent->start,
		.size = extent->size,
		.state = (uint32_t)extent->state,
		.arena = extent->arena,
		.link = extent->link,
	};
	return extents->n == N_EXTENTS ? write_extents(extents) : 0;
}

static void answer_extents(void)
{
	struct publish_answer *answer = &job.channel->answer;
	struct extents extents = {.fd = publish__open()};
	struct situs_heap *heap = NULL;
	int err = extents.fd < 0 ? -errno : 0;

	if (!err)
		registry__for_each(take_heap, &heap);
	if (heap) {
		err = situs_heap_iterate(heap, add_extent, &extents);
		atomic_store(&busy_with, NULL);
		if (!err)
			err = write_extents(&extents);
	} else if (!err) {
		err = -ENOENT;
	}
	if (extents.fd >= 0)
		close(extents.fd);
	answer->n_extents = err ? 0 : extents.n_written;
	say(answer, err, err ? "the extents could not be told" : "");
	finish();
}

static void *migrate_thread(void *arg)
{
	(void)arg;
	answer_migrate();
	return NULL;
}

/* A thread that the program does not see: none of its signals, none of its business. */
static int start_thread(void *(*function)(void *))
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int err;

	sigfillset(&all);
	err = pthread_attr_init(&attributes);
	if (err)
		return err;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attributes, function, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return err;
}

/* Copies the request; false where it is not whole. */
static bool copy_request(struct publish_channel *channel, uint64_t ticket)
{
	job.channel = channel;
	job.ticket = ticket;
	job.kind = channel->request.kind;
	job.heap = channel->request.heap;
	memcpy(job.name, channel->request.name, sizeof(job.name));
	memcpy(job.place, channel->request.place, sizeof(job.place));
	job.name[sizeof(job.name) - 1] = 0;
	job.place[sizeof(job.place) - 1] = 0;
	return atomic_load_explicit(&channel->request.ticket, memory_order_acquire) == ticket;
}

/* Takes a new request, if there is one; true where it is this caller's to serve. */
static bool take(struct publish_channel *channel)
{
	uint64_t ticket = atomic_load_explicit(&channel->request.ticket, memory_order_acquire);

	if (!publish__is_ours(channel) || atomic_exchange(&answering, true))
		return false;
	if (ticket == atomic_load(&channel->answer.taken) || !copy_request(channel, ticket)) {
		atomic_store(&answering, false);
		return false;
	}
	channel->answer.moved = channel->answer.already = 0;
	channel->answer.no_room = channel->answer.busy = channel->answer.other = 0;
	atomic_store(&channel->answer.done, 0);
	atomic_store(&channel->answer.total, 0);
	atomic_store_explicit(&channel->answer.taken, ticket, memory_order_release);
	return true;
}

void channel__answer(struct publish_channel *channel)
{
	int saved = errno;
	char text[ERROR_TEXT_SIZE];

	if (!take(channel))
		goto out;
	snprintf(text, sizeof(text), "%s", error__text());
	switch (job.kind) {
	case PUBLISH_ASK_STATS:
		answer_stats();
		break;
	case PUBLISH_ASK_EXTENTS:
		answer_extents();
		break;
	case PUBLISH_ASK_MIGRATE:
		if (start_thread(migrate_thread))
			answer_migrate();
		break;
	default:
		say(&channel->answer, -ENOSYS, "this program's libsitus does not know that request");
		finish();
	}
	if (text[0])
		error__set(saved ? saved : EIO, "%s", text);
	else
		error__clear();
out:
	errno = saved;
}

/* Listening */

static bool is_listener_wanted(void)
{
	const char *value = secure_getenv("SITUS_LISTEN");

	return value && strcmp(value, "1") == 0;
}

static void *listen_thread(void *arg)
{
	struct publish_channel *channel;

	(void)arg;
	while ((channel = atomic_load(&channel__mapped))) {
		uint64_t ticket = atomic_load(&channel->answer.taken);

		syscall(SYS_futex, publish__ask_futex(channel), FUTEX_WAIT, (uint32_t)ticket, NULL, NULL, 0);
		channel__look();
		if (atomic_load(&answering))
			nanosleep(&(struct timespec){ 0, 50 * 1000 * 1000 }, NULL);
	}
	return NULL;
}

void channel__listen(void)
{
	static _Atomic pid_t listener; /* the process that has one */
	pid_t self = getpid(), before = atomic_load(&listener);

	if (is_listener_wanted() && before != self && atomic_compare_exchange_strong(&listener, &before, self))
		start_thread(listen_thread);
}

void channel__let_go(const struct situs_heap *heap)
{
	while (atomic_load(&busy_with) == heap) {
		atomic_store(&must_let_go, true);
		nanosleep(&(struct timespec){ 0, WAIT_NS }, NULL);
	}
}

/* The child has a table of its own with its next heap event; until then nobody can ask it. */
static void child_after_fork(void)
{
	atomic_store(&channel__mapped, NULL);
	atomic_store(&answering, false);
	atomic_store(&busy_with, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, child_after_fork);
}
