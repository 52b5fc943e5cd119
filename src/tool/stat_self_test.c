/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stat_self_test.c - situs stat --self-test: is memory where it was put, and is that seen from outside?
 *
 * A child makes a heap on each node that may be used and touches some of it; the parent looks at it as at
 * any other process, and counts what is elsewhere.
 */
#include "config.h"

#include "tool/stat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "situs.h"

enum { BLOCK = 256 * 1024, N_BLOCKS = 16 };

/* A heap on one node with touched blocks; false with a line on standard error. */
static bool fill(int node)
{
	char place[32];
	struct situs_config config = { .struct_size = sizeof(config), .name = place };
	struct aml_area *area;
	situs_heap_t *heap;

	snprintf(place, sizeof(place), "node:%d", node);
	if (aml_area_open(&area, place) || situs_heap_create(&heap, area, &config)) {
		tool__fail(TOOL_FAILED, "%s", situs_error());
		return false;
	}
	for (int i = 0; i < N_BLOCKS; i++) {
		char *block = situs_malloc(heap, BLOCK);

		if (!block) {
			tool__fail(TOOL_FAILED, "%s: %s", place, situs_error());
			return false;
		}
		memset(block, 1, BLOCK);
	}
	return true;
}

static void __attribute__((noreturn)) child(const struct os_nodes *nodes, int ready)
{
	bool is_good = true;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("SITUS_PUBLISH", "1", 1);
	setenv("SITUS_LISTEN", "1", 1);
	for (int node = os__nodes_next(nodes, 0); node >= 0 && is_good; node = os__nodes_next(nodes, node + 1))
		is_good = fill(node);
	if (is_good && write(ready, "", 1) == 1)
		for (;;)
			pause();
	_exit(TOOL_FAILED);
}

/* Every byte of the heap of a node is on it, by both accounts. */
static bool is_home(const struct process_heap *heap, const struct account *account)
{
	int node = atoi(heap->name + strlen("node:"));

	if (account->comparable && memcmp(account->pages.on_node, account->kernel.on_node,
		sizeof(account->pages.on_node)) != 0)
		return false;
	return account->pages.on_node[node] >= (size_t)N_BLOCKS * BLOCK &&
		account->pages.on_node[node] == account->pages.present;
}

static int show(const struct view *view, bool passed, bool json)
{
	json_t *object;

	if (!json) {
		stat__print_text(stdout, view);
		return TOOL_OK;
	}
	object = stat__json(view);
	json_object_set_new(object, "passed", json_boolean(passed));
	return tool__json(object);
}

static int judge(pid_t pid, int n_nodes, bool json)
{
	struct view view;
	size_t n_home = 0;
	int status;

	if (stat__take(pid, &view))
		return tool__fail(TOOL_FAILED, "%s", error__text());
	for (size_t i = 0; i < view.table.n_heaps; i++)
		n_home += is_home(&view.table.heaps[i], &view.accounts[i]);
	status = show(&view, n_home == (size_t)n_nodes, json);
	stat__free(&view);
	if (status)
		return status;
	if (n_home != (size_t)n_nodes)
		return tool__fail(TOOL_FAILED, "self-test: of %d nodes, %zu have exactly what was put there; "
			"'situs doctor' may know why", n_nodes, n_home);
	if (json)
		return TOOL_OK;
	printf("self-test: passed, every page is on the node it was put on (%d node%s)\n", n_nodes,
		n_nodes == 1 ? "" : "s");
	return TOOL_OK;
}

int stat__self_test(bool json)
{
	struct os_nodes nodes;
	int ready[2], status;
	char byte;
	pid_t pid;

	if (os__nodes_allowed(&nodes))
		return tool__fail(TOOL_FAILED, "the kernel does not tell which nodes this process may use");
	if (pipe(ready))
		return tool__fail(TOOL_FAILED, "no pipe could be had");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return tool__fail(TOOL_FAILED, "no process could be had");
	if (pid == 0)
		child(&nodes, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		status = judge(pid, os__nodes_count(&nodes), json);
	else
		status = TOOL_FAILED; /* the child has said why */
	close(ready[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	publish__sweep_all();
	return status;
}
