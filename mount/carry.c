// SPDX-License-Identifier: MIT
/*
 * See carry.h.  Called by relocation.c, from several threads; calls the
 * store.  No locks.
 *
 * The order for each: look or copy, verify what stands there, and in a later
 * pass: look again, remove the very version that was copied.
 */
#include "config.h"

#include "mount/carry_internal.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"
#include "src/key.h"

/* What fails for a passing reason, or was changed, is tried so often. */
enum { TRIES = 5 };
#define PAUSE_NS (100 * NS_PER_MS)

int cargo_init(struct cargo *cargo, struct carry *carry, const char *name,
	       struct store_error *error)
{
	int code;

	*cargo = (struct cargo){ .carry = carry };
	code = key_join_into(carry->from, name, cargo->from,
			     sizeof(cargo->from), error);
	if (!code)
		code = key_join_into(carry->to, name, cargo->to,
				     sizeof(cargo->to), error);
	store_context_init(&cargo->context, carry->fs->options->op_timeout_ns,
			   carry->cancel);
	return code;
}

static void cargo_begin_try(struct cargo *cargo)
{
	store_context_init(&cargo->context,
			   cargo->carry->fs->options->op_timeout_ns,
			   cargo->carry->cancel);
}

/* ---- recognising copies ---- */

static void name_copy(const struct carry *carry,
		      const struct store_version *version,
		      uint8_t publish[STORE_PUBLISH_SIZE])
{
	uint64_t id = htole64(carry->id);
	uint64_t digest =
		htole64(checksum64(version->token, strlen(version->token)));

	memcpy(publish, &id, sizeof(id));
	memcpy(publish + sizeof(id), &digest, sizeof(digest));
}

static enum carry_target judge(const struct carry *carry,
			       const struct store_details *details,
			       const struct store_version *source)
{
	uint8_t publish[STORE_PUBLISH_SIZE];

	name_copy(carry, source, publish);
	if (!details->has_publish ||
	    memcmp(details->publish, publish, sizeof(uint64_t)) != 0)
		return CARRY_FOREIGN;
	return memcmp(details->publish, publish, sizeof(publish)) == 0
		       ? CARRY_SAME
		       : CARRY_OLDER;
}

/* Where a copy should stand, which is a file. */
static int look(const struct carry *carry, struct store_context *context,
		const char *key, const struct store_version *source,
		enum carry_target *target, struct store_info *info,
		struct store_error *error)
{
	struct store_details details;
	int code = store_stat_listed_details(carry->fs->store, context, key,
					     STORE_TYPE_FILE, info, &details,
					     error);

	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		*target = CARRY_ABSENT;
		return STORE_OK;
	}
	if (code)
		return code;
	*target = judge(carry, &details, source);
	store_details_release(&details);
	return STORE_OK;
}

int carry_look(const struct carry *carry, const char *key,
	       const struct store_version *source, enum carry_target *target,
	       struct store_info *info, struct store_error *error)
{
	struct store_context context;

	store_context_init(&context, carry->fs->options->op_timeout_ns,
			   carry->cancel);
	return look(carry, &context, key, source, target, info, error);
}

/* Nodes without bytes: the same, or not? */
static bool nodes_are_same(const struct store_info *a,
			   const struct store_details *a_details,
			   const struct store_info *b,
			   const struct store_details *b_details)
{
	if (a->type != b->type || a->rdev != b->rdev)
		return false;
	if (a->type != STORE_TYPE_SYMLINK)
		return true;
	return a_details->target && b_details->target &&
	       strcmp(a_details->target, b_details->target) == 0;
}

static int look_at_node(struct cargo *cargo, const struct store_info *source,
			const struct store_details *details,
			struct store_error *error)
{
	struct store_details found;
	int code = store_stat_details(cargo->carry->fs->store, &cargo->context,
				      cargo->to, &cargo->found, &found, error);

	cargo->target = CARRY_ABSENT;
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (code)
		return code;
	cargo->target = nodes_are_same(source, details, &cargo->found, &found)
				? CARRY_SAME
				: CARRY_FOREIGN;
	store_details_release(&found);
	return STORE_OK;
}

