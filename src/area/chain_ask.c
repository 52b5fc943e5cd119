/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_ask.c - is a link that had no room worth asking again?
 *
 * Not for as much within RETRY_MS, unless it got memory back: filling a node only to find it full takes long.
 * What a link remembers are atomics of its own; a look too many or too few does no harm.
 */
#include "area/chain_data.h"
#include "area/limit.h"
#include "area/linux.h"
#include "os/os.h"

enum { RETRY_MS = 20 };

static size_t available(const struct link *link)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	return aml_area_info(link->area, &info) == AML_SUCCESS ? info.available : SIZE_MAX;
}

/* How often its place got something back from areas of this process. */
static unsigned n_returns_to(const struct link *link)
{
	const struct aml_area *area = limit__inner(link->area);
	unsigned n = atomic_load_explicit(&area__n_returns, memory_order_acquire);

	return linux__is_anonymous(area) ? n + linux__n_returns(area->data) : n;
}

/*
 * Has a link that had no room got some? A look is cheap beside a mapping that is filled and given back,
 * but not beside one that is only mapped: it is taken when some area of this process has given the link's
 * place something back since the last one, or the clock has moved (for what other processes gave back). Not
 * all that is available can be had, so it must also have grown.
 */
static bool has_room_again(struct link *link, size_t size, uint64_t now)
{
	unsigned n_returns = n_returns_to(link);
	size_t left, found;

	if (n_returns == atomic_load(&link->n_returns) && now == atomic_load(&link->looked_at))
		return false;
	atomic_store(&link->n_returns, n_returns);
	atomic_store(&link->looked_at, now);
	found = available(link);
	left = atomic_load(&link->left);
	return found >= size && found > left && found - left >= size / 8;
}

bool chain__may_have_room(struct link *link, size_t size)
{
	uint64_t now = os__now_ms();

	return now - atomic_load(&link->refused_at) > RETRY_MS || has_room_again(link, size, now);
}

void chain__note_refusal(struct link *link, size_t size)
{
	struct area_failure refusal = area__last_failure();
	uint64_t now = os__now_ms();

	/* Before the look: what comes back after it shall be seen. */
	atomic_store(&area__counts_returns, true);
	atomic_store(&link->n_returns, n_returns_to(link));
	atomic_store(&link->left, available(link));
	atomic_store(&link->looked_at, now);
	atomic_store(&link->refused_at, now);
	atomic_store(&link->refused, size);
	area__put_failure_back(refusal);
}
