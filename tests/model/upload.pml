/* SPDX-License-Identifier: MIT */
/*
 * Uploads that outlive a put (U1 to U5 of doc/journal.md), for spin; what
 * stands for what, and what this cannot find, is in doc/model.md.
 *
 * One file of two parts, which nobody has acknowledged and the store does not
 * know at first.  The publisher sends it; the program commits generations,
 * renames and unlinks it; a thread removes uploads of no use; the world is
 * flushes, requests that arrive after their sender has given up or died, and
 * crashes, each with the recovery that follows.  That what is committed is
 * durable, and a rename in the store with it, is for commit.pml.
 *
 * Bounds (-D): OPS calls of the program, CRASHES, LOST answers.  WITHOUT_x
 * leaves a rule out: spin must then find an error.
 */
#ifndef OPS
#define OPS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOST
#define LOST 1
#endif
/* Begun at all, and with a record at once. */
#define UPLOADS 9
#define SLOTS 2
/* Appended and not flushed, at most. */
#define FRAMES 2

/* ---- the journal ---- */

/* What a token leads to. */
#define INTENT 1
#define BEGUN 2

typedef entry {
	byte token; /* 0: there is no record */
	bit owned;  /* it names the file's record */
	bit key;
	byte gen; /* digest of what is fixed when it is begun */
	byte id;
};

typedef table {
	bit pending; /* the record of the file: */
	bit key;
	byte gen;
	byte base;
	entry up[SLOTS];
};
table disk;
table fr[FRAMES]; /* what the journal says at the end of each frame */
byte nf;
table m;
#define room (nf < FRAMES)

/* ---- the store ---- */

typedef upload {
	bit there;
	bit key;
	byte gen;     /* publish id, among its headers */
	byte part[2]; /* generation, 0: it is not there */
	bit stray;    /* ghost: nobody waited for it to begin */
};
typedef object {
	byte ver; /* 0: there is none */
	byte gen; /* publish id */
};
upload u[(UPLOADS + 1)];
object store[2];
byte last_id;
byte last_ver;
#define empty(i) (!u[i].part[0] && !u[i].part[1])

/* One request whose sender has given up. */
#define BEGIN 1
#define PART 2
#define COMPLETE 3
typedef request {
	byte kind;
	bit key;
	byte gen;
	byte id;
	bit n;
	byte base;
};
request late;

/* ---- memory ---- */

bit there = 1; /* something is to be published: */
bit key;
byte gen = 1;
byte base;
bit owned;	   /* the file has a record */
byte slot = SLOTS; /* of its upload; SLOTS: it has none */
byte token;	   /* of that upload, as memory has it */
bit dropped[SLOTS];
bit removed[SLOTS];

/* The attempt. */
#define IDLE 0
#define SETTLE 1
#define BEGINNING 2
#define NOTING 3
#define SENDING 4
#define LOOKING 5
#define ENDING 6
#define ENDED 7
byte at = IDLE;
byte at_gen;
byte at_id;
byte version;

byte acked; /* ghost: generation that was acknowledged last */
bit unlinked;
byte ops;
byte crashes;
byte lost;
hidden byte i;
byte x;

inline copy_entry(d, s)
{
	d.token = s.token; d.owned = s.owned; d.key = s.key;
	d.gen = s.gen; d.id = s.id
}

inline copy(d, s)
{
	d.pending = s.pending; d.key = s.key; d.gen = s.gen; d.base = s.base;
	copy_entry(d.up[0], s.up[0]); copy_entry(d.up[1], s.up[1])
}

inline clear_entry(d)
{
	d.token = 0; d.owned = 0; d.key = 0; d.gen = 0; d.id = 0
}

inline clear(d)
{
	d.pending = 0; d.key = 0; d.gen = 0; d.base = 0;
	clear_entry(d.up[0]); clear_entry(d.up[1])
}

inline append() { copy(fr[nf], m); nf++ }

inline forget_frames()
{
	do
	:: nf > 0 -> nf--; clear(fr[nf])
	:: else -> break
	od;
	i = 0
}

inline flush() { copy(disk, m); forget_frames() }

inline append_file()
{
	m.pending = 1; m.key = key; m.gen = gen; m.base = base;
	append()
}

inline append_done()
{
	m.pending = 0; m.key = 0; m.gen = 0; m.base = 0;
	append()
}

inline append_ended(s)
{
	printf("U5: UPLOAD_ENDED %d\n", s);
	clear_entry(m.up[s]);
	append()
}

/* ---- what the store does ---- */

inline begin(name, id, late_one)
{
	last_id++;
	assert(last_id <= UPLOADS);
	u[last_id].there = 1; u[last_id].key = name; u[last_id].gen = id;
	u[last_id].stray = late_one;
	printf("store: upload %d of name %d, generation %d\n", last_id, name,
	       id)
}

