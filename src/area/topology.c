/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology.c - reads the machine through hwloc, once.
 *
 * Locking: `once` guards the shared topology's making and, afterwards, calls on its hwloc object. The
 * rest of a shared topology is never written again. A failure leaves nothing behind but the sentence.
 */
#include "config.h" /* secure_getenv */
#include "area/topology.h"
#include "area/area.h"
#include "area/hwloc_calls.h"
#include "base/lock.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static struct lock once = LOCK_INITIALIZER;
static struct topology *_Atomic shared LOCK_GUARDED_BY(once);

void topology__lock(void) LOCK_UNCHECKED
{
	lock__acquire(&once);
}

void topology__unlock(void) LOCK_UNCHECKED
{
	lock__release(&once);
}

/*
 * hwloc reads the environment by itself, down to where its plugins are loaded from; a set-uid program
 * must not. It loses those variables, also for what else it calls.
 */
static void distrust_environment(void)
{
	static const char prefix[] = "HWLOC_";
	char name[128];

	if (!getauxval(AT_SECURE))
		return;
	for (char **variable = environ; variable && *variable;) {
		size_t length = strcspn(*variable, "=");

		if (strncmp(*variable, prefix, strlen(prefix)) != 0 || length >= sizeof(name)) {
			variable++;
			continue;
		}
		memcpy(name, *variable, length);
		name[length] = '\0';
		/* The next one takes its place. */
		if (unsetenv(name) != 0)
			variable++;
	}
}

