// Eight subscribers of one bus, each with topics and troubles of its own: stopped for ten seconds, a
// hundred times too slow, late, on several addresses, of exact topics. The bus drops whatever does not
// fit in a short queue, and the relay is killed -9 and started again with its journal. In the end each
// has exactly the events of its topics, in order, once: by the simulator's ledger, and by the journal.
// Then one that is itself killed again and again, and a relay that is to end while all of them are busy.
//
// BUS_KILLS (preset 2), SUBSCRIBER_KILLS (4), BUS_STOPS (3), BUS_RECIPIENTS (1600) and SEED choose the run; the seed is printed.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, RELAY, command, freePort, sleep, sourceConfig, until, verifyBeside } from '../e2e/harness.mjs';

const BUS_KILLS = Number(process.env.BUS_KILLS ?? 2);
const SUBSCRIBER_KILLS = Number(process.env.SUBSCRIBER_KILLS ?? 4);
const BUS_STOPS = Number(process.env.BUS_STOPS ?? 3);
const RECIPIENTS = Number(process.env.BUS_RECIPIENTS ?? 1600);
const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const STOPPED_MS = 10000;
const PATIENCE_MS = 180000;

function generator(seed) {
  let s = BigInt(seed) + 0x9e3779b97f4a7c15n;
  return () => {
    s = (s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(s >> 33n) / 2 ** 31;
  };
}

// A bus whose queue is so short that every burst loses some.
async function busPlace(t, recipients, seconds) {
  const place = new Place(t);
  const third = Math.ceil(recipients / 3);
  const sim = await place.sim(['--seed', String(SEED), '--broadcast', `bc_1:${third}:sms`, '--broadcast', `bc_10:${third}:sms`,
    '--broadcast', `bc_2:${third}:mix`, '--ramp', `${seconds * 10}s`, '--speed', '10', '--rate-limit', '0', '--hold']);
  const urls = { ipc: `ipc://${place.path('bus')}`, tcp: `tcp://127.0.0.1:${await freePort()}`, ws: `ws://127.0.0.1:${await freePort()}/bus` };
  const refill = `ipc://${place.path('refill')}`;
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  bus: { nng: { listen: ["${urls.ipc}", "${urls.tcp}", "${urls.ws}"], refill: "${refill}", send_buffer: 8 } }
rules: [{ name: all, to: [bus] }]
`);
  return { place, sim, urls, refill };
}

// By docs/bus.md.
const escaped = (part) => encodeURIComponent(part).replace(/[.!~*'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const topicOf = (e) => e.type.startsWith('relay.') ? `${e.type}.-.-`
  : `${e.type}.${escaped(e.data.integration_id ?? '-')}.${escaped(e.data.broadcast_id ?? '-')}`;
const wants = (topics, topic) => topics.some((t) => `${topic} `.startsWith(t));
const parsed = (text) => text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter(Boolean).map((line) => JSON.parse(line));

function journalOf(place) {
  const list = command(['events', 'list', '-c', place.path('relay.yaml'), '--limit', '0', '--json']);
  assert.equal(list.status, 0, list.stderr);
  return parsed(list.stdout).sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
}

// The journal, when nothing new has come for a while.
async function atRest(place) {
  let journal = journalOf(place);
  await until('nothing more is committed', async () => {
    const before = journal.length;
    await sleep(2000);
    journal = journalOf(place);
    return journal.length === before;
  }, PATIENCE_MS);
  return journal;
}

// What it got against what it is owed, which is every event of its topics in the journal.
function compare(name, topics, got, journal) {
  const ids = new Set();
  const last = new Map();
  for (const e of got) {
    const topic = topicOf(e);
    assert.ok(wants(topics, topic), `${name}: ${topic} was not asked for`);
    assert.ok(!ids.has(e.id), `${name}: ${e.id} (${e.sequence}) came twice`);
    assert.equal(e.prevsequence, last.get(topic) ?? '0'.repeat(16), `${name}: ${e.sequence} of ${topic} does not follow`);
    ids.add(e.id);
    last.set(topic, e.sequence);
  }
  const owed = journal.filter((e) => wants(topics, topicOf(e)));
  const missing = owed.filter((e) => !ids.has(e.id));
  assert.deepEqual(missing.map((e) => e.sequence).slice(0, 10), [], `${name}: ${missing.length} are missing`);
  assert.equal(got.length, owed.length, `${name}: some are not in the journal`);
  return owed.length;
}

const EXACT = ['recipient.delivered.twilio.bc_1 '];
const BROADCAST = ['added', 'sent', 'delivered', 'failed', 'skipped', 'processed'].map((s) => `recipient.${s}.twilio.bc_1 `);

// With what each is started, and which troubles it has.
function casts({ place, urls, refill }) {
  const all = ['--refill', refill, '--all'];
  const state = (name) => ['--refill', refill, '--state', place.path(`${name}.state`)];
  const exec = `[ -e '${place.path('hurry')}' ] || sleep 0.3; cat >>'${place.path('slow.out')}'`;
  return [
    { name: 'everything', args: [urls.ipc, ...all], topics: [''] },
    { name: 'failures', args: [urls.tcp, '--refill', refill], topics: ['recipient.failed.', 'recipient.bounced.'] },
    { name: 'broadcast', args: [urls.ws, ...state('broadcast')], topics: BROADCAST },
    { name: 'exact', args: [urls.ipc, ...all, ...state('exact').slice(2)], topics: EXACT },
    { name: 'stopped', args: [urls.tcp, ...state('stopped')], topics: ['recipient.'] },
    { name: 'slow', args: [urls.ipc, ...state('slow'), '--exec', exec], topics: ['recipient.failed.', 'contact.unreached.'], file: 'slow.out' },
    { name: 'unread', args: [urls.ws, '--refill', refill], topics: ['recipient.', 'contact.', 'recipient.sent.'], unread: true },
    { name: 'late', late: true, topics: ['recipient.', 'broadcast.'],
      args: [urls.tcp, urls.ipc, urls.ws, '--refill', `ipc://${place.path('nobody')}`, ...all] },
  ];
}