int carry_has_arrived(struct carry *carry, bool *arrived,
		      struct store_error *error)
{
	static const struct store_version any = { .weak = false };
	struct store_details details;
	struct store_info info;
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, "", error);

	if (!code)
		code = look(carry, &cargo.context, cargo.to, &any,
			    &cargo.target, &cargo.found, error);
	if (code)
		return code;
	*arrived = cargo.target == CARRY_SAME || cargo.target == CARRY_OLDER;
	if (*arrived ||
	    (cargo.target == CARRY_ABSENT && !(carry->over && carry->recovers)))
		return STORE_OK;
	code = store_stat_details(carry->fs->store, &cargo.context, cargo.from,
				  &info, &details, error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (code)
		return code;
	if (info.type != STORE_TYPE_FILE)
		code = look_at_node(&cargo, &info, &details, error);
	*arrived = !code && info.type != STORE_TYPE_FILE &&
		   (cargo.target == CARRY_SAME ||
		    (cargo.target == CARRY_ABSENT && carry->recovers));
	store_details_release(&details);
	return code;
}

/* May what stands at the target be replaced? */
static bool may_replace(const struct cargo *cargo)
{
	const struct carry *carry = cargo->carry;

	if (cargo->clears)
		return false;
	if (cargo->target == CARRY_FOREIGN)
		return carry->over && store_version_equal(&cargo->found.version,
							  &carry->replaced);
	return cargo->target == CARRY_OLDER;
}

int cargo_in_the_way(const struct cargo *cargo, struct store_error *error)
{
	return store_error_set(
		error, cargo->carry->over ? STORE_CHANGED : STORE_NOT_EMPTY,
		"%s: somebody else has put something there", cargo->to);
}

/* ---- copying files ---- */

static int copy_file(struct cargo *cargo, struct store_error *error)
{
	struct carry *carry = cargo->carry;
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct store_copy_options options = {
		.source = cargo->version.token[0] ? &cargo->version : NULL,
		.target.condition = STORE_IF_ABSENT,
		.publish = publish,
		/* A listing may show them as files. */
		.symlinks = true,
		.seen = carry->seen && cargo->told,
	};
	int code;

	if (cargo->looked && cargo->target != CARRY_ABSENT) {
		if (!may_replace(cargo))
			return cargo_in_the_way(cargo, error);
		options.target.condition = STORE_IF_VERSION;
		options.target.version = cargo->found.version;
	}
	name_copy(carry, &cargo->version, publish);
	STEP("copies: before copy");
	code = store_copy_version(carry->fs->store, &cargo->context,
				  cargo->from, cargo->to, &options,
				  &cargo->found, error);
	STEP("copies: copy");
	/* What is there by now? */
	return code == STORE_EXISTS ? STORE_CHANGED : code;
}

/* What was told to be stored must be seen to be. */
static int verify_file(struct cargo *cargo, struct store_error *error)
{
	struct store_version copied = cargo->found.version;
	uint64_t size = cargo->found.size;
	struct store_error ignored = STORE_ERROR_INIT;
	int code = look(cargo->carry, &cargo->context, cargo->to,
			&cargo->version, &cargo->target, &cargo->found, error);

	if (code)
		return code;
	if (cargo->target == CARRY_SAME && cargo->found.size == size)
		return STORE_OK;
	if (cargo->target != CARRY_FOREIGN ||
	    !store_version_equal(&cargo->found.version, &copied))
		return store_error_set(error, STORE_CHANGED,
				       "%s: is not what was copied", cargo->to);
	/* Ours, without its id: nobody would know it again. */
	if (store_delete_version(cargo->carry->fs->store, &cargo->context,
				 cargo->to, &copied, &ignored))
		log_warn("%s: a copy stays: %s", cargo->to, ignored.message);
	code = store_error_set(error, STORE_NOT_SUPPORTED,
			       "%s: the store keeps no id of a copy",
			       cargo->to);
	error->detail = EXDEV;
	return code;
}

static int find_source(struct cargo *cargo, struct store_error *error)
{
	struct store_info info;
	int code = store_stat(cargo->carry->fs->store, &cargo->context,
			      cargo->from, &info, error);

	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		cargo->gone = true;
		return STORE_OK;
	}
	if (!code && info.type != cargo->type &&
	    !(cargo->type == STORE_TYPE_FILE &&
	      info.type == STORE_TYPE_SYMLINK))
		code = store_error_set(error, STORE_CHANGED,
				       "%s: is something else by now",
				       cargo->from);
	if (!code)
		cargo->version = info.version;
	return code;
}

/* Have a copy of the present version at the target. */
static int ensure_file(struct cargo *cargo, struct store_error *error)
{
	int code = STORE_OK;

	if (!cargo->version.token[0])
		code = find_source(cargo, error);
	if (!code && !cargo->gone && cargo->looked && !cargo->told)
		code = look(cargo->carry, &cargo->context, cargo->to,
			    &cargo->version, &cargo->target, &cargo->found,
			    error);
	if (code || cargo->gone ||
	    (cargo->looked && cargo->target == CARRY_SAME))
		return code;
	code = copy_file(cargo, error);
	if (code == STORE_NOT_FOUND) {
		/* The source, or what was to be replaced. */
		cargo->version.token[0] = '\0';
		return STORE_CHANGED;
	}
	return code ? code : verify_file(cargo, error);
}