static const char *imported_from(const struct topology_config *config)
{
	const char *names[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC"};

	if (config->xml || config->synthetic)
		return config->xml ? config->xml : config->synthetic;
	for (int i = 0; i < 2; i++) {
		const char *value = secure_getenv(names[i]);

		if (value && *value)
			return value;
	}
	return NULL;
}

/*
 * hwloc takes what it cannot open for what is not there. So before it reads the machine, and after, when it
 * keeps a few, there must be descriptors for what it opens at once.
 */
enum { N_BEFORE = 8, N_AFTER = 4 };

static int check_descriptors(int n_needed)
{
	int descriptors[N_BEFORE], n = 0, err = 0;

	while (n < n_needed && err == 0) {
		descriptors[n] = open("/", O_PATH | O_CLOEXEC);
		if (descriptors[n] < 0)
			err = errno;
		else
			n++;
	}
	while (n > 0)
		close(descriptors[--n]);
	if (err == 0)
		return 0;
	return aml__fail(aml__code(err), "reading the machine's topology takes %d file descriptors: %s", N_BEFORE,
		os__strerror(err));
}

/* A machine without memory was not read: hwloc makes do with what it finds, down to nothing. */
static int check_memory(const struct topology *topology)
{
	struct os_nodes nodes = topology__with_memory(topology);

	if (topology->imported || os__nodes_count(&nodes) > 0)
		return 0;
	return aml__fail(AML_FAILURE, "hwloc finds no memory on this machine (is /sys there, and readable?)");
}

static int load_hwloc(hwloc_topology_t *result, const struct topology_config *config)
{
	const char *from = imported_from(config);
	hwloc_topology_t hwloc;
	int err;

	distrust_environment();
	err = hwloc_calls__load();
	if (err < 0)
		return err;
	if (hw()->topology_init(&hwloc) < 0)
		return aml__fail(AML_ENOMEM, "no memory for hwloc's topology");
	/* Nodes outside the cpuset are shown, as not allowed, rather than hidden. */
	hw()->topology_set_flags(hwloc, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	hw()->topology_set_cache_types_filter(hwloc, HWLOC_TYPE_FILTER_KEEP_NONE);
	if (config->xml)
		err = hw()->topology_set_xml(hwloc, config->xml);
	else if (config->synthetic)
		err = hw()->topology_set_synthetic(hwloc, config->synthetic);
	if (err == 0)
		err = hw()->topology_load(hwloc);
	/* hwloc passes over a bad environment in favour of this machine: never a silent default. */
	if (err == 0 && from && hw()->topology_is_thissystem(hwloc) && !secure_getenv("HWLOC_THISSYSTEM"))
		err = -1;
	if (err < 0) {
		hw()->topology_destroy(hwloc);
		if (from)
			return aml__fail(AML_EINVAL, "hwloc cannot read the topology \"%.80s\"; correct or unset "
				"HWLOC_XMLFILE and HWLOC_SYNTHETIC", from);
		return aml__fail(AML_FAILURE, "hwloc cannot read this machine's topology");
	}
	*result = hwloc;
	return 0;
}

/* The attribute's best value over all initiators: what the memory itself can do. */
static void read_attribute(hwloc_topology_t hwloc, hwloc_memattr_id_t attribute, hwloc_obj_t object,
	struct topology_figure *figure)
{
	struct hwloc_location initiator;
	hwloc_uint64_t value;

	if (hw()->memattr_get_best_initiator(hwloc, attribute, object, 0, &initiator, &value) < 0 ||
		value == 0)
		return;
	figure->value = value;
	figure->source = TOPOLOGY_SOURCE_HMAT;
}

/* Firmware that gives read figures only is common; reading is what most programs wait for. */
static void read_figures(hwloc_topology_t hwloc, hwloc_obj_t object, struct topology_node *node)
{
	read_attribute(hwloc, HWLOC_MEMATTR_ID_BANDWIDTH, object, &node->bandwidth);
	if (node->bandwidth.source == TOPOLOGY_SOURCE_NONE)
		read_attribute(hwloc, HWLOC_MEMATTR_ID_READ_BANDWIDTH, object, &node->bandwidth);
	read_attribute(hwloc, HWLOC_MEMATTR_ID_LATENCY, object, &node->latency);
	if (node->latency.source == TOPOLOGY_SOURCE_NONE)
		read_attribute(hwloc, HWLOC_MEMATTR_ID_READ_LATENCY, object, &node->latency);
}

/* hwloc's own names for memory: subtype since 2.0, DAX and CXL information since 2.8 and 2.9. */
static enum topology_kind label_of(hwloc_obj_t object)
{
	static const struct {
		const char *prefix;
		enum topology_kind kind;
	} labels[] = {
		{"MCDRAM", TOPOLOGY_KIND_HBM},
		{"HBM", TOPOLOGY_KIND_HBM},
		{"DRAM", TOPOLOGY_KIND_DRAM},
		{"DDR", TOPOLOGY_KIND_DRAM},
		{"CXL", TOPOLOGY_KIND_CXL},
		{"GPU", TOPOLOGY_KIND_GPU},
		{"NVM", TOPOLOGY_KIND_NVM},
	};
	const char *dax = hwloc_obj_get_info_by_name(object, "DAXType");

	for (size_t i = 0; object->subtype && i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strncmp(object->subtype, labels[i].prefix, strlen(labels[i].prefix)) == 0)
			return labels[i].kind;
	if (hwloc_obj_get_info_by_name(object, "CXLDevice"))
		return TOPOLOGY_KIND_CXL;
	if (dax && strcmp(dax, "NVM") == 0)
		return TOPOLOGY_KIND_NVM;
	return TOPOLOGY_KIND_UNKNOWN;
}

/* Memory that has no processors of its own where it shares some with other memory. */
static bool is_attached(enum topology_kind kind)
{
	return kind != TOPOLOGY_KIND_UNKNOWN && kind != TOPOLOGY_KIND_DRAM;
}

/*
 * hwloc gives a node without processors the processors it is close to. Without sysfs, a node that
 * shares none of its processors must have them itself; of nodes that share, those labelled HBM, GPU
 * and the like are the ones without; of the rest, if there is more than one, any may be.
 */
static int guess_has_cpus(hwloc_topology_t hwloc, hwloc_obj_t object)
{
	bool attached = is_attached(label_of(object));
	int guess = 1;
	hwloc_obj_t other;

	if (hw()->bitmap_iszero(object->cpuset))
		return 0;
	for (unsigned i = 0; (other = hw__node(hwloc, i)); i++) {
		if (other == object || !hw()->bitmap_intersects(other->cpuset, object->cpuset))
			continue;
		if (is_attached(label_of(other)) == attached)
			guess = -1;
		else if (attached)
			return 0;
	}
	return guess;
}

static void read_node(hwloc_topology_t hwloc, hwloc_obj_t object, struct topology_node *node)
{
	*node = (struct topology_node){
		.number = (int)object->os_index,
		.allowed = hw()->bitmap_isset(hw()->topology_get_allowed_nodeset(hwloc), object->os_index),
		.has_cpus = guess_has_cpus(hwloc, object),
		.capacity = object->attr->numanode.local_memory,
		.kernel_tier = -1,
		.kind = label_of(object),
		.tier = -1,
	};
	if (node->kind != TOPOLOGY_KIND_UNKNOWN)
		node->kind_source = TOPOLOGY_SOURCE_LABEL;
	read_figures(hwloc, object, node);
}

static int by_number(const void *a, const void *b)
{
	const struct topology_node *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int index_of(const struct topology *topology, int number)
{
	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].number == number)
			return i;
	return -1;
}

static int read_nodes(struct topology *topology)
{
	hwloc_topology_t hwloc = topology->hwloc;
	int n = (int)hw()->get_nbobjs_by_depth(hwloc, HWLOC_TYPE_DEPTH_NUMANODE);
	hwloc_obj_t object;

	topology->nodes = calloc(n > 0 ? (size_t)n : 1, sizeof(topology->nodes[0]));
	if (!topology->nodes)
		return aml__fail(AML_ENOMEM, "no memory for the table of nodes");
	for (unsigned i = 0; (object = hw__node(hwloc, i)); i++)
		if (object->os_index < OS_MAX_NODES)
			read_node(hwloc, object, &topology->nodes[topology->n_nodes++]);
	qsort(topology->nodes, (size_t)topology->n_nodes, sizeof(topology->nodes[0]), by_number);
	return 0;
}

/* The distance table, where there is one for all nodes. */
static int read_distances(struct topology *topology)
{
	struct hwloc_distances_s *matrix;
	unsigned n_matrices = 1;
	int n = topology->n_nodes, err = 0;

	if (hw()->distances_get_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, &n_matrices, &matrix,
		    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0 || n_matrices == 0)
		return 0;
	if ((int)matrix->nbobjs == n) {
		topology->distance = calloc((size_t)n * (size_t)n, sizeof(topology->distance[0]));
		if (!topology->distance)
			err = aml__fail(AML_ENOMEM, "no memory for the table of distances");
	}
	for (unsigned i = 0; topology->distance && i < matrix->nbobjs; i++) {
		for (unsigned j = 0; j < matrix->nbobjs; j++) {
			int from = index_of(topology, (int)matrix->objs[i]->os_index);
			int to = index_of(topology, (int)matrix->objs[j]->os_index);

			if (from >= 0 && to >= 0)
				topology->distance[from * n + to] =
					(unsigned)matrix->values[i * matrix->nbobjs + j];
		}
	}
	hw()->distances_release(topology->hwloc, matrix);
	return err;
}

int topology__load(struct topology **result, const struct topology_config *config)
{
	static const struct topology_config defaults;
	struct topology *topology = calloc(1, sizeof(*topology));
	hwloc_topology_t hwloc = NULL;
	const char *from, *tiers;
	bool overridden;
	int err;

	if (!topology)
		return aml__fail(AML_ENOMEM, "no memory for the topology");
	if (!config)
		config = &defaults;
	err = check_descriptors(N_BEFORE);
	if (err == 0)
		err = load_hwloc(&hwloc, config);
	if (err < 0)
		goto free_topology;
	topology->hwloc = hwloc;
	topology->imported = !hw()->topology_is_thissystem(hwloc);
	from = imported_from(config);
	if (from && !(topology->description = strdup(from))) {
		err = aml__fail(AML_ENOMEM, "no memory for the topology");
		goto free_topology;
	}
	err = read_nodes(topology);
	if (err == 0)
		err = read_distances(topology);
	if (err < 0)
		goto free_topology;
	if (!topology->imported || config->sysfs) {
		topology__read_has_cpus(topology, config->sysfs ? config->sysfs : "/sys");
		topology__read_kernel_tiers(topology, config->sysfs ? config->sysfs : "/sys");
	}
	err = check_memory(topology);
	if (err == 0)
		err = check_descriptors(N_AFTER);
	if (err < 0)
		goto free_topology;
	tiers = config->tiers ? config->tiers : topology__has_no_override ? NULL : secure_getenv("SITUS_TIERS");
	overridden = tiers && tiers[strspn(tiers, " \t")];
	if (overridden) {
		err = topology__apply_override(topology, tiers);
		if (err < 0)
			goto free_topology;
	}
	topology__classify(topology, overridden);
	*result = topology;
	return 0;

free_topology:
	topology__free(topology);
	return err;
}

void topology__free(struct topology *topology)
{
	if (!topology)
		return;
	if (topology->hwloc)
		hw()->topology_destroy(topology->hwloc);
	free(topology->description);
	free(topology->distance);
	free(topology->nodes);
	free(topology);
}

/* Of the child of a fork that came while another thread held the lock: what it made is not there. */
static void reset_lock(void)
{
	lock__reset(&once);
}

static void watch_forks_locked(void)
{
	static bool watched;

	if (!watched)
		watched = pthread_atfork(NULL, NULL, reset_lock) == 0;
}

int topology__get(const struct topology **topology) LOCK_UNCHECKED
{
	struct topology *found = shared, *made;
	int err = 0;

	if (!found) {
		topology__lock();
		found = shared;
		if (!found) {
			watch_forks_locked();
			err = topology__load(&made, NULL);
			if (err == 0)
				shared = found = made;
		}
		topology__unlock();
	}
	if (err == 0)
		*topology = found;
	return err;
}

const struct topology *topology__loaded(void) LOCK_UNCHECKED
{
	return shared;
}

const struct topology_node *topology__node(const struct topology *topology, int number)
{
	int i = index_of(topology, number);

	return i >= 0 ? &topology->nodes[i] : NULL;
}

unsigned topology__distance(const struct topology *topology, int from, int to)
{
	int i = index_of(topology, from), j = index_of(topology, to);

	return topology->distance && i >= 0 && j >= 0 ? topology->distance[i * topology->n_nodes + j] : 0;
}