function subscribe(place, cast) {
  const p = place.start(RELAY, ['subscribe', ...cast.args, ...cast.topics]);
  cast.process = p;
  if (cast.unread) p.child.stdout.pause(); // a full pipe is what a subscriber may meet
  cast.text = () => (cast.file ? place.read(cast.file) : p.stdout);
  return until(`${cast.name} is connected`, () => {
    assert.equal(p.exited, false, p.stderr);
    return /connected/.test(p.stderr);
  }, PATIENCE_MS);
}

// Few messages of a campaign fail, and late. So one more is made to fail, and the campaign goes on until each is owed something.
async function end(sim, everything, list) {
  const events = await until('a message is sent', () => {
    const all = parsed(everything.text());
    return all.some((e) => topicOf(e) === 'recipient.sent.twilio.bc_1') && all;
  }, PATIENCE_MS);
  const { recipient_id: id } = events.findLast((e) => topicOf(e) === 'recipient.sent.twilio.bc_1').data;
  await sim.post(`/sim/change?broadcast=bc_1&recipient=${id}&state=failed`).catch((e) => assert.match(e.message, / 409 /)); // it has by itself
  await until('each is owed something', () => {
    const topics = new Set(parsed(everything.text()).map(topicOf));
    return list.every((c) => [...topics].some((topic) => wants(c.topics, topic)));
  }, PATIENCE_MS);
  await sim.post('/sim/end');
}

// No counter tells that a row is PROCESSED, so that may be seen minutes later; the journal says what of it was owed.
const TOLD = ['added', 'sent', 'delivered', 'opened', 'played', 'failed', 'skipped', 'complained', 'unsubscribed', 'bounced'].map((s) => `recipient.${s}`).join(',');