/* ---- nodes without bytes ---- */

static int put_node(struct cargo *cargo, const struct store_info *info,
		    const struct store_details *details,
		    struct store_error *error)
{
	struct store_node node = {
		.type = info->type,
		.target = details->target,
		.rdev = info->rdev,
		.attributes = &info->attributes,
	};

	return store_make_node(cargo->carry->fs->store, &cargo->context,
			       cargo->to, &node, &cargo->found, error);
}

static void put_back(struct cargo *cargo, const struct store_info *info,
		     const struct store_details *details)
{
	struct store_error error = STORE_ERROR_INIT;
	int code = put_node(cargo, info, details, &error);

	if (!code)
		cargo->carry->replaced = cargo->found.version;
	/* Else the new one has come, whose answer was lost. */
	else if (code != STORE_EXISTS)
		log_warn("%s: was to be replaced, and cannot be put back: %s",
			 cargo->to, error.message);
}

/* It goes before the new one comes: the old name has what replaces it. */
static int replace_node(struct cargo *cargo, const struct store_info *info,
			const struct store_details *details,
			struct store_error *error)
{
	struct store *store = cargo->carry->fs->store;
	struct store_details old;
	struct store_info seen;
	int code = store_stat_details(store, &cargo->context, cargo->to, &seen,
				      &old, error);

	if (code)
		return code == STORE_NOT_FOUND ? STORE_CHANGED : code;
	code = store_delete_version(store, &cargo->context, cargo->to,
				    &cargo->found.version, error);
	if (!code) {
		code = put_node(cargo, info, details, error);
		if (code)
			put_back(cargo, &seen, &old);
	}
	store_details_release(&old);
	return code;
}

static int make_node(struct cargo *cargo, const struct store_info *info,
		     const struct store_details *details,
		     struct store_error *error)
{
	int code;

	if (cargo->target != CARRY_ABSENT && !may_replace(cargo))
		return cargo_in_the_way(cargo, error);
	STEP("copies: before copy");
	code = cargo->target == CARRY_ABSENT
		       ? put_node(cargo, info, details, error)
		       : replace_node(cargo, info, details, error);
	STEP("copies: copy");
	return code == STORE_EXISTS ? STORE_CHANGED : code;
}

static int ensure_node(struct cargo *cargo, struct store_error *error)
{
	struct store_details details;
	struct store_info info;
	int code = store_stat_details(cargo->carry->fs->store, &cargo->context,
				      cargo->from, &info, &details, error);

	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		cargo->gone = true;
		return STORE_OK;
	}
	if (code)
		return code;
	cargo->version = info.version;
	code = look_at_node(cargo, &info, &details, error);
	if (!code && cargo->target != CARRY_SAME)
		code = make_node(cargo, &info, &details, error);
	if (!code && cargo->target != CARRY_SAME)
		code = look_at_node(cargo, &info, &details, error);
	if (!code && cargo->target != CARRY_SAME)
		code = store_error_set(error, STORE_CHANGED,
				       "%s: is not what was made", cargo->to);
	store_details_release(&details);
	return code;
}

/* ---- trying ---- */

static int ensure(struct cargo *cargo, struct store_error *error)
{
	return cargo->type == STORE_TYPE_FILE ? ensure_file(cargo, error)
					      : ensure_node(cargo, error);
}

int cargo_try(struct cargo *cargo, cargo_fn *fn, struct store_error *error)
{
	int64_t pause = PAUSE_NS;

	for (int left = TRIES;; pause *= 2) {
		int code = fn(cargo, error);

		if (code == STORE_CHANGED && error->code != code)
			store_error_set(error, code, "%s: changed meanwhile",
					cargo->from);
		if (!code || !--left ||
		    (code != STORE_CHANGED && !store_code_retryable(code)))
			return code;
		cargo_begin_try(cargo);
		if (store_code_retryable(code) &&
		    store_context_sleep(&cargo->context, pause, error))
			return error->code;
		store_error_clear(error);
		cargo->version.token[0] = '\0';
		cargo->looked = true;
		cargo->told = false;
	}
}

