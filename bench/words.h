/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * words.h - how a program of google-benchmark's says that it cannot go on, instead of crashing: one line
 * on standard error and exit status 77.
 */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include <benchmark/benchmark.h>

#include "bench/machine.h"

namespace words {

constexpr int CANNOT = 77;

inline const char *&name()
{
	static const char *program = "";

	return program;
}

[[noreturn]] inline void end(const std::string &why)
{
	std::fprintf(stderr, "%s: %s\n", name(), why.c_str());
	_exit(CANNOT);
}

/* google-benchmark's threads and its own memory are C++'s, which throws; there is nobody who would catch. */
[[noreturn]] inline void uncaught()
{
	try {
		if (std::current_exception() != nullptr)
			std::rethrow_exception(std::current_exception());
	} catch (const std::system_error &error) {
		end(std::string("no more threads can be had: ") + error.what());
	} catch (const std::bad_alloc &) {
		end("no memory for the benchmark itself");
	} catch (...) {
	}
	std::abort();
}

/* What main calls first; `program` begins its lines. */
inline void begin(const char *program)
{
	const char *why = machine_too_small();

	name() = program;
	std::set_terminate(uncaught);
	if (why != nullptr)
		end(why);
}

/* Is there less free than `wanted` bytes? Then the benchmark is skipped, in words. */
inline bool too_much(benchmark::State &state, std::size_t wanted)
{
	constexpr std::size_t MIB = std::size_t(1) << 20;
	std::size_t available = machine_available();

	if (wanted <= available)
		return false;
	state.SkipWithError(("wants " + std::to_string(wanted / MIB) + " MiB free, there are " +
		std::to_string(available / MIB)).c_str());
	return true;
}

} // namespace words

#endif
