/* SPDX-License-Identifier: MIT */
/* Calls of the program and what the mount does in them; see commit.pml. */

#define can_call(k) (ops < OPS && !failed(k))
#define can_commit(k) (can_call(k) && next < OTHERS && \
		       (has(k) || m.r[0].st == FREE || m.r[1].st == FREE))
#define can_remove(k) (can_call(k) && !busy && OF(cur, k) != NONE)
#define can_rename(k, j) (can_remove(k) && !failed(j))

inline begin_call(name) { ops++; k = name }
inline begin_name_call(name, dest) { begin_call(name); j = dest; gate = 1 }

inline call_ends()
{
	k = 0; j = 0; f = 0; pending = 0; over_pending = 0; told = 0; g = 0;
	from_ver = 0; to_ver = 0; from_is = 0; refused = 0;
	gate = 0
}

inline see_others(name)
{
	if
	:: store[name].is == OTHERS -> others_seen = 1
	:: else
	fi
}

/* ---- commit_file() ---- */

/* open() and write(): bytes go into a layer of their own. */
inline open_and_write()
{
	if
	:: has(k) -> f = slot(k)
	:: else ->
		f = m.r[0].st != FREE;
		m.r[f].st = CLEAN; m.r[f].key = k;
		m.r[f].base = store[k].ver; m.r[f].over = store[k].ver != NONE;
		m.r[f].ok = BIT(store[k].is);
		see_others(k)
	fi;
	held = 1; held_f = f;
	g = next; next++;
	call(WITH(cur, k, g));
	named = named | BIT(g);
	printf("write: generation %d, name %d, file %d\n", g, k, f);
#ifdef WITHOUT_IMMUTABLE
	spoilt = spoilt | m.r[f].mask
#endif
}

/* A stack that would be higher than two becomes one layer. */
inline seal()
{
	if
	:: (m.r[f].mask & (m.r[f].mask - 1)) != 0 ->
		assert(!(m.r[f].mask & ~named));
		drop_layers(m.r[f].mask);
		m.r[f].mask = BIT(g)
	:: else -> m.r[f].mask = m.r[f].mask | BIT(g)
	fi;
	m.r[f].gen = g; m.r[f].st = PENDING; m.r[f].ok = m.r[f].ok | BIT(g);
	spoilt = 0;
	append_file(FILE, f, 0);
#ifdef WITHOUT_IDS
	fr[nf - 1].r.ids = 0
#endif
}

inline close_file()
{
	held = 0; held_f = 0;
	if
	:: m.r[f].st == CLEAN -> forget(f)
	:: else
	fi;
	call_ends()
}

inline acknowledge()
{
#ifndef WITHOUT_C1
	d_step { printf("C1\n"); bytes_disk = bytes_disk | BIT(g) }
#endif
#ifndef WITHOUT_C2
	d_step { printf("C2\n"); named_disk = named }
#endif
	d_step { room -> printf("C3\n"); seal() }
	d_step {
#ifndef WITHOUT_C4
		printf("C4\n");
		flush();
#endif
		printf("C5: acknowledged\n");
		returns();
		close_file()
	}
}

/* The bytes stay for their owner; no record of a file to be stored has them. */
inline abandon()
{
	printf("the writer is killed\n");
#ifdef WITHOUT_OWN_RECORD
	if
	:: m.r[f].st == PENDING -> seal()
	:: else
	fi;
#endif
	fails();
	close_file()
}

inline commit()
{
	d_step { open_and_write() }
#ifdef WRITER_KILLED
	if
	:: acknowledge()
	:: d_step { room -> abandon() }
	fi
#else
	acknowledge()
#endif
}

/* ---- changes of names ---- */

/* The file at `k`, or else the one that is not at `j`. */
inline file_of_call()
{
	pending = staged(k);
	if
	:: pending || !over_pending -> f = slot(k)
	:: else -> f = 1 - slot(j)
	fi
}

/*
 * Whether an attempt without an answer has arrived is looked up before the
 * name changes.
 */
inline look_at_unanswered()
{
	if
#ifndef WITHOUT_SETTLED_LOOK
	:: ours(k, BIT(m.r[f].gen)) ->
		append(DONE, f);
		forget_pending(f);
		file_of_call()
#endif
	:: else ->
		if
		:: ours(k, m.r[f].ids) ->
			m.r[f].base = store[k].ver; m.r[f].goes = 0
		:: else -> no_late_create(k)
		fi;
		if
		:: m.r[f].base == NONE -> m.r[f].ids = 0
		:: else
		fi
	fi
}

