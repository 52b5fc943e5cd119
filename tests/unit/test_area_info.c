/* SPDX-License-Identifier: BSD-3-Clause */
/* What areas tell of bandwidth and latency; the lab has machines with figures of their own. */
#include "tests/unit/area_test.h"

#include <stdlib.h>

#include "base/error.h"

static struct aml_area_info info_of(const char *place)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place) != AML_SUCCESS || aml_area_info(area, &info) != AML_SUCCESS)
		fail_msg("%s: %s", place, error__text());
	aml_area_close(&area);
	return info;
}

/* A first place by merit has hwloc load the topology. */
static int tell_given_figures(void *thissystem)
{
	const char *top = getenv("SITUS_SRCDIR");
	struct aml_area_info before = info_of("node:0"), after;
	struct aml_area *area;
	char xml[4200];

	snprintf(xml, sizeof(xml), "%s/tests/topology/dual-socket.xml", top != NULL ? top : ".");
	setenv("HWLOC_XMLFILE", xml, 1);
	setenv("HWLOC_THISSYSTEM", thissystem, 1);
	if (aml_area_open(&area, "tier:fastest") == AML_SUCCESS)
		aml_area_close(&area); /* else its nodes are not all here */
	after = info_of("node:0");
	if (after.bandwidth == 240000 && after.latency == 105)
		return 1;
	return after.bandwidth == before.bandwidth && after.latency == before.latency ? 0 : 2;
}

static void figures_given_for_this_machine_beat_the_kernels(void **state)
{
	(void)state;
	assert_int_equal(in_child(tell_given_figures, (char[]){"1"}), 1);
}

static void figures_of_another_machine_are_not_told_of_memory_here(void **state)
{
	(void)state;
	assert_int_equal(in_child(tell_given_figures, (char[]){"0"}), 0);
}

static void a_chain_tells_its_first_links_figures(void **state)
{
	struct aml_area_info chain = info_of("node:0,limit:1G > any"), first = info_of("node:0");

	(void)state;
	assert_int_equal(chain.bandwidth, first.bandwidth);
	assert_int_equal(chain.latency, first.latency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_given_for_this_machine_beat_the_kernels),
		cmocka_unit_test(figures_of_another_machine_are_not_told_of_memory_here),
		cmocka_unit_test(a_chain_tells_its_first_links_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
