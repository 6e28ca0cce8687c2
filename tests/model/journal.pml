/* SPDX-License-Identifier: MIT */
/* Records: replaying, appending, flushing; see commit.pml. */

inline copy(d, s)
{
	d.st = s.st; d.key = s.key; d.gen = s.gen; d.base = s.base;
	d.mask = s.mask; d.ids = s.ids; d.over = s.over; d.ok = s.ok;
	d.goes = s.goes
}

inline clear(d)
{
	d.st = FREE; d.key = 0; d.gen = 0; d.base = 0;
	d.mask = 0; d.ids = 0; d.over = 0; d.ok = 0; d.goes = 0
}

inline clear_move(d)
{
	d.moving = 0; d.from = 0; d.to = 0;
	d.from_ver = 0; d.to_ver = 0; d.from_is = 0
}

/* What one frame does to the table. */
inline replay(d, one)
{
	if
	:: one.kind == FILE || (one.kind == MOVED && one.with) ->
		copy(d.r[one.f], one.r);
		d.known = d.known | BIT(one.r.gen)
	:: one.kind == DONE -> clear(d.r[one.f])
	:: else
	fi;
	if
	:: one.done -> clear(d.r[1 - one.f])
	:: else
	fi;
	if
	:: (one.kind == FILE || one.kind == DONE) && d.removing &&
	   d.removed == one.f ->
		d.removing = 0; d.removed = 0
	:: else
	fi;
	if
	:: one.kind == MOVING ->
		d.moving = 1; d.from = one.r.key; d.to = one.to;
		d.from_ver = one.r.base; d.to_ver = one.to_ver;
		d.from_is = one.r.gen
	:: one.kind == MOVED -> clear_move(d)
	:: one.kind == REMOVING -> d.removing = 1; d.removed = one.f
	:: else
	fi
}

inline replay_all(d)
{
	i = 0;
	do
	:: i < nf -> replay(d, fr[i]); i++
	:: else -> break
	od
}

inline forget_frames()
{
	do
	:: nf > 0 ->
		nf--;
		fr[nf].kind = 0; fr[nf].f = 0; fr[nf].with = 0;
		fr[nf].done = 0; fr[nf].to = 0; fr[nf].to_ver = 0;
		clear(fr[nf].r)
	:: else -> break
	od
}

/* journal_append(); `other`: with a DONE of the other file. */
inline append_file(what, file, other)
{
	fr[nf].kind = what; fr[nf].f = file; fr[nf].with = 1;
	fr[nf].done = other; copy(fr[nf].r, m.r[file]);
	durable[file] = 0; nf++
}

inline append(what, file)
{
	fr[nf].kind = what; fr[nf].f = file; fr[nf].r.key = m.r[file].key;
	nf++
}

/* journal_sync() */
inline flush()
{
	replay_all(disk);
	forget_frames();
	durable[0] = 1; durable[1] = 1; names_told = 0;
#if REWRITES
	stored = stored | doomed;
#endif
	settled = settled | doomed; doomed = 0;
	history_from(hn - 1 - calling)
}

inline drop_layers(set)
{
#ifdef WITHOUT_C8
	settled = settled | (set)
#else
	doomed = doomed | (set)
#endif
}

inline forget(file) { clear(m.r[file]); durable[file] = 0 }

inline forget_pending(file)
{
	drop_layers(m.r[file].mask);
	forget(file)
}

/* ---- what the program waits for, or the journal's thread does ---- */

/*
 * journal_rewrite(): what counts, in a new file; the directory is flushed.
 * Of layers it has those that are named, and those that have yet to go.
 */
#define may_rewrite (phase == UP && rewrites < REWRITES)
#ifdef WITHOUT_TIDY
#define kept_layers (disk.r[0].mask | disk.r[1].mask)
#else
#define kept_layers (disk.r[0].mask | disk.r[1].mask | settled)
#endif

inline rewrite()
{
	rewrites++;
	flush();
	named_disk = named;
	disk.known = disk.known & kept_layers;
#ifdef WITHOUT_REWRITTEN_REMOVING
	disk.removing = 0; disk.removed = 0;
#endif
	n = 0
}

/* C9 */
#define removable (settled & ~at_mask)

inline remove_layers()
{
	printf("C9: layers %x\n", removable);
	named = named & ~removable;
	settled = settled & at_mask
}