/* The gate is closed: no attempt runs. */
inline name_call_begins(result)
{
	call(result);
	file_of_call();
	from_ver = store[k].ver; to_ver = store[j].ver;
	from_is = store[k].is;
	if
	:: pending && !mine(k, f) -> refused = 1
#ifndef WITHOUT_LOOK
	:: pending && mine(k, f) -> look_at_unanswered()
#endif
	:: else
	fi
}

#define only_here (pending && m.r[f].base == NONE)
/* Needs nothing of the file of the store that it replaces. */
#define stands_here (pending && m.r[f].base != NONE && !m.r[f].over)

/* Does a frame that is not flushed tell of a file of this name? */
inline note_of(name)
{
	i = 0;
	do
	:: i < nf && fr[i].r.key != name -> i++
	:: else -> break
	od
}

/*
 * Before the store changes a name that the journal does not tell of, what was
 * told of that name is flushed, and of changes of any names.
 */
inline flush_before(replaces)
{
#ifdef WITHOUT_N0
	skip
#else
	note_of(k);
	if
	:: i == nf && replaces -> note_of(j)
	:: else
	fi;
	if
#ifdef WITHOUT_N0_NAMES
	:: i < nf -> flush()
#else
	:: i < nf || names_told -> flush()
#endif
	:: else
	fi
#endif
}

inline refuse()
{
	d_step { printf("refused\n"); fails(); call_ends() }
}

/* Names of files that have nothing staged are the store's own matter. */
inline sync_unless(journaled)
{
	if
	:: !(journaled) -> sync_store()
	:: else
	fi
}

inline name_call_ends()
{
	if
	:: refused -> fails()
	:: else -> returns()
	fi;
	call_ends()
}

inline tell_remove()
{
	if
	:: pending ->
#ifndef WITHOUT_N1
		append(REMOVING, f);
		flush()
#endif
	:: else -> flush_before(false)
	fi
}

inline remove_in_store()
{
	if
	:: pending && store[k].ver != NONE && !mine(k, f) -> refused = 1
	:: !pending && store[k].ver != from_ver -> refused = 1
	:: else -> store_remove(k)
	fi;
	sync_unless(pending)
}

/* One that was refused is settled before the caller is told. */
inline record_remove()
{
#ifndef WITHOUT_SYNC
	sync_store();
#endif
	if
	:: refused && pending ->
		append_file(FILE, f, 0);
		flush()
	:: !refused && pending ->
		append(DONE, f);
		names_told = 1;
		forget_pending(f)
	:: else
	fi
}

inline remove()
{
	d_step { room ->
		printf("remove: name %d\n", k);
		name_call_begins(WITH(cur, k, NONE))
	};
	if
	:: refused -> refuse()
	:: !refused && only_here ->
		d_step { room ->
			printf("DONE %d\n", f);
			append(DONE, f);
			names_told = 1;
			forget_pending(f);
			returns_undurably();
			call_ends()
		}
	:: else ->
		d_step { room -> printf("N1\n"); tell_remove() };
		d_step { printf("N2\n"); remove_in_store() };
		d_step { room ->
			printf("N3\n");
			record_remove();
			name_call_ends()
		}
	fi
}

/* A file the store does not know: one frame. */
inline rename_here()
{
	m.r[f].key = j; m.r[f].base = to_ver; m.r[f].goes = 0;
	if
	:: over_pending ->
#ifndef WITHOUT_INHERIT
		m.r[f].ids = m.r[f].ids | m.r[1 - f].ids;
#endif
		append_file(FILE, f, 1);
		forget_pending(1 - f)
	:: else -> append_file(FILE, f, 0)
	fi
}

/* What it was to replace goes first. */
inline tell_leaving()
{
	m.r[f].goes = 1;
#ifndef WITHOUT_LEAVING
	append_file(FILE, f, 0);
	flush()
#endif
}

inline remove_base()
{
	if
	:: store[k].ver == m.r[f].base -> store_remove(k)
	:: store[k].ver == NONE
	:: else -> refused = 1
	fi
}

inline leave_here()
{
#ifndef WITHOUT_SYNC
	sync_store();
#endif
	if
	:: refused -> fails()
	:: else ->
		rename_here();
		names_told = 1;
		returns_undurably()
	fi;
	call_ends()
}

