/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_processors.c - can the memory that a machine's processors have of their own be HBM?
 *
 * A few processors have HBM in their package and run on it alone, and then firmware often says nothing:
 * all nodes are alike there, as on a machine with nothing but DRAM. hwloc tells the model
 * (/proc/cpuinfo); where it does not, as in topologies written by hand, nobody knows.
 */
#include "area/topology.h"
#include "area/hwloc_calls.h"

#include <string.h>

/* Intel Xeon CPU Max 9400 series, Xeon Phi x200 (its MCDRAM), AMD Instinct MI300A and EPYC 9V64H, Fujitsu A64FX. */
static const char *const models_with_hbm[] = {"CPU Max", "Xeon Phi", "MI300A", "9V64H", "A64FX"};

/* Arm processors are known by number (MIDR_EL1): Fujitsu's implementer code and the A64FX's part. */
static bool is_a64fx(hwloc_obj_t object)
{
	const char *implementer = hwloc_obj_get_info_by_name(object, "CPUImplementer");
	const char *part = hwloc_obj_get_info_by_name(object, "CPUPart");

	return implementer && part && strcmp(implementer, "0x46") == 0 && strcmp(part, "0x001") == 0;
}

/* 1: processors that are made with HBM; 0: others; -1: the object does not tell. */
static int has_hbm(hwloc_obj_t object)
{
	const char *model = hwloc_obj_get_info_by_name(object, "CPUModel");

	if (is_a64fx(object))
		return 1;
	if (!model)
		return hwloc_obj_get_info_by_name(object, "CPUPart") ? 0 : -1;
	for (size_t i = 0; i < sizeof(models_with_hbm) / sizeof(models_with_hbm[0]); i++)
		if (strstr(model, models_with_hbm[i]))
			return 1;
	return 0;
}

bool topology__processors_have_no_hbm(const struct topology *topology)
{
	hwloc_topology_t hwloc = topology->hwloc;
	int whole = has_hbm(hw()->get_obj_by_depth(hwloc, 0, 0)), depth;
	hwloc_obj_t package;
	bool some = false;

	if (whole >= 0)
		return whole == 0;
	depth = hw()->get_type_depth(hwloc, HWLOC_OBJ_PACKAGE);
	for (unsigned i = 0; (package = hw()->get_obj_by_depth(hwloc, depth, i)); i++) {
		if (has_hbm(package) != 0)
			return false;
		some = true;
	}
	return some;
}
