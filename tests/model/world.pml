/* SPDX-License-Identifier: MIT */
/* Crashes, and everything that happens by itself; see commit.pml. */

inline memory_ends()
{
	crashes++;
	phase = DOWN; end_program = 1; end_publisher = 1;
	forget(0); forget(1);
	clear_move(m); m.removing = 0; m.removed = 0; m.known = 0;
	doomed = 0; settled = 0;
	held = 0; held_f = 0; names_told = 0;
	strand();
	attempt_ends();
	call_ends()
}

/*
 * Each write the disk was not told to flush is there or not.  The journal is
 * read up to the first frame that is missing.
 */
inline power_cut()
{
	do
#ifdef WITHOUT_PREFIX
	:: x < nf -> replay(disk, fr[x]); x++
	:: x < nf -> x++
	:: x == nf -> break
#else
	:: x < nf -> replay(disk, fr[x]); x++
	:: break
#endif
	od;
	forget_frames();
	x = FIRST;
	do
	:: x < next && IN(x, named ^ named_disk) -> named = named ^ BIT(x); x++
	:: x < next -> x++
	:: x == next -> break
	od;
	named_disk = named; x = FIRST;
	do
	:: x < next && IN(x, named & ~bytes_disk) ->
		bytes_lost = bytes_lost | BIT(x); x++
	:: x < next -> x++
	:: x == next -> break
	od;
	bytes_disk = bytes_disk | named; x = 0;
#ifdef LOCAL_STORE
	if
	:: unsync_store()
	:: sync_store()
	fi
#endif
}

#define can_crash (crashes < CRASHES && phase != DOWN)

proctype world()
{
end:	do
	:: d_step { phase == UP && nf > 0 -> printf("C8: flush\n"); flush() }
	:: d_step { may_rewrite -> printf("rewritten\n"); rewrite() }
	:: d_step { removable != 0 -> remove_layers() }
	:: d_step { wire.under_way ->
		store_put(wire);
		answer = n; answer_ver = last_ver * (n == STORED) }
	:: d_step { late.under_way -> store_put(late) }
	:: d_step { late.under_way -> clear_put(late) }
	:: d_step { others < OTHER -> other_changes(A) }
	:: d_step { others < OTHER -> other_changes(T) }
	:: d_step { can_crash -> printf("killed\n"); memory_ends() }
	:: atomic { can_crash ->
		printf("power cut\n");
		memory_ends();
		power_cut() }
	od
}
