// The subscribers of examples/ in C, Node and Python: each must end with the journal's events, once
// and in the order of their topics, whatever happens to it, to the relay or between them. And nngcat
// and nanocat, which are not ours, against the same sockets.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudEvent } from 'cloudevents';
import { BUILD, Place, RELAY, ROOT, freePort, sleep, sourceConfig, until, verifyBeside } from './harness.mjs';

const EXAMPLES = join(ROOT, 'examples');
const SUBSCRIBERS = {
  c: [join(BUILD, 'subscriber')],
  node: ['node', join(EXAMPLES, 'subscriber.mjs')],
  python: ['python3', join(EXAMPLES, 'subscriber.py')],
};
const LANGUAGES = Object.keys(SUBSCRIBERS);
const SIM = ['--ramp', '100s', '--rate-limit', '0', '--hold'];
const PEAK_KIB = 200 << 10; // node itself takes a third of it

const sp = (protocol) => Buffer.from([0, 0x53, 0x50, 0, 0, protocol, 0, 0]);
const SUB = 0x21, PUB = 0x20, REP = 0x31;

function frame(...parts) {
  const body = Buffer.concat(parts.map((p) => Buffer.from(p)));
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(body.length));
  return Buffer.concat([head, body]);
}

// Calls `on` with each message of a connection, behind the greeting.
function messages(socket, on) {
  let bytes = Buffer.alloc(0), greeted = false;
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!greeted && bytes.length >= 8) {
      greeted = true;
      bytes = bytes.subarray(8);
    }
    while (greeted && bytes.length >= 8) {
      const end = 8 + Number(bytes.readBigUInt64BE());
      if (bytes.length < end) break;
      on(bytes.subarray(8, end));
      bytes = bytes.subarray(end);
    }
  });
}

const isHeartbeat = (message) => message.toString('utf8', 0, 16) === 'relay.heartbeat ';

// Stands between a subscriber and a socket of the relay's. It can cut connections, pass on a message
// in so many `copies`, leave connections open without a word, and play somebody else: each of `lies`
// is told to one connection.
async function between(t, to, protocol) {
  const b = { copies: () => 1, lies: [], told: 0, swallowed: 0, open: new Set() };
  const hold = (socket) => {
    b.open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => b.open.delete(socket));
    return socket;
  };
  const server = createServer((client) => {
    hold(client);
    if (b.lies.length) return b.lies.shift()(client, () => b.told++);
    const relay = hold(connect(to, '127.0.0.1'));
    client.pipe(relay);
    client.on('close', () => relay.destroy());
    client.on('stall', () => relay.pause());
    relay.on('close', () => client.destroy());
    client.write(sp(protocol));
    messages(relay, (message) => {
      const copies = b.copies(message);
      if (!copies) b.swallowed++;
      for (let i = 0; i < copies; i++) client.write(frame(message));
    });
  });
  b.stall = () => b.open.forEach((socket) => socket.emit('stall'));
  b.cut = () => b.open.forEach((socket) => socket.destroy());
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    b.cut();
    server.close();
  });
  b.url = `tcp://127.0.0.1:${server.address().port}`;
  return b;
}

// A campaign, a relay, and one subscriber of each language.
class World {
  static async open(t, { topic = '', proxied = false, recipients = 500 } = {}) {
    const w = new World();
    w.place = new Place(t);
    w.topic = topic;
    w.sim = await w.place.sim([...SIM, '--recipients', `${recipients}`]);
    w.ports = [await freePort(), await freePort()];
    w.place.config(sourceConfig(w.sim) + `
journal: { sqlite: { path: relay.db } }
destinations: { bus: { nng: { listen: ["${w.url(0)}"], refill: "${w.url(1)}" } } }
rules: [{ name: all, to: [bus] }]
`);
    w.relay = w.place.relay();
    w.runs = Object.fromEntries(LANGUAGES.map((l) => [l, []])); // the processes of each, one after the other
    w.proxies = {};
    for (const l of proxied ? LANGUAGES : [])
      w.proxies[l] = { bus: await between(t, w.ports[0], PUB), refill: await between(t, w.ports[1], REP) };
    return w;
  }

  url(i) {
    return `tcp://127.0.0.1:${this.ports[i]}`;
  }

  async listening() {
    const answers = (port) => new Promise((done) => {
      const probe = connect(port, '127.0.0.1').on('error', () => done(false));
      probe.on('connect', () => done(probe.destroy()));
    });
    for (const port of this.ports) await until('the relay listens', () => answers(port));
  }

