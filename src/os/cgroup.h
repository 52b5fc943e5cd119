/* SPDX-License-Identifier: BSD-3-Clause */
/* cgroup.h - the limits of this process's memory control groups. Private to os/. */
#ifndef OS_CGROUP_H
#define OS_CGROUP_H

#include <stddef.h>

/* Bytes this process can still charge before its group, or one above it, wakes the OOM killer, less a
   margin; SIZE_MAX: no limit, or none that can be seen from here. folder: of the group that has least
   (its end, where it does not fit), written where there is a limit. */
size_t cgroup__room(char *folder, size_t size);

#endif