inline tell_move()
{
	if
	:: pending || over_pending ->
#ifndef WITHOUT_N1
		told = 1;
		append(MOVING, f);
		fr[nf - 1].r.key = k; fr[nf - 1].r.base = from_ver;
		fr[nf - 1].r.gen = from_is; fr[nf - 1].to = j;
		fr[nf - 1].to_ver = to_ver;
		flush()
#endif
	:: else -> flush_before(to_ver != NONE)
	fi
}

/* What was moved is the base, if it is what should be moved. */
inline follow_move()
{
	m.r[f].key = j; m.r[f].goes = 0;
#ifdef WITHOUT_FROM_CHECK
	m.r[f].base = store[j].ver
#else
	if
	:: store[j].is == from_is || ours(j, m.r[f].ids) ->
		m.r[f].base = store[j].ver
	:: else
	fi
#endif
}

inline move_in_store()
{
	if
	:: store[j].ver != to_ver -> refused = 1
	:: else ->
		store_move(k, j);
		if
		:: pending -> follow_move()
		:: else
		fi
	fi;
	sync_unless(pending || over_pending)
}

/* MOVED, FILE of what was moved and DONE of what was replaced: one frame. */
inline record_moved()
{
	if
	:: pending ->
		append_file(MOVED, f, over_pending);
#ifdef WITHOUT_MOVED_BASE
		fr[nf - 1].r.base = from_ver;
		append_file(FILE, f, 0)
#endif
	:: else -> append(MOVED, f); fr[nf - 1].done = over_pending
	fi;
	if
	:: over_pending -> forget_pending(1 - f)
	:: else
	fi
}

inline record_move()
{
#ifndef WITHOUT_SYNC
	sync_store();
#endif
	if
	:: refused && told -> append(MOVED, f)
	:: !refused && (pending || over_pending) -> record_moved()
	:: else
	fi;
#ifndef WITHOUT_N0_MOVED
	names_told = names_told | told
#endif
}

inline rename()
{
	d_step { room ->
		printf("rename: name %d to %d\n", k, j);
		over_pending = staged(j);
		name_call_begins(WITH(WITH(cur, j, OF(cur, k)), k, NONE));
		see_others(j)
	};
	if
	:: refused -> refuse()
	:: !refused && only_here ->
		d_step { room ->
			printf("FILE %d with the new name\n", f);
			rename_here();
			names_told = 1;
			returns_undurably();
			call_ends()
		}
	:: !refused && stands_here ->
		d_step { room -> printf("N1 of the base\n"); tell_leaving() };
		d_step { printf("N2 of the base\n"); remove_base() };
		d_step { room ->
			printf("FILE %d with the new name\n", f);
			leave_here()
		}
	:: else ->
		d_step { room -> printf("N1\n"); tell_move() };
		d_step { printf("N2\n"); move_in_store() };
		d_step { room ->
			printf("N3\n");
			record_move();
			name_call_ends()
		}
	fi
}

/* ---- the program ---- */

inline choose_commit()
{
	if
	:: d_step { can_commit(A) -> begin_call(A) }
	:: d_step { can_commit(T) -> begin_call(T) }
#if NAMES == 3
	:: d_step { can_commit(B) -> begin_call(B) }
#endif
	fi
}

inline choose_remove()
{
	if
	:: d_step { can_remove(A) -> begin_name_call(A, A) }
	:: d_step { can_remove(T) -> begin_name_call(T, T) }
#if NAMES == 3
	:: d_step { can_remove(B) -> begin_name_call(B, B) }
#endif
	fi
}

inline choose_rename()
{
	if
	:: d_step { can_rename(A, T) -> begin_name_call(A, T) }
	:: d_step { can_rename(T, A) -> begin_name_call(T, A) }
#if NAMES == 3
	:: d_step { can_rename(A, B) -> begin_name_call(A, B) }
	:: d_step { can_rename(B, A) -> begin_name_call(B, A) }
	:: d_step { can_rename(T, B) -> begin_name_call(T, B) }
	:: d_step { can_rename(B, T) -> begin_name_call(B, T) }
#endif
	fi
}

proctype program()
{
again:	{
		phase == UP;
		do
		:: choose_commit(); commit()
		:: choose_remove(); remove()
		:: choose_rename(); rename()
		:: ops == OPS ->
end:			false
		od
	} unless { d_step { end_program -> end_program = 0 } };
	goto again
}
