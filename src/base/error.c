/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - each thread's text lives in a block from a pool, taken at its first failure and given
 * back when the thread ends. One pointer of initial-exec TLS finds it: the text itself would eat the
 * static surplus that late dlopen needs, and ordinary TLS may call malloc at first use, which extent
 * hooks must not.
 */
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/shared_pool.h"

struct text {
	char words[ERROR_TEXT_SIZE];
	char kept[ERROR_TEXT_SIZE];
};

static _Thread_local struct text *own __attribute__((tls_model("initial-exec")));

/* Stands in where not even the words of a failure find room; never written to. */
static struct text no_room = {"out of memory: not even the reason could be kept", ""};

/* Calls of error__keep that are not settled. */
static _Thread_local unsigned depth __attribute__((tls_model("initial-exec")));

static struct shared_pool texts = SHARED_POOL(struct text);
static pthread_key_t ending;
static int have_key;

static void give_back(void *text)
{
	own = NULL;
	shared_pool__put(&texts, text);
}

/* Early, so that the key is among the first, which pthread_setspecific serves without malloc. */
__attribute__((constructor)) static void make_key(void)
{
	struct text *text = shared_pool__get(&texts);

	have_key = pthread_key_create(&ending, give_back) == 0;
	/* The first text is there when there is no memory for anything. */
	if (text != NULL)
		shared_pool__put(&texts, text);
}

static struct text *own_text(void)
{
	if (own == NULL || own == &no_room) {
		own = shared_pool__get(&texts);
		if (own == NULL)
			own = &no_room;
		else if (have_key)
			pthread_setspecific(ending, own);
	}
	return own;
}

int error__set(int err, const char *format, ...)
{
	struct text *text = own_text();

	if (text != &no_room) {
		/* The new sentence may quote the old one, so it is made beside it. */
		struct text next;
		va_list args;

		va_start(args, format);
		vsnprintf(next.words, sizeof(next.words), format, args);
		va_end(args);
		memcpy(text->words, next.words, strlen(next.words) + 1);
	}
	errno = err;
	return -err;
}

void error__clear(void)
{
	if (own != NULL && own != &no_room)
		own->words[0] = '\0';
}

void error__keep(void)
{
	/* A thread that never failed has nothing to keep, and a text made later begins with "". */
	if (depth++ == 0 && own != NULL && own != &no_room)
		memcpy(own->kept, own->words, strlen(own->words) + 1);
}

void error__settle(int succeeded)
{
	if (--depth != 0 || !succeeded || own == NULL)
		return;
	if (own == &no_room)
		own = NULL;
	else
		memcpy(own->words, own->kept, strlen(own->kept) + 1);
}

const char *error__text(void)
{
	return own == NULL ? "" : own->words;
}
