/* SPDX-License-Identifier: MIT */
/* The state of the model, see commit.pml, and what is asked of it. */

#define A 0
#define T 1
#define B 2

/* Contents: the generations count from FIRST. */
#define NONE 0
#define INIT 1
#define FIRST 2
#define OTHERS 7

#define BIT(g) (1 << (g))
#define IN(g, set) (((set) >> (g)) & 1)

/* ---- what the journal says ---- */

#define FREE 0
#define CLEAN 1 /* open, nothing to publish; in memory only */
#define PENDING 2
#define FAILED 3

typedef record {
	unsigned st : 2;
	unsigned key : 2;
	unsigned gen : 3;
	unsigned base : 5; /* version; NONE: absent */
	byte mask;	   /* layers */
	byte ids;	   /* generations that may have reached the store */
	bit goes;	   /* the base may be gone, by us */
	bit over;	   /* unwritten bytes are those of the base */
	byte ok;	   /* ghost: contents the layers may be laid over */
};

typedef table {
	record r[2];
	bit moving;
	unsigned from : 2;
	unsigned to : 2;
	unsigned from_ver : 5;
	unsigned to_ver : 5;
	unsigned from_is : 3; /* by id, or by size and time */
	bit removing;
	bit removed; /* which file */
	byte known;  /* layers */
};

#define FILE 1
#define DONE 2
#define MOVING 3
#define MOVED 4
#define REMOVING 5

/*
 * One frame.  Of MOVING `r` has the key, version and content of `from`; of
 * all kinds it has a key.
 */
typedef frame {
	unsigned kind : 3;
	bit f;
	bit with; /* MOVED: FILE of `f` is in the frame, too */
	bit done; /* and so is DONE of the other file */
	record r;
	unsigned to : 2;
	unsigned to_ver : 5;
};

table disk;		/* the flushed frames, replayed */
frame fr[(FRAMES + 2)]; /* appended, in the page cache only */
unsigned nf : 3;
#define room (nf < FRAMES)
unsigned rewrites : 2;

/* ---- data files, a bit per layer ---- */

byte named;	 /* there is a name */
byte named_disk; /* as the disk has it */
byte bytes_disk; /* bytes are flushed */
byte bytes_lost; /* by a power cut */
byte spoilt;	 /* has bytes nobody has committed */
byte stored;	 /* ghost: not needed any more, as the disk knows */

/* ---- the store ---- */

typedef object {
	unsigned ver : 5;
	unsigned is : 3; /* content */
	unsigned id : 3; /* publish id, by its generation */
	bit intact;	 /* size and time are those of the put */
};
object store[NAMES];
unsigned last_ver : 5 = 1;
#ifdef LOCAL_STORE
object synced[NAMES];
#endif

/* A put on its way, one whose sender has given up, and the answer. */
typedef put {
	bit under_way;
	unsigned key : 2;
	unsigned gen : 3;
	unsigned cond : 5;
};
put wire;
put late;
#define STORED 1
#define REFUSED 2
unsigned answer : 2;
unsigned answer_ver : 5;

/* ---- the mount's memory ---- */

#define DOWN 0
#define RECOVERING 1
#define UP 2
unsigned phase : 2 = UP;
bit end_program, end_publisher;
table m;
bit durable[2]; /* the last record of the file */
byte doomed;	/* layers nobody needs once the journal is flushed */
byte settled;	/* layers nobody needs */
bit gate;	/* a name is being changed */
bit names_told; /* changes of names, in frames that are not flushed */
bit held;	/* the program has this file open: */
bit held_f;
bit busy; /* an attempt to publish runs: */
bit at_f;
unsigned at_key : 2;
unsigned at_gen : 3;
byte at_mask;

/* ---- the call of the program ---- */

unsigned k : 2;	   /* name */
unsigned j : 2;	   /* new name */
bit f;		   /* file */
bit pending;	   /* there is a file at `k` that is staged */
bit over_pending;  /* and one at `j`, which is replaced */
bit told;	   /* N1 was done */
bit refused;
unsigned g : 3; /* the generation that is written */
unsigned from_ver : 5;
unsigned to_ver : 5;
unsigned from_is : 3;

/* ---- what must hold ---- */

/*
 * What a program may find under its names after a crash: the result of all
 * calls up to the last that is durable, or up to any after it.  Three bits
 * for the content of each name.
 */
#define OF(names, k) (((names) >> (3 * (k))) & 7)
#define WITH(names, k, is) ((names) + (((is) - OF(names, k)) << (3 * (k))))
short hist[(OPS + 2)];
unsigned hn : 4 = 1;
bit calling; /* the last of them is not done */
#define cur hist[hn - 1]

unsigned ops : 4;
unsigned next : 4 = FIRST;
unsigned crashes : 2;
unsigned lost : 2;
unsigned others : 2;
unsigned replaced : 3; /* what the other client has replaced */
bit others_seen;       /* the program has opened or replaced that */

#define at(k, i) (m.r[i].st != FREE && m.r[i].key == (k))
#define has(k) (at(k, 0) || at(k, 1))
#define slot(k) (!at(k, 0))
#define staged(k) (has(k) && m.r[slot(k)].st != CLEAN)
#define failed(k) (has(k) && m.r[slot(k)].st == FAILED)
#define layers_named (m.r[0].mask | m.r[1].mask)

#define is_now(k) (store[k].is == OTHERS -> replaced : store[k].is)
#define shown_at(k) (staged(k) * m.r[slot(k)].gen + !staged(k) * is_now(k))
/* Where the other client has made a name, there may be a conflict. */
#define fits(k, names) (shown_at(k) == OF(names, k) || \
	store[k].is == OTHERS && replaced == NONE && OF(names, k) == NONE)

#if NAMES == 3
#define shown (shown_at(A) + 8 * shown_at(T) + 64 * shown_at(B))
#define all_fit(names) (fits(A, names) && fits(T, names) && fits(B, names))
#else
#define shown (shown_at(A) + 8 * shown_at(T))
#define all_fit(names) (fits(A, names) && fits(T, names))
#endif

/* A version with one of our ids; a later change in place shows. */
#ifdef WITHOUT_ID
#define ours(k, set) false
#else
#ifdef WITHOUT_STAMP
#define ours(k, set) (store[k].id && IN(store[k].id, set))
#else
#define ours(k, set) (store[k].id && store[k].intact && IN(store[k].id, set))
#endif
#endif
/* What is under the key is the base of the file, or was put by it. */
#define mine(k, file) (store[k].ver == m.r[file].base || \
		       ours(k, m.r[file].ids))

hidden byte n, i; /* scratch, within a step */
byte x;		  /* the same, where there is a choice */

inline history_from(first)
{
	n = 0;
	do
	:: (first) + n < hn -> hist[n] = hist[(first) + n]; n++
	:: else -> break
	od;
	do
	:: hn > n -> hn--; hist[hn] = 0
	:: else -> break
	od;
	n = 0
}

inline call(result) { hist[hn] = result; hn++; calling = 1 }
inline returns() { calling = 0; history_from(hn - 1) }
inline returns_undurably() { calling = 0 }
inline fails() { calling = 0; hn--; hist[hn] = 0 }

/* The names show what some prefix of the calls left; from now on at least. */
inline check_history()
{
	n = 0;
	do
	:: n < hn && !all_fit(hist[n]) -> n++
	:: else -> break
	od;
	assert(n < hn);
	calling = 0;
	hist[0] = shown;
	do
	:: hn > 1 -> hn--; hist[hn] = 0
	:: else -> break
	od;
	n = 0
}