// Everything that the ledger has came to one of them.
async function whole(place, sim, everything) {
  let verdict;
  try {
    await until('all that is owed is on the bus', async () => {
      await sleep(500);
      await sim.saveLedger();
      place.write('everything.ndjson', everything.text());
      verdict = await verifyBeside(place.path('ledger.ndjson'), [place.path('everything.ndjson')], ['--type', TOLD]);
      return verdict.ok;
    }, PATIENCE_MS);
  } catch (e) {
    assert.fail(`${e.message}\n${verdict?.text}\n${everything.process.stderr}`);
  }
}

const filled = (p) => [...p.stderr.matchAll(/filled a gap[^:]*: (\d+) event/g)].reduce((n, m) => n + Number(m[1]), 0);

async function checkAll(t, place, list, journal) {
  const counts = [];
  for (const cast of list) {
    const owed = journal.filter((e) => wants(cast.topics, topicOf(e))).length;
    assert.ok(owed >= 1, `${cast.name}: nothing to compare`);
    try {
      await until(`${cast.name} has its ${owed} events`, () => parsed(cast.text()).length >= owed || cast.process.exited, PATIENCE_MS);
    } catch {
      t.diagnostic(`${cast.name}: ${cast.process.stderr.split('\n').slice(-8).join(' | ')}`);
    }
    assert.equal(cast.process.exited, false, `${cast.name}: ${cast.process.stderr}`);
  }
  await sleep(1500); // what comes twice would come now
  for (const cast of list) counts.push(`${cast.name}:${compare(cast.name, cast.topics, parsed(cast.text()), journal)}(${filled(cast.process)})`);
  t.diagnostic(`events_and_refilled=${counts.join(',')}`);
}

test(`eight subscribers, the relay killed ${BUS_KILLS} times`, { timeout: 1200000 }, async (t) => {
  const random = generator(SEED);
  t.diagnostic(`SEED=${SEED}`);
  const at = await busPlace(t, RECIPIENTS, 8 + 3 * BUS_KILLS);
  const { place, sim } = at;
  const list = casts(at);
  const [everything, late] = [list[0], list.find((c) => c.late)];
  let relay = place.relay();
  await Promise.all(list.filter((c) => !c.late).map((c) => subscribe(place, c)));
  await sim.post('/sim/start');
  const stopped = list.find((c) => c.name === 'stopped').process;
  await until('events', () => parsed(everything.text()).length > 50, PATIENCE_MS);
  stopped.kill('SIGSTOP');
  const resumed = sleep(STOPPED_MS).then(() => stopped.kill('SIGCONT'));
  for (let i = 0; i < BUS_KILLS; i++) {
    const before = parsed(everything.text()).length;
    await until('more events', () => parsed(everything.text()).length > before || relay.exited, PATIENCE_MS);
    await sleep(random() * 1500);
    assert.equal(relay.exited, false, relay.stderr);
    relay.kill('SIGKILL');
    await relay.exit;
    await sleep(random() * 500);
    relay = place.relay();
    if (i === 0) await subscribe(place, late);
  }
  if (!late.process) await subscribe(place, late);
  await resumed;
  await end(sim, everything, list);
  await whole(place, sim, everything);
  place.write('hurry', '');
  list.find((c) => c.unread).process.child.stdout.resume();
  await checkAll(t, place, list, await atRest(place));
  // Events of one kind, by the ledger alone.
  const failures = list.find((c) => c.name === 'failures');
  place.write('failures.ndjson', failures.text());
  const v = await verifyBeside(place.path('ledger.ndjson'), [place.path('failures.ndjson')], ['--type', 'recipient.failed,recipient.bounced']);
  assert.ok(v.ok, v.text);
  assert.ok(list.some((c) => filled(c.process) > 0), 'nothing was ever lost: this proves nothing');
});