inline vanish(gone)
{
	u[gone].there = 0; u[gone].key = 0; u[gone].gen = 0; u[gone].stray = 0;
	u[gone].part[0] = 0; u[gone].part[1] = 0
}

/* s3_abort_empty() */
inline sweep(name)
{
	i = 1;
	do
	:: i <= last_id && u[i].there && u[i].key == name && empty(i) ->
		vanish(i); i++
	:: i <= last_id && !(u[i].there && u[i].key == name && empty(i)) -> i++
	:: i > last_id -> break
	od;
	i = 0
}

#define complete_fits(i, content) (u[i].there && u[i].part[0] == content && \
				   u[i].part[1] == content)

/* What is there must be all of one generation, and say which. */
inline complete(done)
{
	assert(u[done].part[0] == u[done].part[1]);
	assert(u[done].part[0] == u[done].gen);
	last_ver++;
	store[u[done].key].ver = last_ver; store[u[done].key].gen = u[done].gen;
	printf("store: generation %d is version %d of name %d\n", u[done].gen,
	       last_ver, u[done].key);
	vanish(done)
}

inline clear_late()
{
	late.kind = 0; late.key = 0; late.gen = 0; late.id = 0; late.n = 0;
	late.base = 0
}

inline arrive_late()
{
	if
	:: late.kind == BEGIN -> begin(late.key, late.gen, 1)
	:: late.kind == PART && u[late.id].there ->
		u[late.id].part[late.n] = late.gen
	:: late.kind == COMPLETE && complete_fits(late.id, late.gen) &&
	   store[late.key].ver == late.base ->
		complete(late.id)
	:: else
	fi;
	clear_late()
}

/* As in commit.pml: not under a name that was removed or moved since. */
inline no_late_complete()
{
	if
	:: late.kind == COMPLETE -> clear_late()
	:: else
	fi
}

/* ---- the attempt ---- */

inline attempt_ends() { at = IDLE; at_gen = 0; at_id = 0; version = 0 }

#define may_lose (lost < LOST)
#define may_be_late (lost < LOST && !late.kind)

inline gives_up(what, part)
{
	lost++;
	late.kind = what; late.key = key; late.gen = at_gen; late.id = at_id;
	late.n = part; late.base = base;
	attempt_ends()
}

inline unheard() { lost++; attempt_ends() }

/* upload_drop() */
inline drop()
{
	if
	:: slot < SLOTS && token -> dropped[slot] = 1
	:: slot < SLOTS && !token && m.up[slot].token -> append_ended(slot)
	:: else
	fi;
	slot = SLOTS; token = 0
}

#define free_slot(s) (!m.up[s].token && !dropped[s])
#ifdef WITHOUT_KEY
#define of_other_name false
#else
#define of_other_name (slot < SLOTS && m.up[slot].token && \
		       m.up[slot].key != key)
#endif
#define can_attempt (at == IDLE && there && \
		     (slot < SLOTS || free_slot(0) || free_slot(1)))

inline freeze()
{
	flush();
	at = SETTLE; at_gen = gen;
	if
	:: slot == SLOTS && free_slot(0) -> slot = 0
	:: slot == SLOTS && !free_slot(0) -> slot = 1
	:: else
	fi;
	printf("attempt of generation %d, token %d\n", at_gen, token)
}

#if defined(WITHOUT_DIGEST) || defined(WITHOUT_COMPARE)
#define is_other false
#else
#define is_other (m.up[slot].gen != at_gen)
#endif

inline note_intent()
{
	printf("U1\n");
	token = INTENT;
#ifndef WITHOUT_U1
	clear_entry(m.up[slot]);
	m.up[slot].token = INTENT; m.up[slot].owned = owned;
	m.up[slot].key = key;
	append();
#ifndef WITHOUT_U1_FLUSH
	flush();
#endif
#endif
	at = BEGINNING
}

inline note_upload()
{
	printf("U3\n");
	token = BEGUN;
#ifdef WITHOUT_U3
	m.up[slot].gen = at_gen; m.up[slot].id = at_id;
#else
	m.up[slot].token = BEGUN; m.up[slot].owned = owned;
	m.up[slot].key = key; m.up[slot].gen = at_gen; m.up[slot].id = at_id;
	append();
#ifndef WITHOUT_U3_FLUSH
	flush();
#endif
#endif
	at = SENDING
}

/* What the token leads to. */
inline settle()
{
	if
	:: token == BEGUN && is_other ->
		printf("another digest\n");
		vanish(m.up[slot].id);
		token = 0
	:: token == BEGUN && !is_other && u[m.up[slot].id].there ->
		at_id = m.up[slot].id; at = SENDING;
		printf("upload %d goes on\n", at_id)
	:: token == BEGUN && !is_other && !u[m.up[slot].id].there ->
		printf("it is gone\n");
		token = 0; at = LOOKING
	:: token == INTENT ->
#ifndef WITHOUT_SWEEP
		sweep(key);
#endif
		token = 0
	:: else -> note_intent()
	fi
}

