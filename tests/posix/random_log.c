// SPDX-License-Identifier: MIT
// random_ops: the last steps and how they are printed with a difference.
#include "config.h"

#include <fcntl.h>
#include <stdio.h>

#include "tests/posix/errname.h"
#include "tests/posix/random.h"

void random_remember(struct rnd *r, const struct args *args)
{
	r->history[r->step % HISTORY] = *args;
	r->outcome[r->step % HISTORY] = r->res[1];
}

static void print_open_flags(int flags)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {
		{ O_CREAT, "CREAT" },	    { O_EXCL, "EXCL" },
		{ O_TRUNC, "TRUNC" },	    { O_APPEND, "APPEND" },
		{ O_NOFOLLOW, "NOFOLLOW" }, { O_DIRECTORY, "DIRECTORY" },
	};
	static const char *const modes[] = { "RDONLY", "WRONLY", "RDWR", "?" };

	printf(" %s", modes[flags & O_ACCMODE]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((flags & names[i].bit) == names[i].bit)
			printf("|%s", names[i].name);
}

static void print_step(long step, const struct args *a,
		       const struct result *model)
{
	int uses = a->op->uses;

	printf("%8ld %s", step, a->op->name);
	if (uses & USES_A)
		printf(" a=%s", a->a);
	if (uses & USES_B)
		printf(" b=%s", a->b);
	if (uses & (USES_SLOT | USES_FREE_SLOT))
		printf(" slot=%d", a->slot);
	if (uses & USES_SLOT2)
		printf(" slot2=%d", a->slot2);
	if (uses & (USES_MAP | USES_FREE_MAP))
		printf(" map=%d", a->map);
	if (uses & USES_FREE_SLOT)
		print_open_flags(a->flags);
	if (uses & USES_IO)
		printf(" off=%lld len=%zu", (long long)a->off, a->len);
	if (uses & USES_SLOT2)
		printf(" off2=%lld", (long long)a->off2);
	printf(" mode=%o variant=%u", (unsigned)a->mode, a->variant);
	printf(" -> %ld %s\n", model->ret, errname(model->err));
}

void random_report(const struct rnd *r)
{
	long first = r->step < HISTORY ? 0 : r->step - HISTORY + 1;

	printf("the last steps, with what the model answered:\n");
	for (long s = first; s <= r->step; s++)
		if (r->history[s % HISTORY].op)
			print_step(s, &r->history[s % HISTORY],
				   &r->outcome[s % HISTORY]);
	printf("DIFFERENCE at step %ld, seed %llu: %s\n", r->step,
	       (unsigned long long)r->seed, r->why);
	fflush(stdout);
}
