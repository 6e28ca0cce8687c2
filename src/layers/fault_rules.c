// SPDX-License-Identifier: MIT
/*
 * Parsing and applying the fault file: see fault_rules.h.  Called by the
 * fault layer, under its lock; no I/O.
 */
#include "config.h"

#include "src/layers/fault_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/text.h"
#include "src/glob.h"
#include "src/option.h"

/* A position in the text, for messages. */
struct place {
	const char *path;
	int line;
};

#define OP_BIT(op) (UINT64_C(1) << (op))

static const struct {
	const char *name;
	uint64_t ops;
	bool changes; /* its answer can get lost */
} fault_ops[] = {
	{ "stat", OP_BIT(LAYER_STAT), false },
	{ "list", OP_BIT(LAYER_LIST) | OP_BIT(LAYER_GLOB), false },
	{ "open", OP_BIT(LAYER_OPEN_READER), false },
	{ "read", OP_BIT(LAYER_READ), false },
	{ "put", OP_BIT(LAYER_PUT) | OP_BIT(LAYER_UPLOAD_COMMIT), true },
	{ "make",
	  OP_BIT(LAYER_MAKE_DIR) | OP_BIT(LAYER_MAKE_NODE) | OP_BIT(LAYER_LINK),
	  true },
	{ "remove",
	  OP_BIT(LAYER_REMOVE) | OP_BIT(LAYER_REMOVE_MANY) |
		  OP_BIT(LAYER_REMOVE_DIR) | OP_BIT(LAYER_REMOVE_TREE),
	  true },
	{ "move", OP_BIT(LAYER_MOVE), true },
	{ "copy", OP_BIT(LAYER_COPY), true },
	{ "set",
	  OP_BIT(LAYER_SET_ATTRIBUTES) | OP_BIT(LAYER_SET_XATTR) |
		  OP_BIT(LAYER_REMOVE_XATTR),
	  true },
	/* Opening the store is not a call: there must be something to test. */
	{ "any", ~OP_BIT(LAYER_OPEN), false },
};

static int fault_error(const struct place *place, struct store_error *error,
		       const char *what, const char *word)
{
	struct text_shown shown;

	return store_error_set(error, STORE_INVALID, "%s:%d: %s '%s'",
			       place->path, place->line, what,
			       text_show(&shown, word));
}

/* "put" or "put-after". */
static int parse_op(struct fault_rule *rule, const char *word,
		    const struct place *place, struct store_error *error)
{
	for (size_t i = 0; i < sizeof(fault_ops) / sizeof(fault_ops[0]); i++) {
		size_t length = strlen(fault_ops[i].name);

		if (strncmp(word, fault_ops[i].name, length) != 0)
			continue;
		rule->when_done = strcmp(word + length, "-after") == 0;
		if (word[length] && !rule->when_done)
			continue;
		rule->ops = fault_ops[i].ops;
		rule->can_be_lost = rule->when_done && fault_ops[i].changes;
		return STORE_OK;
	}
	return fault_error(place, error, "unknown operation", word);
}

/* The text behind "name=", NULL when the word is another one. */
static const char *value_of(const char *word, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return NULL;
	return word + length + 1;
}

static int parse_duration(struct fault_rule *rule, enum fault_action action,
			  const char *value, const struct place *place,
			  struct store_error *error)
{
	rule->action = action;
	if (option_parse_duration(value, &rule->ns, NULL))
		return fault_error(place, error, "not a duration:", value);
	return STORE_OK;
}

static int parse_action(struct fault_rule *rule, const char *word,
			const struct place *place, struct store_error *error)
{
	const char *value = value_of(word, "stall");

	if (strcmp(word, "die") == 0) {
		rule->action = FAULT_DIE;
		return STORE_OK;
	}
	if (value)
		return parse_duration(rule, FAULT_STALL, value, place, error);
	value = value_of(word, "delay");
	if (value)
		return parse_duration(rule, FAULT_DELAY, value, place, error);
	value = value_of(word, "error");
	if (!value)
		return fault_error(place, error, "unknown action", word);
	rule->action = FAULT_ERROR;
	for (int code = -1; code >= STORE_INTERNAL; code--) {
		if (strcmp(value, store_code_name(code)) != 0)
			continue;
		rule->code = code;
		return STORE_OK;
	}
	return fault_error(place, error, "unknown error", value);
}

static bool parse_count(const char *value, uint64_t *count)
{
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	*count = strtoull(value, &end, 10);
	return errno == 0 && !*end;
}

static int parse_limit(struct fault_rule *rule, const char *word,
		       const struct place *place, struct store_error *error)
{
	const char *value = value_of(word, "after");

	if (value && parse_count(value, &rule->skip))
		return STORE_OK;
	value = value_of(word, "times");
	if (value && parse_count(value, &rule->left))
		return STORE_OK;
	value = value_of(word, "key");
	if (!value || rule->key || glob_check(value, NULL))
		return fault_error(place, error, "cannot use", word);
	rule->key = strdup(value);
	if (!rule->key)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	return STORE_OK;
}

