// SPDX-License-Identifier: MIT
/* Expat, bounded: see xml.h.  Called by stores that speak XML.  No locks. */
#include "config.h"

#include "src/base/xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"

enum { DEPTH_MAX = 32, PATH_LENGTH_MAX = 512, TEXT_LENGTH_MAX = 16384 };

struct parse {
	XML_Parser parser;
	xml_element_fn *element;
	void *arg;
	struct store_error *error;
	int code;
	struct buf path;
	struct buf text;
	size_t starts[DEPTH_MAX]; /* where each name begins in `path` */
	size_t depth;
};

static void stop(struct parse *parse, int code)
{
	if (!parse->code)
		parse->code = code;
	XML_StopParser(parse->parser, XML_FALSE);
}

static void refuse(struct parse *parse, const char *what)
{
	stop(parse, store_error_set(parse->error, STORE_CORRUPT,
				    "an XML answer with %s", what));
}

static void XMLCALL on_start(void *arg, const XML_Char *name,
			     const XML_Char **attributes)
{
	struct parse *parse = arg;
	const char *colon = strrchr(name, ':');

	(void)attributes;
	if (parse->depth == DEPTH_MAX) {
		refuse(parse, "too many levels");
		return;
	}
	parse->starts[parse->depth++] = parse->path.length;
	if (parse->path.length)
		buf_add_char(&parse->path, '/');
	buf_add_text(&parse->path, colon ? colon + 1 : name);
	if (parse->path.failed)
		refuse(parse, "too long names");
	buf_clear(&parse->text);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct parse *parse = arg;
	size_t start;
	int code;

	(void)name;
	if (parse->code)
		return;
	code = parse->element(parse->arg, buf_text(&parse->path),
			      buf_text(&parse->text), parse->error);
	if (code) {
		stop(parse, code);
		return;
	}
	start = parse->starts[--parse->depth];
	parse->path.length = start;
	parse->path.data[start] = '\0';
	buf_clear(&parse->text);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int length)
{
	struct parse *parse = arg;

	buf_add(&parse->text, text, (size_t)length);
	if (parse->text.failed && !parse->code)
		refuse(parse, "too long a text");
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name,
			       const XML_Char *system, const XML_Char *public,
			       int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	refuse(arg, "a document type");
}

/*
 * The control character that a reference at `text` is of, and its length; 0
 * when it is something else.  No document of XML 1.0 has them; object stores
 * write them all the same where a name has such a character.
 */
static size_t control_at(const char *text, size_t length, char *control)
{
	size_t at = 2;
	bool hex = length > at && (text[at] | 32) == 'x';
	const char *digits = hex ? "0123456789abcdef" : "0123456789";
	unsigned int value = 0;
	const char *digit;

	if (length < 4 || text[1] != '#')
		return 0;
	for (at += hex; at < length && text[at] != ';' && value < 32; at++) {
		digit = strchr(digits,
			       text[at] >= 'A' ? text[at] | 32 : text[at]);
		if (!text[at] || !digit)
			return 0;
		value = value * (hex ? 16 : 10) +
			(unsigned int)(digit - digits);
	}
	if (at == length || text[at] != ';' || !value || value > 31 ||
	    value == '\t' || value == '\n' || value == '\r')
		return 0;
	*control = (char)value;
	return at + 1;
}

/*
 * Expat is given what stands between such references, and told them past it.
 * (It holds back a ']', which may be the beginning of a mark.)
 */
static enum XML_Status feed(struct parse *parse, const char *text,
			    size_t length)
{
	const char *end = text + length, *from = text, *at = text;
	bool plain = !memmem(text, length, "<![CDATA[", 9);
	size_t taken;
	char control;

	while (plain && (at = memchr(at, '&', (size_t)(end - at)))) {
		taken = control_at(at, (size_t)(end - at), &control);
		if (taken && at > text && at[-1] != ']') {
			if (XML_Parse(parse->parser, from, (int)(at - from),
				      0) != XML_STATUS_OK)
				return XML_STATUS_ERROR;
			on_text(parse, &control, 1);
			from = at + taken;
		}
		at += taken ? taken : 1;
	}
	return XML_Parse(parse->parser, from, (int)(end - from), 1);
}

static int run(struct parse *parse, const char *text, size_t length)
{
	XML_SetUserData(parse->parser, parse);
	XML_SetElementHandler(parse->parser, on_start, on_end);
	XML_SetCharacterDataHandler(parse->parser, on_text);
	XML_SetStartDoctypeDeclHandler(parse->parser, on_doctype);
	if (feed(parse, text, length) == XML_STATUS_OK || parse->code)
		return parse->code;
	return store_error_set(
		parse->error, STORE_CORRUPT, "an XML answer with %s",
		XML_ErrorString(XML_GetErrorCode(parse->parser)));
}

int xml_parse(const char *text, size_t length, xml_element_fn *element,
	      void *arg, struct store_error *error)
{
	struct parse parse = {
		.element = element,
		.arg = arg,
		.error = error,
		.path = BUF_INIT(PATH_LENGTH_MAX),
		.text = BUF_INIT(TEXT_LENGTH_MAX),
	};
	int code;

	if (length > INT_MAX)
		return store_error_set(error, STORE_CORRUPT,
				       "too long an XML answer");
	parse.parser = XML_ParserCreate(NULL);
	if (!parse.parser)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = run(&parse, text, length);
	XML_ParserFree(parse.parser);
	buf_release(&parse.path);
	buf_release(&parse.text);
	return code;
}

bool xml_escape(struct buf *buf, const char *text)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 32)
			return false;
	for (; *text; text++) {
		if (*text == '&')
			buf_add_text(buf, "&amp;");
		else if (*text == '<')
			buf_add_text(buf, "&lt;");
		else if (*text == '>')
			buf_add_text(buf, "&gt;");
		else
			buf_add_char(buf, *text);
	}
	return true;
}
