/* SPDX-License-Identifier: BSD-3-Clause */
#include "os/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Atomic unsigned text__n_unread;

ssize_t text__read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0) {
		int err = errno;

		if (err == EMFILE || err == ENFILE)
			atomic_fetch_add(&text__n_unread, 1);
		return -err;
	}
	while (used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	close(fd);
	text[used] = '\0';
	return (ssize_t)used;
}

bool text__find(const char *text, const char *name, size_t unit, size_t *number)
{
	const char *at = strstr(text, name);

	while (at != NULL && at != text && at[-1] != '\n' && at[-1] != ' ')
		at = strstr(at + 1, name);
	if (at == NULL)
		return false;
	*number = strtoull(at + strlen(name), NULL, 10) * unit;
	return true;
}

int text__read_number(const char *path, size_t *number)
{
	char text[32];
	ssize_t n = text__read(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (n == 0 || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	*number = strtoull(text, NULL, 10);
	return 0;
}
