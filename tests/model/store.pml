/* SPDX-License-Identifier: MIT */
/* The store and the way there, see commit.pml. */

inline set_object(name, version, content, by, whole)
{
	store[name].ver = version; store[name].is = content;
	store[name].id = by; store[name].intact = whole
}

#ifdef LOCAL_STORE
inline copy_object(d, s)
{
	d.ver = s.ver; d.is = s.is; d.id = s.id; d.intact = s.intact
}

inline sync_store()
{
	copy_object(synced[A], store[A]);
	copy_object(synced[T], store[T]);
#if NAMES == 3
	copy_object(synced[B], store[B])
#endif
}

inline unsync_store()
{
	copy_object(store[A], synced[A]);
	copy_object(store[T], synced[T]);
#if NAMES == 3
	copy_object(store[B], synced[B])
#endif
}
#else
inline sync_store() { skip }
#endif

inline clear_put(it) { it.under_way = 0; it.key = 0; it.gen = 0; it.cond = 0 }

/*
 * Not modelled: a put that must find nothing arrives late under a name that
 * was removed or moved meanwhile.
 */
inline no_late_create(name)
{
	if
	:: late.under_way && late.key == name && late.cond == NONE ->
		clear_put(late)
	:: else
	fi
}

inline store_remove(name)
{
	no_late_create(name);
	set_object(name, 0, 0, 0, 0)
}

inline store_move(name, dest)
{
	no_late_create(name);
#ifdef MOVE_KEEPS
	set_object(dest, store[name].ver, store[name].is, store[name].id,
		   store[name].intact);
#else
	last_ver++;
	set_object(dest, last_ver, store[name].is, store[name].id,
		   store[name].intact);
#endif
	set_object(name, 0, 0, 0, 0)
}

/* Leaves in `n` what the store answers. */
inline store_put(it)
{
	if
	:: store[it.key].ver == it.cond ->
		assert(store[it.key].is != OTHERS || others_seen);
		last_ver++;
		set_object(it.key, last_ver, it.gen, it.gen, 1);
		sync_store();
		printf("store: generation %d is version %d of name %d\n",
		       it.gen, last_ver, it.key);
		n = STORED
	:: else ->
		printf("store: generation %d refused\n", it.gen);
		n = REFUSED
	fi;
	clear_put(it)
}

/* What is on its way when nobody waits for it any more. */
inline strand()
{
	if
	:: wire.under_way && !late.under_way ->
		late.under_way = 1; late.key = wire.key; late.gen = wire.gen;
		late.cond = wire.cond
	:: else
	fi;
	clear_put(wire)
}

/* In place: what marks the version stays. */
inline other_changes(name)
{
	printf("other client: name %d\n", name);
	others++;
	replaced = store[name].is;
	last_ver++;
	set_object(name, last_ver, OTHERS, store[name].id, 0);
	sync_store()
}
