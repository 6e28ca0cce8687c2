/* SPDX-License-Identifier: MIT */
/* Recovery, see commit.pml. */

inline copy_table(d, s)
{
	copy(d.r[0], s.r[0]); copy(d.r[1], s.r[1]);
	d.moving = s.moving; d.from = s.from; d.to = s.to;
	d.from_ver = s.from_ver; d.to_ver = s.to_ver; d.from_is = s.from_is;
	d.removing = s.removing; d.removed = s.removed; d.known = s.known
}

inline may_have_been_sent(file)
{
	if
	:: m.r[file].st != FREE ->
		m.r[file].ids = m.r[file].ids | BIT(m.r[file].gen)
	:: else
	fi;
	printf("file %d: state %d name %d generation %d base %d layers %x\n",
	       file, m.r[file].st, m.r[file].key, m.r[file].gen,
	       m.r[file].base, m.r[file].mask)
}

/* What has been read is made durable before anything follows from it. */
inline read_journal()
{
#ifdef WITHOUT_RECOVERY_FLUSH
	copy_table(m, disk);
	replay_all(m);
#else
	replay_all(disk);
	forget_frames();
	copy_table(m, disk);
#endif
	printf("journal read, moving %d, removing %d\n", m.moving, m.removing);
	may_have_been_sent(0);
	may_have_been_sent(1);
	durable[0] = 1; durable[1] = 1;
	phase = RECOVERING
}

#if defined(WITHOUT_MOVE_VERSIONS)
#define move_was_done (pending && store[j].ver == m.r[f].base || \
		       !pending && store[j].ver != m.r[1 - f].base)
#elif defined(WITHOUT_MOVE_BUT_PRESENCE)
#define move_was_done (store[k].ver == NONE && store[j].ver != NONE)
#else
#define move_was_done (store[k].ver != m.from_ver && \
		       store[j].ver != m.to_ver && \
		       !(pending && ours(k, m.r[f].ids)) && \
		       !(over_pending && ours(j, m.r[1 - f].ids)))
#endif

inline settle_move()
{
	k = m.from; j = m.to; from_ver = m.from_ver; from_is = m.from_is;
	over_pending = staged(j);
	file_of_call();
	sync_store();
	if
	:: move_was_done ->
		printf("the move was done\n");
		if
#ifdef WITHOUT_RECOVERED_BASE
		:: pending -> m.r[f].key = j
#else
		:: pending -> follow_move()
#endif
		:: else
		fi;
#ifdef WITHOUT_REPLACED
		over_pending = 0;
#endif
		record_moved()
	:: else ->
		printf("the move was not done\n");
		append(MOVED, f)
	fi;
	clear_move(m);
	call_ends()
}

#ifdef WITHOUT_REMOVING_IDS
#define removal_was_done (store[k].ver != m.r[f].base)
#else
#define removal_was_done (store[k].ver == NONE)
#endif

inline settle_removal()
{
	f = m.removed; k = m.r[f].key;
	sync_store();
	if
	:: removal_was_done ->
		printf("the removal was done\n");
		append(DONE, f);
		forget_pending(f)
	:: else ->
		printf("the removal was not done\n");
		append_file(FILE, f, 0)
	fi;
	m.removing = 0; m.removed = 0;
	call_ends()
}

/*
 * Layers are checked, and the mount shows what it has.  What recovery has
 * appended is flushed before anything else happens; only then goes what is
 * not needed according to it.
 */
inline show_all()
{
	assert(!(layers_named & ~(named & m.known & ~bytes_lost)));
	assert(!(named & ~m.known & stored));
	settled = settled | (named & m.known & ~layers_named & ~doomed);
	m.known = 0;
	phase = UP;
	printf("shown: %o\n", shown);
	check_history();
#if !defined(WITHOUT_RECOVERY_END) && !defined(WITHOUT_RECOVERY_FLUSH)
	flush()
#endif
}

proctype recovery()
{
end:	do
	:: d_step { phase == DOWN && !end_program && !end_publisher ->
		read_journal() }
	:: d_step { phase == RECOVERING && m.moving -> settle_move() }
	:: d_step { phase == RECOVERING && m.removing -> settle_removal() }
	:: d_step { phase == RECOVERING && !m.moving && !m.removing ->
		show_all() }
	od
}
