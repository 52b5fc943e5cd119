/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - the words of the last failure, one per thread.
 *
 * Every floor reports through here, so that situs_error() has one sentence whichever floor failed.
 * No allocation: usable inside extent hooks and when memory has run out.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* Longest sentence kept, terminator included; longer ones are cut. */
#define ERROR_TEXT_SIZE 256

/* Records a sentence for this thread, sets errno to `err` (positive) and returns -err. */
int error__set(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets the sentence, so that whoever fails next is the one who is quoted. */
void error__clear(void);

/*
 * A call that can get over a failure on its way keeps what was said before, and settles when it is done:
 * where it succeeded, that is what is said again. Pairs may stand inside one another.
 */
void error__keep(void);
void error__settle(int succeeded);

/* The recorded sentence; "" before the first failure. */
const char *error__text(void);

#endif