  // `file`: whose file of what is held it goes on from.
  start(language, file = language) {
    const [program, ...args] = SUBSCRIBERS[language];
    const p = this.proxies[language];
    const urls = p ? [p.bus.url, p.refill.url] : [this.url(0), this.url(1)];
    const run = this.place.start(program, [...args, ...urls, this.topic, this.place.path(`${file}.state`)]);
    this.runs[file].push(run);
    return run;
  }

  last(language) {
    return this.runs[language].at(-1);
  }

  // What the subscriber of that file printed, all runs together.
  events(file) {
    return this.runs[file].flatMap(eventsOf);
  }

  // Time passes in the campaign, and each subscriber has something new.
  async happens(seconds = 12) {
    const before = LANGUAGES.map((l) => this.last(l).stdout.length);
    await this.sim.post(`/sim/step?ms=${1000 * seconds}`);
    await until('something new is seen', () => LANGUAGES.every((l, i) => this.last(l).stdout.length > before[i]));
  }

  // Its lines go to a file, which is returned. Nothing here blocks: the proxies work in this process.
  list() {
    return new Promise((done) => execFile(RELAY, ['events', 'list', '-c', this.place.path('relay.yaml'), '--limit', '0', '--json'],
      { maxBuffer: 1 << 28 }, (error, stdout) => done(this.place.write('journal', stdout))));
  }

  async journal() {
    await this.list();
    return eventsOf({ stdout: this.place.read('journal') }).filter((e) => topicOf(e).startsWith(this.topic));
  }

  async journalHas(more) {
    await until(`the journal has more than ${more}`, async () => (await sleep(100), (await this.journal()).length > more));
  }

  // The campaign ends, and each subscriber comes to have all of it.
  async settled() {
    await this.sim.post('/sim/step?ms=600000');
    await this.sim.post('/sim/end');
    const ledger = await this.sim.saveLedger();
    await until('the relay has seen it all', async () => (await sleep(100), (await verifyBeside(ledger, [await this.list()])).ok));
    await until('each subscriber has what the journal has', async () => {
      this.owed = (await this.journal()).map((e) => e.id);
      return LANGUAGES.every((l) => this.has(l) >= this.owed.length);
    }).catch((e) => assert.fail(`${e.message}: ${this.owed.length}\n${LANGUAGES.map((l) => `${l}: ${this.has(l)} ${this.last(l).stderr}`).join('\n')}`));
  }

  has(file) {
    return new Set(this.events(file).map((e) => e.id)).size;
  }

  // Every event of the journal, as it is there, none twice in one run, each topic's chain whole.
  async check() {
    const journal = new Map((await this.journal()).map((e) => [e.id, e]));
    assert.ok(this.owed.length > 20);
    for (const language of LANGUAGES) {
      const seen = new Set(), last = new Map();
      for (const run of this.runs[language]) {
        const own = eventsOf(run);
        assert.equal(new Set(own.map((e) => e.id)).size, own.length, `${language}: an event twice`);
        for (const { prevsequence, ...event } of own) {
          if (seen.has(event.id)) continue;
          seen.add(event.id);
          assert.deepEqual(event, journal.get(event.id), language);
          assert.equal(prevsequence, last.get(topicOf(event)) ?? '0'.repeat(16), `${language}: ${event.sequence} does not follow`);
          last.set(topicOf(event), event.sequence);
        }
      }
      assert.ok(this.owed.every((id) => seen.has(id)), `${language}: an event is missing`); // more may have happened since
    }
  }

  async end() {
    for (const l of LANGUAGES) this.last(l).kill('SIGTERM');
    for (const l of LANGUAGES) assert.deepEqual(await this.last(l).exit, { code: 0, signal: null }, l);
  }

  doubles(file) {
    return this.events(file).length - this.has(file);
  }
}

// Of whole lines: the last may be half here, as it may be when its writer is killed.
const eventsOf = (run) => run.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));

const topicOf = ({ type, data }) => (type.startsWith('relay.') ? `${type}.-.-`
  : `${type}.${data.integration_id ?? '-'}.${data.broadcast_id ?? '-'}`); // the simulator's names need no encoding

// Sends all of it and ends the connection.
const says = (...parts) => (socket, told) => {
  socket.on('data', () => {});
  socket.end(Buffer.concat(parts.map((p) => Buffer.from(p))), told);
};
const LONG = Buffer.from('0000000010000000', 'hex'); // 256 MiB

