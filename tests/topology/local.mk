# Which nodes a place means on machines that are not here. machines.py writes the topologies.
topology_files = \
	tests/topology/container.xml \
	tests/topology/container-plain.xml \
	tests/topology/container-untold.xml \
	tests/topology/doubtful.xml \
	tests/topology/dram-cxl.xml \
	tests/topology/dram-nvm.xml \
	tests/topology/dual-socket.xml \
	tests/topology/gpu.xml \
	tests/topology/hbm-flat-no-hmat.xml \
	tests/topology/hbm-only-no-hmat.xml \
	tests/topology/hbm-only-unlabelled.xml \
	tests/topology/hbm-only.xml \
	tests/topology/knl-flat.xml \
	tests/topology/no-hmat-nameless.xml \
	tests/topology/no-hmat-plain.xml \
	tests/topology/no-hmat.xml \
	tests/topology/partial-hmat.xml \
	tests/topology/snc4-hbm.xml
EXTRA_DIST += tests/topology/machines.py $(topology_files) \
	tests/topology/sys-plain tests/topology/sys-tiers tests/topology/sys-one-tier

if HAVE_CMOCKA
check_PROGRAMS += tests/topology/test_topology
TESTS += tests/topology/test_topology
tests_topology_test_topology_SOURCES = tests/topology/test_topology.c
tests_topology_test_topology_CFLAGS = $(test_cflags)
tests_topology_test_topology_LDADD = $(test_libs)
endif

dist_check_SCRIPTS += tests/topology/current.sh
TESTS += tests/topology/current.sh
