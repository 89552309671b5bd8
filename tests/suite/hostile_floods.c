/* hostile_floods — answers without an end, and bombs. */
#include <stdint.h>

#include "tests/suite/hostile_receiver.h"

#define K                                                                                          \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"                        \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"                        \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"                        \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"
#define K4	 K K K K K K K K K K K K K K K K
#define CHUNKED	 "\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GIGABYTE (1 << 30)

const struct script hostile_floods[] = {
	{"a gigabyte", SAY("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"), PIECE(K4),
	 .pieces = GIGABYTE / 4096},
	{"a gigabyte of failure", SAY("HTTP/1.1 500 No\r\nContent-Length: 1073741824\r\n\r\n"),
	 PIECE(K4), .pieces = GIGABYTE / 4096, .verdict = TRY_AGAIN, .why = "500: 0123456"},
	{"a gigabyte in chunks", SAY("HTTP/1.1 200 OK" CHUNKED), PIECE("1000\r\n" K4 "\r\n"),
	 .pieces = GIGABYTE / 4096},
	{"a body without an end", SAY("HTTP/1.1 200 OK\r\n\r\n"), PIECE(K4), .pieces = FOR_EVER},
	{"tiny chunks without an end", SAY("HTTP/1.1 200 OK" CHUNKED), PIECE("1\r\nx\r\n"),
	 .pieces = FOR_EVER},
	{"one chunk without an end", SAY("HTTP/1.1 200 OK" CHUNKED "7fffffffffffffff\r\n"),
	 PIECE(K4), .pieces = FOR_EVER},
	{"headers without an end", SAY("HTTP/1.1 200 OK\r\n"), PIECE("X-Header: abcdefgh\r\n"),
	 .pieces = FOR_EVER, .verdict = TRY_AGAIN, .why = "200: headers over their ceiling"},
	{"one header without an end", SAY("HTTP/1.1 200 OK\r\nX: "), PIECE("abcdefghijklmnop"),
	 .pieces = FOR_EVER, .verdict = TRY_AGAIN, .why = "200: a header over its ceiling"},
	{"a status line without an end", SAY("HTTP/1.1 200 "), PIECE("abcdefghijklmnop"),
	 .pieces = FOR_EVER, .verdict = TRY_AGAIN, .why = "no answer: a header over its ceiling"},
	{"interim answers without an end", SAY(""),
	 PIECE("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"), .pieces = FOR_EVER,
	 .verdict = TRY_AGAIN, .why = "103: headers over their ceiling"},
	{"trailers without an end", SAY("HTTP/1.1 200 OK" CHUNKED "0\r\n"),
	 PIECE("X-Trailer: abcdefgh\r\n"), .pieces = FOR_EVER, .verdict = TRY_AGAIN,
	 .why = "200: headers over their ceiling"},
	{"one trailer without an end", SAY("HTTP/1.1 200 OK" CHUNKED "0\r\nX: "),
	 PIECE("abcdefghijklmnop"), .pieces = FOR_EVER, .verdict = TRY_AGAIN, .why = "200: "},
	{"a switch to a flood", SAY("HTTP/1.1 101 Switching\r\n\r\n"), PIECE(K4),
	 .pieces = FOR_EVER, .verdict = TRY_AGAIN, .why = "101"},
	/* No body and no header ever comes of it, so that only the time ends it. */
	{"a chunk's extension without an end", SAY("HTTP/1.1 200 OK" CHUNKED "1;x="),
	 PIECE("abcdefghijklmnop"), .pieces = FOR_EVER, .timeout = "300ms", .verdict = TRY_AGAIN,
	 .why = "200: no complete answer in time"},
};
const size_t hostile_nfloods = sizeof hostile_floods / sizeof *hostile_floods;
