/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.c - looks a program up and reads just enough of it to know whether a preload works.
 *
 * The dynamic linker ignores LD_PRELOAD silently where a program has no dynamic linker (static), is
 * of another word size or processor, or gains rights by being executed. A program would then run
 * with its memory anywhere, which is what `situs run` promised to prevent.
 */
#include "config.h"

#include "tool/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_INTERPRETERS 4 /* the kernel's own limit on scripts run by scripts */

static int check(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == EACCES ? -EPERM : -errno; /* a folder on the way may not be entered */
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

int program__find(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH"), *end;
	int err, found = -ENOENT;
	char usual[256] = "";

	if (!*name)
		return -ENOENT;
	if (!folders && confstr(_CS_PATH, usual, sizeof(usual)))
		folders = usual;
	if (strchr(name, '/') || !folders) {
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return -ENAMETOOLONG;
		return check(path);
	}
	for (; *folders; folders = *end ? end + 1 : end) {
		end = strchrnul(folders, ':');
		/* An empty folder is the current one. */
		if ((size_t)snprintf(path, size, "%.*s%s%s", (int)(end - folders), folders,
			end == folders ? "" : "/", name) >= size)
			continue;
		err = check(path);
		if (err == 0)
			return 0;
		if (err == -EACCES)
			found = err;
	}
	return found;
}

/* Rights the program would gain by exec: the dynamic linker then ignores the user's environment. */
static const char *gained_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return NULL;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return "set-uid";
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid())
		return "set-gid";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "privileged (it has file capabilities)";
	return NULL;
}

/* The dynamic linker that the program asks for: 1, 0 where it asks for none, -1 where the file is damaged. */
static int read_linker(int fd, const ElfW(Ehdr) *header, char *linker, size_t size)
{
	ElfW(Phdr) segment;

	for (unsigned i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + (size_t)i * header->e_phentsize);
		ssize_t n;

		if (pread(fd, &segment, sizeof(segment), at) != (ssize_t)sizeof(segment))
			return -1;
		if (segment.p_type != PT_INTERP)
			continue;
		n = pread(fd, linker, segment.p_filesz < size ? segment.p_filesz : size - 1, (off_t)segment.p_offset);
		linker[n > 0 ? n : 0] = 0;
		return n > 0 ? 1 : -1;
	}
	return 0;
}

/* What is wrong with the dynamic linker by which a program starts, or NULL. */
static const char *linker_refusal(int fd, const ElfW(Ehdr) *header, char *buffer, size_t size)
{
	char linker[256];

	switch (read_linker(fd, header, linker, sizeof(linker))) {
	case 0:
		return "is linked statically or is a library, so nothing can be preloaded; link it dynamically, or with "
			"libsitus";
	case -1:
		return "is an ELF file that ends too early; copy or build it again";
	}
	if (strstr(linker, "/ld-musl"))
		return "is built for another C library (musl), which the preload cannot enter; use a build for glibc";
	if (access(linker, X_OK) == 0)
		return NULL;
	snprintf(buffer, size, "needs the dynamic linker %.100s, which is not here; install what brings it", linker);
	return buffer;
}

/* The processor this very command is built for, by its own file. */
static bool is_for_this_machine(const ElfW(Ehdr) *header)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) own;
	bool is_known = fd >= 0 && pread(fd, &own, sizeof(own), 0) == (ssize_t)sizeof(own);

	if (fd >= 0)
		close(fd);
	return !is_known || own.e_machine == header->e_machine;
}

static const char *elf_refusal(int fd, const ElfW(Ehdr) *header, char *buffer, size_t size)
{
	if (header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return sizeof(void *) == 8
			? "is a 32-bit program, which a 64-bit preload cannot enter; use a 64-bit build of it"
			: "is a 64-bit program, which a 32-bit preload cannot enter; use a 32-bit build of it";
	if (!is_for_this_machine(header))
		return "is a program for another processor; use a build for this one";
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return "is an ELF file but not a program; link it first";
	return linker_refusal(fd, header, buffer, size);
}

/* The interpreter of a script, from its first line, in place; NULL where it names none. */
static char *interpreter_of(char *line)
{
	char *start, *end;

	line[strcspn(line, "\n")] = 0;
	start = line + 2 + strspn(line + 2, " \t");
	end = start + strcspn(start, " \t");
	*end = 0;
	return *start ? start : NULL;
}

static const char *refusal(const char *path, char *buffer, size_t size, int depth)
{
	union {
		ElfW(Ehdr) elf;
		char text[256];
	} head = { .text = "" };
	char interpreter[sizeof(head.text)], inner[PROGRAM_REFUSAL_SIZE];
	const char *why = gained_rights(path), *name;
	ssize_t n;
	int fd;

	if (why) {
		snprintf(buffer, size, "is %s, so the dynamic linker ignores preloads; run it without situs, "
			"or a copy without that bit", why);
		return buffer;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL; /* may be executed but not read: the kernel will judge */
	n = pread(fd, &head, sizeof(head) - 1, 0);
	head.text[n > 0 ? n : 0] = 0;
	if (n >= (ssize_t)sizeof(head.elf) && memcmp(head.text, ELFMAG, SELFMAG) == 0)
		why = elf_refusal(fd, &head.elf, buffer, size);
	else if (strncmp(head.text, "#!", 2) != 0)
		why = "is neither a program nor a script with an interpreter line (#!/bin/sh); start its "
			"interpreter instead: situs run -- sh FILE";
	close(fd);
	if (why || strncmp(head.text, "#!", 2) != 0)
		return why;
	name = interpreter_of(head.text);
	if (!name)
		return "is a script whose first line names no interpreter after #!; write one there, as #!/bin/sh";
	snprintf(interpreter, sizeof(interpreter), "%s", name);
	if (check(interpreter)) {
		snprintf(buffer, size, "is a script whose interpreter %.100s cannot be run; correct its first line",
			interpreter);
		return buffer;
	}
	why = depth < MAX_INTERPRETERS ? refusal(interpreter, inner, sizeof(inner), depth + 1) : NULL;
	if (why) {
		snprintf(buffer, size, "is a script whose interpreter %.100s %s", interpreter, why);
		return buffer;
	}
	return NULL;
}

const char *program__refusal(const char *path, char *buffer, size_t size)
{
	return refusal(path, buffer, size, 0);
}