inline stored(name)
{
	assert(store[name].gen == at_gen);
	version = store[name].ver;
	at = ENDING
}

/* Is it ours after all?  Nobody else writes here: there is no conflict. */
#ifdef WITHOUT_ID
#define is_ours false
#else
#define is_ours (store[key].ver != 0)
#endif

inline look()
{
	if
	:: is_ours && store[key].gen == at_gen -> stored(key)
	:: is_ours && store[key].gen != at_gen ->
		base = store[key].ver; attempt_ends()
	:: else ->
		assert(store[key].ver == base);
		base = store[key].ver; attempt_ends()
	fi
}

/* attempt_leave_upload() */
inline leave_upload()
{
	drop();
	at = ENDED
}

inline settle_success()
{
	base = version;
	if
	:: gen == at_gen ->
		printf("C7: DONE\n");
		there = 0; owned = 0;
		append_done()
	:: else -> printf("C7: FILE\n"); append_file()
	fi;
	attempt_ends()
}

/* What the store lists is compared with what is to be sent. */
#ifdef WITHOUT_COMPARE
#define has(p) (u[at_id].part[p] != 0)
#else
#define has(p) (u[at_id].part[p] == at_gen)
#endif
#define sends(p) (at == SENDING && u[at_id].there && !has(p))
#define completes (at == SENDING && u[at_id].there && has(0) && has(1))

proctype publisher()
{
end:	do
	:: d_step { can_attempt && of_other_name && room -> drop() }
	:: d_step { can_attempt && !(of_other_name) -> freeze() }
	:: d_step { at == SETTLE && room -> settle() }
	:: d_step { at == BEGINNING ->
		printf("U2\n"); begin(key, at_gen, 0); at_id = last_id;
		at = NOTING }
	:: d_step { at == BEGINNING && may_lose ->
		printf("U2, unheard\n"); begin(key, at_gen, 0); unheard() }
	:: d_step { at == BEGINNING && may_be_late ->
		printf("U2, late\n"); gives_up(BEGIN, 0) }
	:: d_step { at == NOTING && room -> note_upload() }
	:: d_step { at == SENDING && !u[at_id].there -> token = 0; at = LOOKING }
	:: d_step { sends(0) -> u[at_id].part[0] = at_gen }
	:: d_step { sends(1) -> u[at_id].part[1] = at_gen }
	:: d_step { sends(0) && may_be_late -> gives_up(PART, 0) }
	:: d_step { sends(1) && may_be_late -> gives_up(PART, 1) }
	:: d_step { completes && store[u[at_id].key].ver != base -> at = LOOKING }
	:: d_step { completes && store[u[at_id].key].ver == base ->
		assert(u[at_id].key == key);
		complete(at_id); token = 0; stored(key) }
	:: d_step { completes && store[key].ver == base && may_lose ->
		complete(at_id); unheard() }
	:: d_step { completes && may_be_late -> gives_up(COMPLETE, 0) }
	:: d_step { at == LOOKING -> look() }
	:: d_step { at == ENDING && room -> leave_upload() }
	:: d_step { at == ENDED && room -> settle_success() }
	od
}

/* ---- the program ---- */

/* The one that is gone with the driver has no later generations. */
#define can_call (ops < OPS && !unlinked && (there || acked))
/* An attempt under way is cancelled. */
#define can_name_call (can_call && at != ENDING && at != ENDED && room)

inline commit()
{
	ops++;
	gen++; there = 1; owned = 1; acked = gen;
	printf("commit: generation %d\n", gen);
	append_file();
	flush()
}

/* Has an attempt without an answer arrived? */
inline look_at_unanswered()
{
	no_late_complete();
	attempt_ends();
	base = store[key].ver;
	if
	:: there && store[key].ver && store[key].gen == gen ->
		drop();
		there = 0; owned = 0;
		m.pending = 0; m.key = 0; m.gen = 0; m.base = 0
	:: else
	fi
}

inline rename()
{
	ops++;
	printf("rename: name %d to %d\n", key, 1 - key);
	look_at_unanswered();
	if
	:: store[key].ver ->
		last_ver++;
		store[1 - key].ver = last_ver; store[1 - key].gen = store[key].gen;
		store[key].ver = 0; store[key].gen = 0;
		key = 1 - key; base = last_ver;
		m.key = key * m.pending; m.base = base * m.pending;
		flush()
	:: else ->
		key = 1 - key;
		if
		:: owned -> flush(); append_file()
		:: else
		fi
	fi
}