// Announces more than anyone should take, and sends for as long as it is taken.
const pours = (protocol, counted) => (socket, told) => {
  const piece = Buffer.alloc(1 << 16, ' ');
  const more = () => {
    while (!socket.destroyed && counted.bytes < 2 ** 28) {
      counted.bytes += piece.length;
      if (!socket.write(piece)) return socket.once('drain', more);
    }
  };
  socket.on('close', told);
  socket.write(Buffer.concat([sp(protocol), LONG]));
  more();
};

const heartbeat = (data) => frame('relay.heartbeat ', JSON.stringify({ source: 'urn:liar', data }));
const BUS_LIES = [
  says('HTTP/1.1 400 Bad Request\r\n\r\n'),
  says(sp(REP), heartbeat({ beat: 1, latest: '9'.repeat(16), topics: {} })),
  says(sp(PUB), frame('recipient.failed.x.y {"sequence":"00000000', Buffer.from([0, 255, 254]), '"}')),
  says(sp(PUB), frame('no-space-at-all')),
  says(sp(PUB), frame('recipient.failed.x.y ', '['.repeat(1 << 19))),
  says(sp(PUB), frame('recipient.failed.x.y {"sequence":7,"prevsequence":"x"}')),
  says(sp(PUB), frame(' ')),
  says(sp(PUB), frame('')),
  says(sp(PUB), heartbeat(null), heartbeat({ beat: {}, latest: 7, topics: { 'recipient.x': [] } })),
  says(sp(PUB), Buffer.from('00000000000fffff', 'hex'), 'half a message'),
  says(sp(PUB), Buffer.from('fffffffffffffff8', 'hex'), 'eight bytes before the end of the world'),
];

// Answers each request with what `body` gives for it.
const replies = (body) => (socket, told) => {
  socket.write(sp(REP));
  messages(socket, (request) => {
    told();
    socket.end(body(request.subarray(0, 4)));
  });
};
// A pipeline, whose shell may have ended before the rest of its group.
function end(run) {
  try {
    process.kill(-run.pid, 'SIGKILL');
  } catch (e) {
    assert.equal(e.code, 'ESRCH');
  }
}

const page = (more) => JSON.stringify({ events: [], topics: [], next: 0, more: false, oldest: 1, latest: 1, ...more });
const REFILL_LIES = [
  says(sp(PUB)),
  replies((id) => frame(id, 'no JSON')),
  replies((id) => frame(id, '{"error":"not now"}')),
  replies((id) => frame(id, page({ more: true }))),
  replies((id) => frame(id, page({ events: [{ sequence: '0000000000000001' }], next: 3 }))),
  replies(() => frame(page({}))),
  replies((id) => frame(id, '['.repeat(1 << 19))),
];