int carry_copy(struct carry *carry, const char *name,
	       const struct store_info *info, struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, name, error);

	cargo.type = info->type;
	cargo.version = info->version;
	cargo.looked = carry->over;
	cargo.told = carry->seen || carry->replaced.token[0];
	cargo.target = carry->over ? CARRY_FOREIGN : CARRY_ABSENT;
	cargo.found.version = carry->replaced;
	/* Its names would no longer be one file. */
	if (!code && info->type == STORE_TYPE_FILE && info->links > 1) {
		code = store_error_set(error, STORE_NOT_SUPPORTED,
				       "%s: has several names", cargo.from);
		error->detail = EXDEV;
	}
	if (!code)
		code = cargo_try(&cargo, ensure, error);
	if (code || *name)
		return code;
	if (cargo.gone)
		return store_error_set(error, STORE_NOT_FOUND,
				       "%s: removed meanwhile", cargo.from);
	if (cargo.type == STORE_TYPE_FILE)
		carry->copied = cargo.version;
	return STORE_OK;
}

/* ---- removing ---- */

static int remove_version(struct cargo *cargo, const char *key,
			  const struct store_version *version,
			  struct store_error *error)
{
	struct store *store = cargo->carry->fs->store;
	int code;

	STEP("copies: before remove");
	if (version->token[0])
		code = store_delete_version(store, &cargo->context, key,
					    version, error);
	else
		code = store_delete(store, &cargo->context, key, true, error);
	STEP("copies: remove");
	if (code != STORE_NOT_FOUND)
		return code;
	store_error_clear(error);
	return STORE_OK;
}

/*
 * The old name may be in use again, when the end of the rename was not noted:
 * another version is no reason to replace the copy.
 */
static int remove_source(struct cargo *cargo, struct store_error *error)
{
	int code = ensure(cargo, error);

	if (code || cargo->gone)
		return code;
	return remove_version(cargo, cargo->from, &cargo->version, error);
}

int carry_remove(struct carry *carry, const char *name,
		 const struct store_info *info, struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, name, error);

	if (code)
		return code;
	cargo.type = info->type;
	cargo.version = info->version;
	cargo.looked = cargo.clears = true;
	code = cargo_try(&cargo, remove_source, error);
	if (code != STORE_CHANGED && code != STORE_NOT_EMPTY)
		return code;
	log_warn("%s: not what was renamed to %s; both stay", cargo.from,
		 cargo.to);
	atomic_fetch_add(&carry->left, 1);
	store_error_clear(error);
	return STORE_OK;
}

int carry_remove_copied(struct carry *carry, struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, "", error);

	return code ? code
		    : remove_version(&cargo, cargo.from, &carry->copied, error);
}

static int undo(struct cargo *cargo, struct store_error *error)
{
	static const struct store_version any = { .weak = false };
	struct store_details details;
	struct store_info info;
	int code;

	if (cargo->type == STORE_TYPE_FILE) {
		code = look(cargo->carry, &cargo->context, cargo->to, &any,
			    &cargo->target, &cargo->found, error);
	} else {
		code = store_stat_details(cargo->carry->fs->store,
					  &cargo->context, cargo->from, &info,
					  &details, error);
		if (code)
			return code;
		code = look_at_node(cargo, &info, &details, error);
		store_details_release(&details);
	}
	if (code || cargo->target == CARRY_ABSENT)
		return code;
	if (cargo->target == CARRY_FOREIGN) {
		log_warn("%s: is not a copy of %s; it stays", cargo->to,
			 cargo->from);
		atomic_fetch_add(&cargo->carry->left, 1);
		return STORE_OK;
	}
	return remove_version(cargo, cargo->to, &cargo->found.version, error);
}

int carry_undo(struct carry *carry, const char *name,
	       const struct store_info *info, struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, name, error);

	cargo.type = info->type;
	if (!code)
		code = cargo_try(&cargo, undo, error);
	/* Its source is gone, or somebody changes it all the time. */
	if (code != STORE_NOT_FOUND && code != STORE_CHANGED)
		return code;
	log_warn("%s: a copy stays", cargo.to);
	atomic_fetch_add(&carry->left, 1);
	store_error_clear(error);
	return STORE_OK;
}

static int drop_folder(struct cargo *cargo, struct store_error *error)
{
	struct store_delete_folder_options options = { .missing_ok = true };
	int code;

	STEP("copies: before remove");
	code = store_delete_folder(cargo->carry->fs->store, &cargo->context,
				   cargo->from, &options, error);
	STEP("copies: remove");
	return code;
}

int carry_drop_folder(struct carry *carry, const char *key,
		      struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, "", error);

	snprintf(cargo.from, sizeof(cargo.from), "%s", key);
	if (!code)
		code = cargo_try(&cargo, drop_folder, error);
	if (code != STORE_NOT_EMPTY)
		return code;
	atomic_store(&carry->filled, true);
	store_error_clear(error);
	return STORE_OK;
}
