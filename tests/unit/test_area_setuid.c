/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set-uid program's areas ignore the environment: who runs it must not choose where its memory comes
 * from. The test makes a set-uid copy of itself, which takes root.
 */
#include "tests/unit/area_test.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>

enum { SECURE = 1, HEEDED_TIERS = 2, HEEDED_XML = 4, KEPT_PLUGINS = 8, NOBODY = 65534 };

static char folder[] = "/tmp/situs-test.XXXXXX";
static char copy[64];

/* Each variable in turn is one that fails the places that need a topology, if it is read at all. */
static int heeds(const char *variable)
{
	struct aml_area *area = NULL;
	int result = aml_area_open(&area, "tier:nearest");

	aml_area_close(&area);
	unsetenv(variable);
	return result != AML_SUCCESS;
}

/* What the copy does; its exit status. */
static int report(void)
{
	int status = getauxval(AT_SECURE) != 0 ? SECURE : 0;

	if (getenv("SITUS_TIERS") != NULL)
		return status | (heeds("SITUS_TIERS") ? HEEDED_TIERS : 0);
	if (getenv("HWLOC_XMLFILE") != NULL)
		return status | (heeds("HWLOC_XMLFILE") ? HEEDED_XML : 0);
	heeds("");
	return status | (getenv("HWLOC_PLUGINS_PATH") != NULL ? KEPT_PLUGINS : 0);
}

static int make_copy(void **state)
{
	char buffer[65536];
	int from = open("/proc/self/exe", O_RDONLY), to;
	ssize_t n;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	snprintf(copy, sizeof(copy), "%s/copy", folder);
	to = open(copy, O_WRONLY | O_CREAT | O_EXCL, 0755);
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			return -1;
	close(from);
	close(to);
	return chmod(copy, 0755);
}

static int remove_copy(void **state)
{
	(void)state;
	unlink(copy);
	return rmdir(folder);
}

/* Runs the copy with one variable, and returns its exit status. */
static int run_with(const char *variable)
{
	char *arguments[] = {copy, (char[]){"report"}, NULL};
	char *environment[] = {strdup(variable), NULL};
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		execve(copy, arguments, environment);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	free(environment[0]);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 127);
	return WEXITSTATUS(status);
}

static void an_ordinary_program_heeds_the_environment(void **state)
{
	(void)state;
	assert_int_equal(run_with("SITUS_TIERS=nonsense"), HEEDED_TIERS);
	assert_int_equal(run_with("HWLOC_XMLFILE=/nonexistent/situs.xml"), HEEDED_XML);
	assert_int_equal(run_with("HWLOC_PLUGINS_PATH=/nonexistent/situs"), KEPT_PLUGINS);
}

static void a_set_uid_program_ignores_the_environment(void **state)
{
	int status;

	(void)state;
	if (chown(copy, NOBODY, (gid_t)-1) != 0 || chmod(copy, 04755) != 0)
		skip_because("only root can give a program to another user");
	status = run_with("SITUS_TIERS=nonsense");
	if ((status & SECURE) == 0)
		skip_because("set-uid programs are not honoured in /tmp");
	assert_int_equal(status, SECURE);
	assert_int_equal(run_with("HWLOC_XMLFILE=/nonexistent/situs.xml"), SECURE);
	/* hwloc would run code from there. */
	assert_int_equal(run_with("HWLOC_PLUGINS_PATH=/nonexistent/situs"), SECURE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_program_heeds_the_environment),
		cmocka_unit_test(a_set_uid_program_ignores_the_environment),
	};

	if (argc == 2 && strcmp(argv[1], "report") == 0)
		_exit(report());
	return cmocka_run_group_tests(tests, make_copy, remove_copy);
}
