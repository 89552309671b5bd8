#!/usr/bin/env node
// A subscriber that loses nothing, without nng: the few bytes of its protocol are spoken here.
//
//   node examples/subscriber.mjs tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 recipient.failed. FILE
//
// Prints each event once, one a line, in the order of its topic, beginning with the oldest that the
// relay holds. FILE remembers how far it came, about once a second: after a kill the last second's
// events come again (same `id`). Whatever goes wrong with the relay is an exception: both connections
// end, and are made again. docs/bus.md is the protocol; subscriber.py is the same program.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const MESSAGE_MAX = 1 << 20, REPLY_MAX = (8 << 20) + 1024; // bytes; who announces more is no relay
const TOPIC_MAX = 4096, HEADS_MAX = 4096; // of heads; a refill makes room
const BEATS = 30; // a heartbeat names the topics used since so many heartbeats ago
const SILENCE_MS = 5000, PAUSE_MS = 100, PAUSE_MAX_MS = 2000; // heartbeats come every second
const [BUS, REFILL, TOPIC, FILE] = process.argv.slice(2);

let position = 0; // everything up to it is held;
let heads = new Map(); // above it, of each topic the last sequence held
let accepted = {}; // the last heartbeat with which nothing was missing
let pause = PAUSE_MS; // before the next connection, doubled each time

// Yours: what is done with an event. When it returns, the event is held and does not come again.
function take(event) {
  try {
    writeFileSync(1, JSON.stringify(event) + '\n');
  } catch (e) {
    fail(`standard output: ${e.message}`);
  }
}

const note = (text) => console.error(`subscriber: ${text}`);
const fail = (why, status = 1) => (note(why), process.exit(status));

function save() {
  const state = { topic: TOPIC, position, heads: Object.fromEntries(heads) };
  writeFileSync(`${FILE}.new`, JSON.stringify(state), { flush: true });
  renameSync(`${FILE}.new`, FILE); // so that it is never half
}

function load() {
  const state = JSON.parse(readFileSync(FILE, 'utf8'));
  assert(state.topic === TOPIC && state.position >= 0, 'it was not written for this topic');
  position = state.position;
  heads = new Map(Object.entries(state.heads));
}

const PUB = 0x20, SUB = 0x21, REQ = 0x30, REP = 0x31;
const greeting = (protocol) => Buffer.from([0, 0x53, 0x50, 0, 0, protocol, 0, 0]);
class Connection { // 8 bytes of greeting from each side, then messages, each behind its length
  constructor(url) {
    const [, host, port] = /^tcp:\/\/\[?([^\]]+)\]?:(\d+)$/.exec(url) ?? fail(`not tcp://HOST:PORT: ${url}`);
    this.socket = net.connect({ host, port, noDelay: true }).on('error', () => {}); // read() throws it
    this.socket.setTimeout(SILENCE_MS, () => this.socket.destroy(new Error('nothing comes')));
    this.chunks = this.socket[Symbol.asyncIterator]();
    this.bytes = Buffer.alloc(0); // came, and were not read yet
  }

  async read(n) {
    while (this.bytes.length < n) {
      const { value, done } = await this.chunks.next();
      assert(!done, 'the relay ended the connection');
      this.bytes = Buffer.concat([this.bytes, value]);
    }
    const first = this.bytes.subarray(0, n);
    this.bytes = this.bytes.subarray(n);
    return first;
  }

  async receive(largest) {
    const length = (await this.read(8)).readBigUInt64BE();
    assert(length <= largest, `a message of ${length} bytes`);
    return this.read(Number(length));
  }

  async ask(request) { // behind an id of 32 bits, the top one set; the reply bears the same
    const body = Buffer.from(JSON.stringify(request)), head = Buffer.alloc(12);
    head.writeBigUInt64BE(BigInt(4 + body.length));
    head.writeUInt32BE(0x80000000 + randomInt(0x80000000), 8);
    this.socket.write(Buffer.concat([head, body]));
    const reply = await this.receive(REPLY_MAX);
    assert(reply.subarray(0, 4).equals(head.subarray(8)), 'a reply to something else');
    return JSON.parse(reply.subarray(4));
  }
}

async function connected(url, own, peer, use) {
  const connection = new Connection(url);
  try {
    connection.socket.write(greeting(own));
    assert((await connection.read(8)).equals(greeting(peer)), 'that is no such socket of a relay');
    await use(connection);
  } finally {
    connection.socket.destroy();
  }
}

const ours = (topic) => `${topic} `.startsWith(TOPIC);
const held = (topic) => Math.max(heads.get(topic) ?? 0, position);

function reach(sequence) {
  if (sequence > position) position = sequence;
  for (const [topic, last] of heads) if (last <= position) heads.delete(topic);
}

async function onEvent(topic, event) { // rule 1 of docs/bus.md
  const sequence = Number(event.sequence), follows = event.prevsequence <= held(topic);
  if (!(sequence > held(topic))) return;
  if (!follows || heads.size >= HEADS_MAX) return refill(); // it brings this one, too
  take(event);
  heads.set(topic, sequence);
}

async function onHeartbeat({ source, data }) { // rule 2
  const since = source === accepted.source ? data.beat - accepted.beat : Infinity;
  const newer = Object.entries(data.topics).some(([topic, last]) => ours(topic) && last > held(topic));
  if (since >= 0 && since <= BEATS && !newer && !data.more) reach(Number(data.latest));
  else await refill();
  accepted = { source, beat: data.beat };
  pause = PAUSE_MS;
  save();
}

const refill = () => connected(REFILL, REQ, REP, async (connection) => { // rule 3
  for (let page = { more: true }; page.more;) {
    page = await connection.ask({ topic: TOPIC, after: position });
    const { error, events, topics, next, more, oldest } = page;
    assert(!error, `refused: ${error}`);
    assert(events.length === topics.length && next >= position + (more ? 1 : 0), 'a page that leads nowhere');
    if (position > 0 && oldest > position + 1) note(`the journal has lost all before ${oldest}`);
    const missing = events.filter((event, i) => event.sequence > held(topics[i]));
    missing.forEach(take);
    reach(next);
    save();
    if (missing.length) note(`filled a gap: ${missing.length} events, now at ${position}`);
  }
});

const follow = () => connected(BUS, SUB, PUB, async (connection) => {
  for (;;) { // the relay sends everybody everything: the choice is ours
    const message = await connection.receive(MESSAGE_MAX), space = message.indexOf(' ');
    assert(space >= 0 && space <= TOPIC_MAX, 'a message without a topic');
    const topic = message.toString('utf8', 0, space);
    if (topic === 'relay.heartbeat') await onHeartbeat(JSON.parse(message.subarray(space)));
    else if (ours(topic)) await onEvent(topic, JSON.parse(message.subarray(space)));
  }
});

if (process.argv.length !== 6) fail('usage: subscriber.mjs URL REFILL-URL TOPIC-PREFIX FILE', 2);
try { load(); } catch (e) { if (e.code !== 'ENOENT') fail(`${FILE}: ${e.message}`); }
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (save(), process.exit()));
for (;;) {
  await follow().catch((e) => note(`${e.message || e.code}; connecting again`));
  await sleep(pause);
  pause = Math.min(2 * pause, PAUSE_MAX_MS);
}