inline unlink()
{
	ops++;
	printf("unlink\n");
	look_at_unanswered();
	drop();
	unlinked = 1; there = 0;
	if
	:: store[key].ver ->
		store[key].ver = 0; store[key].gen = 0;
		m.pending = 0; m.key = 0; m.gen = 0; m.base = 0;
		flush()
	:: owned && !store[key].ver -> flush(); append_done()
	:: else
	fi;
	owned = 0
}

proctype program()
{
end:	do
	:: d_step { can_call && room -> commit() }
	:: d_step { can_name_call -> rename() }
	:: d_step { can_name_call -> unlink() }
	od
}

/* ---- uploads_thread() ---- */

inline remove_upload(s)
{
	printf("removal of upload %d\n", s);
	if
	:: m.up[s].token == BEGUN -> vanish(m.up[s].id)
	:: else -> sweep(m.up[s].key)
	fi;
	removed[s] = 1
}

inline removal_noted(s)
{
	dropped[s] = 0; removed[s] = 0;
	append_ended(s)
}

#ifdef WITHOUT_U5
/* The record goes first. */
#define removable(s) (dropped[s] && !m.up[s].token)
#define notable(s) (dropped[s] && m.up[s].token)
#endif

proctype remover()
{
end:	do
#ifdef WITHOUT_U5
	:: d_step { dropped[0] && room -> x = m.up[0].id; removal_noted(0) };
	   d_step { vanish(x); x = 0 }
	:: d_step { dropped[1] && room -> x = m.up[1].id; removal_noted(1) };
	   d_step { vanish(x); x = 0 }
#else
	:: d_step { dropped[0] && !removed[0] -> remove_upload(0) }
	:: d_step { dropped[1] && !removed[1] -> remove_upload(1) }
	:: d_step { removed[0] && room -> removal_noted(0) }
	:: d_step { removed[1] && room -> removal_noted(1) }
#endif
	od
}

/* ---- crashes, and what happens by itself ---- */

#define leads(s, i) ((disk.up[s].token == BEGUN && disk.up[s].id == i) || \
	(disk.up[s].token == INTENT && disk.up[s].key == u[i].key && empty(i)))

/* No upload is left behind that no record leads to. */
inline check_named()
{
	i = 1;
	do
	:: i <= last_id ->
		assert(!u[i].there || leads(0, i) || leads(1, i) ||
		       (u[i].stray && empty(i)));
		i++
	:: else -> break
	od;
	i = 0
}

inline check_acknowledged()
{
	assert(!acked || unlinked ||
	       (disk.pending && disk.gen == acked) ||
	       (!disk.pending &&
		(store[0].gen == acked || store[1].gen == acked)))
}

inline take_up(s)
{
	if
	:: m.up[s].token && m.pending && m.up[s].owned && slot == SLOTS &&
	   m.up[s].key == m.key ->
		slot = s; token = m.up[s].token
	:: m.up[s].token &&
	   !(m.pending && m.up[s].owned && slot == SLOTS &&
	     m.up[s].key == m.key) ->
#ifndef WITHOUT_UNCLAIMED
		dropped[s] = 1
#endif
	:: else
	fi
}

inline recover()
{
	check_named();
	check_acknowledged();
	copy(m, disk);
	attempt_ends();
	slot = SLOTS; token = 0;
	dropped[0] = 0; dropped[1] = 0; removed[0] = 0; removed[1] = 0;
	there = m.pending; owned = m.pending;
	if
	:: m.pending ->
		key = m.key; gen = m.gen; base = m.base; unlinked = 0
	:: else ->
		key = store[1].ver != 0; gen = acked; base = store[key].ver
	fi;
	take_up(0);
	take_up(1)
}

inline power_cut()
{
	x = 0;
	do
	:: x < nf -> copy(disk, fr[x]); x++
	:: break
	od;
	x = 0
}

#define can_crash (crashes < CRASHES)

proctype world()
{
end:	do
	:: d_step { nf > 0 -> printf("C8: flush\n"); flush() }
	:: d_step { late.kind -> printf("late:\n"); arrive_late() }
	:: d_step { late.kind -> clear_late() }
	:: d_step { can_crash ->
		printf("killed\n");
		crashes++; flush(); recover() }
	:: atomic { can_crash && nf > 0 ->
		printf("power cut\n");
		crashes++; power_cut(); forget_frames(); recover() }
	od
}

/* When nothing more can happen, everything is stored and nothing is left. */
proctype judge()
{
	timeout;
	assert(at == IDLE && !there && !m.pending);
	assert(!m.up[0].token && !m.up[1].token);
	assert(unlinked || !acked || store[key].gen == acked);
	assert(!acked || !store[1 - key].ver);
	assert(!unlinked || (!store[0].ver && !store[1].ver));
	check_named()
}

init
{
	atomic {
		run program(); run publisher(); run remover(); run world();
		run judge()
	}
}