// Both sides of what a liar is told by are the same: `which` proxy lies, and pours at the end.
async function afterLies(t, which, lies, protocol) {
  const w = await World.open(t, { topic: 'recipient.', proxied: true });
  const counted = { bytes: 0 };
  await w.sim.post('/sim/step?ms=50000');
  await w.journalHas(100);
  for (const l of LANGUAGES) {
    w.proxies[l][which].lies = [...lies, pours(protocol, counted)];
    w.start(l);
  }
  await until('all lies are told', () => LANGUAGES.every((l) => w.proxies[l][which].told > lies.length));
  await w.settled();
  for (const l of LANGUAGES) {
    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${w.last(l).pid}/status`, 'utf8'))[1]);
    assert.ok(peak < PEAK_KIB, `${l}: ${peak} KiB`);
    t.diagnostic(`peak_kib_${l}=${peak}`);
  }
  await w.end();
  await w.check();
  for (const l of LANGUAGES) assert.equal(w.doubles(l), 0, l);
  assert.ok(counted.bytes < 2 ** 26, `${counted.bytes} bytes were taken of a message that is too long`);
}

// They wait more than they work.
describe('subscribers', { concurrency: 3 }, () => {
  test('who lies in a refill is left, costs no memory, and the truth is taken afterwards', (t) => afterLies(t, 'refill', REFILL_LIES, REP));

  test('a late one gets everything, ends cleanly, and another language goes on from its file', async (t) => {
    const w = await World.open(t, { topic: 'recipient.', proxied: true });
    await w.sim.post('/sim/step?ms=50000');
    await w.journalHas(500);
    for (const l of LANGUAGES) w.start(l);
    await w.happens();
    // Without heartbeats the position stands, and what is above it must come back from the file.
    for (const l of LANGUAGES) w.proxies[l].bus.copies = (message) => (isHeartbeat(message) ? 0 : 1);
    for (let i = 0; i < 3; i++) await w.happens(3);
    await w.end();
    for (const l of LANGUAGES) w.proxies[l].bus.copies = () => 1;
    const before = (await w.journal()).length;
    await w.sim.post('/sim/step?ms=12000');
    await w.journalHas(before);
    LANGUAGES.forEach((l, i) => w.start(LANGUAGES[(i + 1) % LANGUAGES.length], l));
    await w.settled();
    await w.end();
    await w.check();
    for (const l of LANGUAGES) assert.equal(w.doubles(l), 0, l);
  });

  test('kill -9: only what came since its file was written comes again', async (t) => {
    const w = await World.open(t);
    const repeats = Object.fromEntries(LANGUAGES.map((l) => [l, 0]));
    for (const l of LANGUAGES) w.start(l);
    for (let i = 0; i < 4; i++) {
      await w.happens();
      for (const l of LANGUAGES) {
        w.last(l).kill('SIGKILL');
        await w.last(l).end;
        const { position, heads } = JSON.parse(w.place.read(`${l}.state`) || `{"position":0,"heads":{}}`);
        const above = (e) => Number(e.sequence) > position && Number(e.sequence) > (heads[topicOf(e)] ?? 0);
        repeats[l] += eventsOf(w.last(l)).filter(above).length;
        w.start(l);
      }
    }
    await w.settled();
    await w.end();
    await w.check();
    for (const l of LANGUAGES) assert.equal(w.doubles(l), repeats[l], l);
  });

  test('the relay is killed and comes back: nothing is missing, nothing comes twice', async (t) => {
    const w = await World.open(t, { topic: 'recipient.delivered.' });
    for (const l of LANGUAGES) w.start(l);
    for (let i = 0; i < 2; i++) {
      await w.happens(30);
      w.relay.kill('SIGKILL');
      await w.relay.exit;
      w.relay = w.place.relay();
    }
    await w.settled();
    await w.end();
    await w.check();
    for (const l of LANGUAGES) assert.equal(w.doubles(l), 0, l);
  });

  test('messages are lost and connections cut: each gap is noticed and filled', async (t) => {
    const w = await World.open(t, { proxied: true });
    let parsed = 0, deaf = false;
    for (const l of LANGUAGES) {
      let n = 0;
      w.proxies[l].bus.copies = (message) => {
        const event = JSON.parse(message.subarray(message.indexOf(' ')));
        assert.equal(new CloudEvent(event, true).validate(), true);
        assert.equal(message.subarray(0, message.indexOf(' ')).toString(), event.type === 'relay.heartbeat' ? event.type : topicOf(event));
        parsed++;
        return deaf ? Number(isHeartbeat(message)) : [1, 1, 2, 1, 1, 0, 0][n++ % 7]; // heartbeats, too
      };
      w.start(l);
    }
    const proxies = LANGUAGES.map((l) => w.proxies[l]);
    for (let i = 0; i < 3; i++) {
      await w.happens(8);
      proxies.forEach((p) => [p.bus, p.refill].forEach((b) => b.cut()));
    }
    for (let i = 0; i < 10 && proxies.some((p) => p.bus.swallowed < 20); i++) await w.happens(4);
    deaf = true; // nothing follows what is lost: only a heartbeat tells
    await w.happens();
    deaf = false;
    proxies.forEach((p) => p.bus.stall());
    await w.happens();
    await w.settled();
    await w.end();
    await w.check();
    assert.ok(parsed > 100);
    for (const l of LANGUAGES) {
      assert.equal(w.doubles(l), 0, l);
      assert.ok(w.proxies[l].bus.swallowed > 10);
      assert.match(w.last(l).stderr, /filled a gap: \d+ events, now at \d+/);
    }
  });

  test('who lies on the bus is left, costs no memory, and the truth is taken afterwards', (t) => afterLies(t, 'bus', BUS_LIES, PUB));

  test('a file that cannot be gone on from is refused, and left as it is', async (t) => {
    const place = new Place(t);
    const files = ['{"topic":"recipient.","posi', '[]', '{"topic":"recipient.failed.","position":7,"heads":{}}',
      '{"topic":"recipient.","position":"seven","heads":{}}', '{"topic":"recipient.","position":7}'];
    for (const [program, ...args] of Object.values(SUBSCRIBERS))
      for (const text of files) {
        const run = place.start(program, [...args, 'tcp://127.0.0.1:1', 'tcp://127.0.0.1:1', 'recipient.', place.write('held', text)]);
        assert.equal((await run.exit).code, 1, `${program}: ${text}`);
        await until('it says why', () => run.stderr);
        assert.match(run.stderr, /^subscriber: \S+held: /);
        assert.equal(place.read('held'), text);
      }
  });

  test('an address that is none is told at once', async (t) => {
    const place = new Place(t);
    for (const [program, ...args] of Object.values(SUBSCRIBERS)) {
      const run = place.start(program, [...args, 'nowhere', 'tcp://127.0.0.1:1', '', place.path('held')]);
      assert.equal((await run.exit).code, 1, program);
      await until('it says why', () => /(nowhere|address)/.test(run.stderr));
    }
  });

  // docs/bus.md as it stands, but for the addresses and the length of a page.
  const doc = readFileSync(join(ROOT, 'docs/bus.md'), 'utf8');
  const chapter = (from, to) => doc.slice(doc.indexOf(`## ${from}`), doc.indexOf(`## ${to}`));

  test("the page's shell lines: nngcat and nanocat get events, and nanocat refills", async (t) => {
    const w = await World.open(t, { topic: 'recipient.failed.', recipients: 1500 });
    const [nngcat, nanocat, count] = [...chapter('From a shell', 'Without nng').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => () => {
      const here = text.replaceAll('tcp://127.0.0.1:5555', w.url(0)).replaceAll('tcp://127.0.0.1:5556', w.url(1)).replace(':100}', ':10}');
      const run = w.place.start('sh', ['-c', here], { detached: true });
      t.after(() => end(run));
      return run;
    });
    await w.listening(); // nngcat dials once
    const cats = [nngcat(), nanocat()];
    await until('a failure reaches both', async () => {
      assert.ok(cats.every((cat) => !cat.exited), cats.map((cat) => cat.stderr).join());
      await w.sim.post('/sim/step?ms=1000');
      await sleep(200);
      return cats.every((cat) => cat.lines().length > 0);
    });
    await w.sim.post('/sim/step?ms=600000');
    await w.sim.post('/sim/end');
    const ledger = await w.sim.saveLedger();
    await until('the relay has seen it all', async () => (await sleep(100), (await verifyBeside(ledger, [await w.list()])).ok));
    const failures = (await w.journal()).map(({ data }) => [data.recipient_id, data.error_message]);
    assert.ok(failures.length > 20); // more than two pages
    for (const cat of cats) {
      await until('the last failure is there', () => cat.lines().includes(failures.at(-1).join(' ')));
      const known = new Set(failures.map((f) => f.join(' ')));
      for (const line of cat.lines()) assert.ok(known.has(line), line);
    }
    const counts = new Map();
    for (const [, why] of failures) counts.set(why, (counts.get(why) ?? 0) + 1);
    const counted = count();
    assert.equal((await counted.exit).code, 0, counted.stderr);
    assert.deepEqual(new Map(counted.lines().map((l) => /^ *(\d+) (.*)$/.exec(l)).map(([, n, why]) => [why, Number(n)])), counts);
  });

  test("the page's bytes: a greeting and a request, written by hand", async (t) => {
    const w = await World.open(t);
    const hex = (text) => Buffer.from(text.replace(/\s/g, ''), 'hex');
    const [, request, reply] = /```\n(00 53[\s\S]*?)\n\n(00 53[\s\S]*?)```/.exec(chapter('Without nng', 'The examples'));
    await w.listening();
    const socket = connect(w.ports[1], '127.0.0.1');
    t.after(() => socket.destroy());
    let bytes = Buffer.alloc(0);
    socket.on('data', (d) => (bytes = Buffer.concat([bytes, d])));
    socket.write(hex(request));
    await until('a reply', () => bytes.length >= 16 && bytes.length >= 16 + Number(bytes.readBigUInt64BE(8)));
    const [first, last] = reply.split('NN NN NN NN');
    assert.deepEqual(bytes.subarray(0, 12), hex(first));
    assert.deepEqual(bytes.subarray(16, 21), hex(last.replace('…', '')));
    assert.ok(Array.isArray(JSON.parse(bytes.subarray(20)).events));
  });
});