// Standard output is a file, which outlives each of its runs.
test(`a subscriber killed ${SUBSCRIBER_KILLS} times goes on from its state`, { timeout: 1200000 }, async (t) => {
  const random = generator(SEED + 1);
  t.diagnostic(`SEED=${SEED}`);
  const { place, sim, urls, refill } = await busPlace(t, RECIPIENTS / 2, 4 + SUBSCRIBER_KILLS);
  const state = place.path('state');
  const topics = ['recipient.', 'contact.'];
  const run = (n) => place.start('sh', ['-c', 'exec "$0" "$@" >>"$OUT"', RELAY, 'subscribe', urls.tcp, ...topics, '--refill', refill, '--all', '--state', state],
    { env: { ...process.env, OUT: place.path(`out.${n}`) } });
  place.relay();
  await sim.post('/sim/start');
  const runs = [];
  let repeated = 0;
  for (let n = 0; n <= SUBSCRIBER_KILLS; n++) {
    const p = run(n);
    await until(`run ${n} gets events`, () => place.read(`out.${n}`).split('\n').length > 20 || p.exited, PATIENCE_MS);
    assert.equal(p.exited, false, p.stderr);
    if (n < SUBSCRIBER_KILLS) {
      await sleep(random() * 1500);
      p.kill('SIGKILL');
      await p.exit;
    } else {
      await sim.post('/sim/end');
      const owed = (await atRest(place)).filter((e) => wants(topics, topicOf(e)));
      const last = owed.at(-1);
      await until('it has the last event', () => place.read(`out.${n}`).includes(last.id), PATIENCE_MS);
      await sleep(1500);
      p.kill('SIGTERM');
      assert.deepEqual(await p.exit, { code: 0, signal: null });
    }
    runs.push(parsed(place.read(`out.${n}`))); // a line that the kill cut is none
    // What its state holds it does not get again; what came after that it may.
    const held = place.read('state') ? JSON.parse(place.read('state')) : { position: '', topics: {} };
    for (const e of runs[n]) e.saved = e.sequence <= (held.topics[topicOf(e)] ?? held.position) || e.sequence <= held.position;
  }
  const journal = await atRest(place);
  const got = new Map();
  for (const run of runs)
    for (const e of run) {
      const before = got.get(e.id);
      if (before) {
        repeated++;
        assert.equal(before.saved, false, `${e.sequence} came again although it was saved`);
      }
      got.set(e.id, e);
    }
  compare('killed', topics, [...got.values()].sort((a, b) => (a.sequence < b.sequence ? -1 : 1)), journal);
  t.diagnostic(`events=${got.size} repeated=${repeated}`);
});

test(`SIGTERM ends the relay while eight are subscribed, ${BUS_STOPS} times`, { timeout: 1200000 }, async (t) => {
  const at = await busPlace(t, RECIPIENTS / 2, 2 + BUS_STOPS);
  const { place, sim } = at;
  const list = casts(at);
  let relay = place.relay();
  await Promise.all(list.map((c) => subscribe(place, c)));
  await sim.post('/sim/start');
  for (let i = 0; i < BUS_STOPS; i++) {
    const before = parsed(list[0].text()).length;
    if (i * 2 < BUS_STOPS) await until('events', () => parsed(list[0].text()).length > before, PATIENCE_MS); // while it is busy
    for (const c of list.slice(0, i % 5)) c.process.kill('SIGSTOP');
    relay.kill('SIGTERM');
    assert.deepEqual(await relay.exit, { code: 0, signal: null }, relay.stderr);
    for (const c of list) c.process.kill('SIGCONT');
    relay = place.relay();
    await until('it publishes', () => /relay started/.test(relay.stderr), PATIENCE_MS);
  }
  await end(sim, list[0], list);
  await whole(place, sim, list[0]);
  place.write('hurry', '');
  list.find((c) => c.unread).process.child.stdout.resume();
  const journal = await atRest(place);
  assert.ok(journal.length > 100);
  await checkAll(t, place, list, journal);
});
