/*
 * nng_sp — the bytes of Scalability Protocols on a connection, as nng and nanomsg speak them; the
 * documents are nanomsg's sp-tcp-mapping, sp-ipc-mapping and sp-request-reply. Pure.
 *
 *   greeting   0 'S' 'P' 0, 16 bits: the sender's protocol, 0 0; each side sends one at once
 *   message    over ipc a byte 1; 64 bits: the length of what follows
 *   request    1 to 8 words of 32 bits, one for each hop on the way here, of which only the last
 *              has its top bit set; then the body. The reply bears the same words.
 *
 * All numbers are big-endian.
 */
#ifndef RELAY_NNG_SP_H
#define RELAY_NNG_SP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_GREETING 8
#define SP_HEAD_MAX 9
#define SP_HOP	    4
#define SP_HOPS_MAX 8 /* nng's default; more go round in a circle */

enum sp_protocol { SP_PUB = 0x20, SP_SUB = 0x21, SP_REQ = 0x30, SP_REP = 0x31 };

void sp_greeting(unsigned char ret[SP_GREETING], enum sp_protocol own);
bool sp_greeting_is(const unsigned char greeting[SP_GREETING], enum sp_protocol peer);

/* What stands before a message: how many bytes that is, writing it, reading it (false: it is none).
 */
size_t sp_head_size(bool ipc);
void sp_head(unsigned char *ret, bool ipc, uint64_t len);
bool sp_head_read(const unsigned char *head, bool ipc, uint64_t *ret_len);

/* The bytes of a request's hops. 0: it has no end of them; -1: there are more than SP_HOPS_MAX. */
int sp_hops(const char *message, size_t len);

#endif