static int parse_rule(struct fault_rule *rule, char *line,
		      const struct place *place, struct store_error *error)
{
	char *save = NULL;
	char *word = strtok_r(line, " \t\r", &save);
	const char *action;
	int code = parse_op(rule, word, place, error);

	if (code)
		return code;
	word = strtok_r(NULL, " \t\r", &save);
	action = word ? word : "";
	code = parse_action(rule, action, place, error);
	while (!code) {
		word = strtok_r(NULL, " \t\r", &save);
		if (!word)
			break;
		code = parse_limit(rule, word, place, error);
	}
	if (!code && rule->when_done && rule->action != FAULT_DIE &&
	    !(rule->action == FAULT_ERROR && rule->can_be_lost))
		return fault_error(place, error, "not behind a call:", action);
	return code;
}

static uint64_t capability_of(const char *word)
{
	for (int bit = 0; bit < 64; bit++) {
		const char *name = store_capability_name(UINT64_C(1) << bit);

		if (name && strcmp(name, word) == 0)
			return UINT64_C(1) << bit;
	}
	return 0;
}

/* False: the line is a rule. */
static bool parse_without(struct fault_rules *rules, char *line,
			  const struct place *place, int *code,
			  struct store_error *error)
{
	static const char head[] = "without";
	size_t length = sizeof(head) - 1;
	char *save = NULL, *word;

	if (strncmp(line, head, length) != 0 ||
	    (line[length] && !strchr(" \t\r", line[length])))
		return false;
	word = strtok_r(line + length, " \t\r", &save);
	*code = word ? STORE_OK
		     : fault_error(place, error, "names no capability:", head);
	for (; word && !*code; word = strtok_r(NULL, " \t\r", &save)) {
		uint64_t bit = capability_of(word);

		rules->without |= bit;
		if (!bit)
			*code = fault_error(place, error, "unknown capability",
					    word);
	}
	return true;
}

static int rules_add(struct fault_rules *rules, char *line,
		     const struct place *place, struct store_error *error)
{
	struct fault_rule *grown =
		realloc(rules->rules, (rules->count + 1) * sizeof(*grown));
	struct fault_rule *rule;

	if (!grown)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	rules->rules = grown;
	rule = &grown[rules->count++];
	*rule = (struct fault_rule){
		.line = place->line,
		.left = UINT64_MAX,
	};
	return parse_rule(rule, line, place, error);
}

int fault_rules_parse(const char *text, const char *path,
		      struct fault_rules *rules, struct store_error *error)
{
	CLEANUP_FREE char *copy = strdup(text);
	struct fault_rules parsed = { .count = 0 };
	struct place place = { path, 0 };
	char *next = copy;
	int code = STORE_OK;

	if (!copy)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	while (!code && next) {
		char *line = next;

		place.line++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line += strspn(line, " \t\r");
		if (*line && *line != '#' &&
		    !parse_without(&parsed, line, &place, &code, error))
			code = rules_add(&parsed, line, &place, error);
	}
	if (code) {
		fault_rules_release(&parsed);
		return code;
	}
	*rules = parsed;
	return STORE_OK;
}

void fault_rules_release(struct fault_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		free(rules->rules[i].key);
	free(rules->rules);
	*rules = (struct fault_rules){ .count = 0 };
}

static bool rule_matches(const struct fault_rule *rule,
			 const struct layer_call *call,
			 enum fault_moment moment)
{
	if (!(rule->ops & OP_BIT(call->op)) ||
	    rule->when_done != (moment != FAULT_BEFORE))
		return false;
	/* There is no answer to lose. */
	if (moment == FAULT_FAILED && rule->action == FAULT_ERROR)
		return false;
	if (!rule->key || glob_match(rule->key, call->key))
		return true;
	return call->to && glob_match(rule->key, call->to);
}

/* Count a matching call; does the rule hit it? */
static bool rule_hits(struct fault_rule *rule)
{
	if (rule->skip) {
		rule->skip--;
		return false;
	}
	if (!rule->left)
		return false;
	if (rule->left != UINT64_MAX)
		rule->left--;
	return true;
}

struct fault_verdict fault_rules_judge(struct fault_rules *rules,
				       const struct layer_call *call,
				       enum fault_moment moment)
{
	struct fault_verdict verdict = { .code = STORE_OK };

	for (size_t i = 0; i < rules->count && !verdict.code; i++) {
		struct fault_rule *rule = &rules->rules[i];

		if (!rule_matches(rule, call, moment) || !rule_hits(rule))
			continue;
		if (rule->action == FAULT_STALL) {
			verdict.stall_ns += rule->ns;
		} else if (rule->action == FAULT_DELAY) {
			verdict.delay_ns += rule->ns;
		} else if (rule->action == FAULT_DIE) {
			verdict.die = true;
		} else {
			verdict.code = rule->code;
			verdict.line = rule->line;
		}
	}
	return verdict;
}
