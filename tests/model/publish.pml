/* SPDX-License-Identifier: MIT */
/* publish_attempt(), see commit.pml. */

/* A put follows only from a durable record. */
#ifdef WITHOUT_DURABLE_PUT
#define can_attempt(file) (!gate && m.r[file].st == PENDING)
#else
#define can_attempt(file) (!gate && m.r[file].st == PENDING && durable[file])
#endif

inline freeze(file)
{
	printf("C6: attempt, file %d, generation %d\n", file, m.r[file].gen);
	busy = 1; at_f = file; at_key = m.r[file].key; at_gen = m.r[file].gen;
	at_mask = m.r[file].mask;
	m.r[file].ids = m.r[file].ids | BIT(at_gen)
}

inline attempt_ends()
{
	busy = 0; at_f = 0; at_key = 0; at_gen = 0; at_mask = 0;
	answer = 0; answer_ver = 0
}

/* Reads the layers and, below them, the base. */
inline send()
{
	assert(!(at_mask & ~named));
	assert(!(at_mask & (bytes_lost | spoilt)));
	if
	:: m.r[at_f].over && store[at_key].ver != m.r[at_f].base ->
		answer = REFUSED
	:: else ->
		assert(!m.r[at_f].over || IN(store[at_key].is, m.r[at_f].ok));
		wire.under_way = 1; wire.key = at_key; wire.gen = at_gen;
		wire.cond = m.r[at_f].base
	fi
}

/* Something newer has been committed meanwhile: its base is this version. */
inline advance(version)
{
	printf("C7: FILE %d of a newer generation\n", at_f);
	drop_layers(m.r[at_f].mask & at_mask);
	m.r[at_f].mask = m.r[at_f].mask & ~at_mask;
	m.r[at_f].base = version; m.r[at_f].over = 1; m.r[at_f].ids = 0;
	m.r[at_f].goes = 0;
	m.r[at_f].ok = BIT(at_gen) |
		(m.r[at_f].ok & ~(BIT(at_gen + 1) - 1) & ~BIT(OTHERS));
	append_file(FILE, at_f, 0)
}

inline stored_as(version)
{
	if
#ifndef WITHOUT_GENERATION
	:: m.r[at_f].gen != at_gen -> advance(version)
#endif
	:: else ->
		printf("C7: DONE %d\n", at_f);
		append(DONE, at_f);
		forget_pending(at_f);
		if
		:: held && held_f == at_f ->
			m.r[at_f].st = CLEAN; m.r[at_f].key = at_key;
			m.r[at_f].base = version; m.r[at_f].over = 1;
			m.r[at_f].ok = BIT(at_gen)
		:: else
		fi
	fi;
	attempt_ends()
}

/* Refused, or nobody knows: is it ours after all? */
inline look()
{
	if
	:: ours(at_key, BIT(at_gen)) -> stored_as(store[at_key].ver)
	:: !ours(at_key, BIT(at_gen)) && ours(at_key, m.r[at_f].ids) ->
		printf("base of file %d is an own version\n", at_f);
		m.r[at_f].base = store[at_key].ver; m.r[at_f].goes = 0;
		attempt_ends()
	:: m.r[at_f].goes && store[at_key].ver == NONE ->
		printf("the base of file %d has gone\n", at_f);
		m.r[at_f].base = NONE; m.r[at_f].goes = 0;
		attempt_ends()
	:: else ->
		printf("conflict of file %d\n", at_f);
		assert(store[at_key].is == OTHERS);
		m.r[at_f].st = FAILED;
		append_file(FILE, at_f, 0);
		attempt_ends()
	fi
}

/* An answer that is lost; the put may still arrive. */
inline give_up()
{
	printf("no answer\n");
	lost++;
	strand();
	attempt_ends()
}

inline attempt()
{
	d_step { send() };
	if
	:: d_step { answer == STORED && room -> stored_as(answer_ver) }
	:: d_step { answer == REFUSED && room -> look() }
	:: d_step { lost < LOST && (answer || wire.under_way) -> give_up() }
	fi
}

proctype publisher()
{
again:	{
		phase == UP;
end:		do
		:: d_step { can_attempt(0) -> freeze(0) }; attempt()
		:: d_step { can_attempt(1) -> freeze(1) }; attempt()
		od
	} unless { d_step { end_publisher -> end_publisher = 0 } };
	goto again
}
