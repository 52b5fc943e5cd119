/* SPDX-License-Identifier: BSD-3-Clause */
/* C++ under the preload: containers in threads, aligned and sized operators, and new that fails. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

static void require(bool truth, const char *what)
{
	if (!truth) {
		std::fprintf(stderr, "failed: %s\n", what);
		std::abort();
	}
}

struct alignas(256) wide {
	char bytes[512];
};

static std::uint64_t work(unsigned seed)
{
	std::map<int, std::string> tree;
	std::unordered_map<std::string, std::vector<int>> hash;
	std::uint64_t sum = 0;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		tree[(int)(seed >> 16) % 5000] += "some text that is longer than the small string";
		hash[std::to_string(seed % 997)].push_back(i);
		if (i % 7 == 0)
			tree.erase(tree.begin());
	}
	for (auto &pair : tree)
		sum += pair.second.size();
	for (auto &pair : hash)
		sum += std::accumulate(pair.second.begin(), pair.second.end(), 0u);
	return sum;
}

static int n_handled;

static void handler()
{
	if (++n_handled == 3)
		std::set_new_handler(nullptr);
}

static void failing_new()
{
	volatile std::size_t huge = SIZE_MAX / 4;
	bool caught = false;

	require(new (std::nothrow) char[huge] == nullptr, "nothrow new gives null");
	require(::operator new(huge, std::align_val_t(64), std::nothrow) == nullptr, "aligned nothrow new");
	std::set_new_handler(handler);
	try {
		char *block = new char[huge];
		delete[] block;
	} catch (const std::bad_alloc &) {
		caught = true;
	}
	require(caught, "new throws bad_alloc");
	require(n_handled == 3, "after it asked the handler");
	caught = false;
	try {
		::operator delete(::operator new(huge, std::align_val_t(4096)), std::align_val_t(4096));
	} catch (const std::bad_alloc &) {
		caught = true;
	}
	require(caught, "aligned new throws too");
}

int main()
{
	std::vector<std::thread> threads;
	std::vector<std::uint64_t> sums(4);

	for (unsigned i = 0; i < sums.size(); i++)
		threads.emplace_back([&sums, i] { sums[i] = work(i / 2); });
	for (auto &thread : threads)
		thread.join();
	require(sums[0] == sums[1] && sums[2] == sums[3], "equal seeds give equal sums");
	for (int i = 0; i < 1000; i++) {
		auto one = std::make_unique<wide>();
		auto many = std::make_unique<wide[]>(3);

		require((std::uintptr_t)one.get() % 256 == 0 && (std::uintptr_t)many.get() % 256 == 0,
			"aligned new is aligned");
	}
	::operator delete(::operator new(0));
	::operator delete(nullptr);
	failing_new();
	try {
		throw std::runtime_error(std::string(1000, 'x'));
	} catch (const std::exception &e) {
		require(std::string(e.what()).size() == 1000, "exceptions carry their text");
	}
	std::puts("done");
	return 0;
}
