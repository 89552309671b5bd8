// No room: a journal at its ceiling, and a disk that is full. Polling pauses, deliveries go on, health
// says so, all resumes by itself when there is room, and nothing is lost; unless a destination is told
// to give up its oldest.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { Place, RELAY, freePort, sourceConfig, until, verify } from './harness.mjs';

const config = (sim, receiver, port, journal, crm = '') => sourceConfig(sim) + `
journal: { sqlite: { ${journal} } }
admin: { listen: 127.0.0.1:${port} }
destinations:
  file: { stdout: { path: events.ndjson } }
  crm: { http: { url: "${receiver.url}/hook" }, in_flight: 64, retry: [0s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]${crm} }
rules: [{ name: all, to: [file, crm] }]
`;

async function begin(t, args, journal, crm) {
  const place = new Place(t);
  const sim = await place.sim(args);
  const receiver = await place.receiver(() => ({ status: receiver.away ? 503 : 204 }));
  const port = await freePort();
  receiver.away = true;
  place.config(config(sim, receiver, port, journal, crm));
  const health = async () => {
    try {
      return (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()).status;
    } catch {
      return 'no answer';
    }
  };
  return { place, sim, receiver, health };
}

async function everythingArrived(place, sim, receiver, files = ['events', 'crm']) {
  let verdicts = [];
  try {
    await until('everything arrived', async () => {
      await sim.saveLedger();
      receiver.saveAccepted('crm.ndjson');
      verdicts = files.map((f) => verify(place.path('ledger.ndjson'), [place.path(`${f}.ndjson`)]));
      return verdicts.every((v) => v.ok);
    }, 150000);
  } catch (e) {
    assert.fail(`${e.message}\n${verdicts.map((v) => v.text).join('\n')}`);
  }
}

// Some 30 MB of events; and some 10 MB, which is the least that a ceiling may be: the journal is full of
// less, and once more when polling goes on. Each time takes the five seconds of a pause.
const MANY = ['--recipients', '4000', '--ramp', '5s', '--speed', '20', '--rate-limit', '0'];
const ENOUGH = ['--recipients', '1300', ...MANY.slice(2)];

test('a journal at its ceiling: polling pauses until the receiver is back and room was made', async (t) => {
  const { place, sim, receiver, health } = await begin(t, ENOUGH, 'path: relay.db, max_size: 10MB, keep: 30d');
  const relay = place.relay();
  await until('it is full', async () => (await health()) === 'journal full', 60000);
  assert.match(relay.stderr, /takes no more: polling pauses.*journal full/);
  const before = place.read('events.ndjson').length;
  assert.ok(before > 0);
  const shown = place.start('script', ['-qec', `${RELAY} status -c relay.yaml`, '/dev/null']);
  await shown.end;
  assert.match(shown.stdout, /^journal .* MB of max_size \(10\.0 MB\) are in use: full, polling pauses\r?$/m);
  assert.match(shown.stdout, /^crm +http +down /m);
  receiver.away = false;
  await until('it takes events again', async () => (await health()) === 'ok', 60000);
  assert.equal(relay.exited, false);
  await sim.post('/sim/end');
  await everythingArrived(place, sim, receiver);
  await until('it is well', async () => (await health()) === 'ok');
  assert.equal(relay.stderr.match(/takes no more/g).length, 1); // however often it filled up again on the way
});

test('a journal at its ceiling: drop_oldest gives up what a dead receiver is owed, and says so', async (t) => {
  const { place, sim, receiver, health } = await begin(t, ENOUGH, 'path: relay.db, max_size: 10MB, keep: 30d', ', when_full: drop_oldest');
  const relay = place.relay();
  await until('it gives up some', () => /"type":"relay\.dropped"/.test(place.read('events.ndjson')), 90000);
  await sim.post('/sim/end');
  await everythingArrived(place, sim, receiver, ['events']);
  await until('it is well', async () => (await health()) === 'ok', 60000);
  const dropped = place.read('events.ndjson').split('\n').filter((l) => l.includes('"type":"relay.dropped"')).map((l) => JSON.parse(l));
  assert.equal(dropped[0].data.destination, 'crm');
  assert.ok(dropped[0].data.count > 0);
  assert.match(relay.stderr, /takes no more: polling pauses/);
});

test('a disk that is full: nothing is damaged or lost, all resumes when there is space', async (t) => {
  const { place, sim, receiver, health } = await begin(t, MANY, 'path: disk/relay.db, min_free: 0');
  if (!place.smallDisk('disk', 96)) return t.skip('a small disk cannot be made here');
  receiver.away = false;
  const relay = place.relay();
  await until('it works', () => receiver.calls.length > 20);
  // The last byte of the disk is taken.
  const filler = place.path('disk/filler');
  assert.throws(() => writeFileSync(filler, Buffer.alloc(96 << 20)), /ENOSPC/);
  await until('it says so', () => /takes no more.*the disk is full/.test(relay.stderr));
  await sim.post('/sim/step?ms=60000');
  assert.equal(relay.exited, false);
  rmSync(filler);
  await until('it takes events again', async () => (await health()) === 'ok', 60000);
  await sim.post('/sim/end');
  await everythingArrived(place, sim, receiver);
  relay.kill('SIGTERM');
  assert.equal((await relay.exit).code, 0);
  const check = spawnSync('sqlite3', [place.path('disk/relay.db'), 'PRAGMA integrity_check'], { encoding: 'utf8' });
  assert.equal(check.stdout.trim(), 'ok');
});

test('little space left on the disk: polling pauses before anything fails', async (t) => {
  const { place, sim, receiver, health } = await begin(t, ['--recipients', '1500', '--ramp', '5s', '--speed', '20', '--rate-limit', '0'],
    'path: disk/relay.db, min_free: 24MB');
  if (!place.smallDisk('disk', 64)) return t.skip('a small disk cannot be made here');
  receiver.away = false;
  const relay = place.relay();
  await until('it works', () => receiver.calls.length > 20);
  writeFileSync(place.path('disk/filler'), Buffer.alloc(40 << 20));
  await until('it says so', async () => (await health()) === 'journal full', 60000);
  assert.match(relay.stderr, /min_free/);
  rmSync(place.path('disk/filler'));
  await until('it is well', async () => (await health()) === 'ok', 30000);
  await sim.post('/sim/end');
  await everythingArrived(place, sim, receiver);
});
