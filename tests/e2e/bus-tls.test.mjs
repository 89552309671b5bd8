// The bus over TLS and IPv6, between real sockets: nng's, OpenSSL's and raw ones.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { certificate } from './certificates.mjs';
import { Place, RELAY, command, freePort, sleep, sourceConfig, until } from './harness.mjs';

const FAILS = /TLS handshake fails: (unable to get local issuer certificate|self-signed certificate|hostname mismatch)/;
const ENDS = /TLS handshake( fails: .*(alert|refuses ours)|, as one does that wants another certificate)/;

// One of them waits 5 s for what does not come; the others need not wait for it.
const tests = [];
const beside = (name, run) => tests.push([name, run]);

const ports = await Promise.all(Array.from({ length: 18 }, () => freePort()));

// A relay whose campaign has begun and ended, so that its bus has a past. `bus`: its settings.
async function relayWith(place, bus, start = () => place.relay()) {
  const sim = await place.sim(['--recipients', '50', '--ramp', '10s', '--speed', '60', '--rate-limit', '0', '--hold']);
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }${Object.entries(bus).map(([name, s]) => `\n  ${name}: { nng: ${JSON.stringify(s)} }`).join('')}
rules: [{ name: all, to: [file, ${Object.keys(bus).join(', ')}] }]
`);
  const relay = start();
  await until('it runs', () => /relay started/.test(relay.stderr) || relay.exited);
  assert.ok(!relay.exited, relay.stderr);
  const publish = async () => {
    await sim.post('/sim/start');
    await sim.post('/sim/step?ms=600000');
    await sim.post('/sim/end');
    const owed = (await sim.ledger()).filter((l) => l.owed).length;
    await until('all is in the file', () => place.read('events.ndjson').split('\n').length > owed);
  };
  return { relay, sim, publish };
}

const files = (place, name, c) => {
  place.write(`${name}.pem`, c.cert);
  place.write(`${name}.key`, c.key);
};
const subscribe = (place, url, ...flags) => place.start(RELAY, ['subscribe', url, '', ...flags]);
const connected = (s) => /: connected$/m.test(s.stderr);
const ids = (text) => [...new Set(text.split('\n').slice(0, -1).map((l) => JSON.parse(l).id))].sort();
const gotAll = (place, s) => until(`all events came: ${s.child.spawnargs.slice(2).join(' ')}`,
  () => ids(s.stdout).length === ids(place.read('events.ndjson')).length);

beside('events and refills over TLS: for who trusts the certificate, and shows one where that is wanted', async (t) => {
  const place = new Place(t);
  const ca = certificate({ subject: 'authority' });
  const other = certificate({ subject: 'another' });
  files(place, 'ca', ca);
  files(place, 'other', other);
  files(place, 'server', certificate({ by: ca, host: 'localhost' }));
  files(place, 'starry', certificate({ by: ca, host: 'f*.example.com' }));
  files(place, 'client', certificate({ by: ca, host: 'subscriber' }));
  files(place, 'stranger', certificate({ by: other, host: 'subscriber' }));
  const [bus, refill, web, closed, closedWeb, closedRefill, starry, starryRefill] = ports.splice(0, 8);
  const own = { cert_file: 'server.pem', key_file: 'server.key' };
  const { publish } = await relayWith(place, {
    open: { listen: [`tls+tcp://127.0.0.1:${bus}`, `wss://127.0.0.1:${web}/bus`], refill: `tls+tcp://127.0.0.1:${refill}`, ...own },
    starry: { listen: [`tls+tcp://127.0.0.1:${starry}`], refill: `tls+tcp://127.0.0.1:${starryRefill}`, cert_file: 'starry.pem', key_file: 'starry.key' },
    closed: { listen: [`tls+tcp://127.0.0.1:${closed}`, `wss://localhost:${closedWeb}/bus`], refill: `tls+tcp://127.0.0.1:${closedRefill}`, ...own, ca_file: 'ca.pem' },
  });
  const URL = `tls+tcp://localhost:${bus}`;
  const CLOSED = `tls+tcp://localhost:${closed}`;
  const CLOSED_WEB = `wss://localhost:${closedWeb}/bus`;
  const all = (port, ...more) => ['--all', '--refill', `tls+tcp://localhost:${port}`, ...more];
  const client = (name) => ['--cert', `${name}.pem`, '--key', `${name}.key`];
  const live = [
    subscribe(place, URL, '--ca', 'ca.pem'),
    subscribe(place, `wss://127.0.0.1:${web}/bus`, '--ca', 'ca.pem', '--server-name', 'localhost'),
    subscribe(place, CLOSED, '--ca', 'ca.pem', ...client('client')),
    subscribe(place, CLOSED_WEB, '--ca', 'ca.pem', ...client('client')),
  ];
  const bad = [
    [FAILS, subscribe(place, URL, ...all(refill, '--ca', 'other.pem'))],
    [FAILS, subscribe(place, URL, ...all(refill))],
    [FAILS, subscribe(place, `tls+tcp://127.0.0.1:${bus}`, ...all(refill, '--ca', 'ca.pem', '--server-name', 'elsewhere'))],
    [FAILS, subscribe(place, `tls+tcp://127.0.0.1:${starry}`, ...all(starryRefill, '--ca', 'ca.pem', '--server-name', 'foo.example.com'))],
    [ENDS, subscribe(place, CLOSED, ...all(closedRefill, '--ca', 'ca.pem'))],
    [ENDS, subscribe(place, CLOSED, ...all(closedRefill, '--ca', 'ca.pem', ...client('stranger')))],
    [ENDS, subscribe(place, CLOSED_WEB, ...all(closedRefill, '--ca', 'ca.pem'))],
  ];
  const nngcat = place.start('stdbuf', ['-oL', 'nngcat', '--sub', '--dial', URL, '--cacert', 'ca.pem', '--subscribe', 'recipient.', '--quoted']);
  for (const s of live) await until(`connected: ${s.child.spawnargs}`, () => connected(s));
  await sleep(100); // nngcat does not say when it is connected
  await publish();
  // All is over for who comes now: only a refill has it.
  const late = [
    subscribe(place, URL, ...all(refill, '--ca', 'ca.pem')),
    subscribe(place, CLOSED, ...all(closedRefill, '--ca', 'ca.pem', ...client('client'))),
  ];
  for (const s of [...live, ...late]) await gotAll(place, s);
  await until('nngcat has some', () => /recipient\.added/.test(nngcat.stdout));
  for (const [why, s] of bad) {
    const told = () => s.stderr.split('\n').filter((l) => why.test(l)).length;
    await until(`it is told of both addresses: ${s.child.spawnargs}`, () => told() >= 2).catch((e) => assert.fail(`${e.message}: ${s.stderr}`));
    assert.equal(s.stdout, '');
    assert.ok(!connected(s));
  }
});

beside('TLS that cannot be is a wrong use', (t) => {
  const place = new Place(t);
  files(place, 'ca', certificate());
  files(place, 'other', certificate());
  const run = (...args) => command(['subscribe', ...args], { cwd: place.dir });
  const cases = [
    [2, /need a tls\+tcp:\/\/ or wss:\/\/ URL/, 'tcp://127.0.0.1:1', '', '--ca', 'ca.pem'],
    [2, /--server-name: 1 to 255 bytes/, 'tls+tcp://localhost:1', '', '--server-name', ''],
    [2, /--server-name: 1 to 255 bytes/, 'tls+tcp://localhost:1', '', '--server-name', 'a'.repeat(256)],
    [2, /--cert and --key belong together/, 'tls+tcp://localhost:1', '', '--cert', 'ca.pem'],
    [1, / --ca none\.pem: cannot be read: No such file/, 'tls+tcp://localhost:1', '', '--ca', 'none.pem'],
    [1, / --ca ca\.key: holds no certificate/, 'tls+tcp://localhost:1', '', '--ca', 'ca.key'],
    [1, / --cert ca\.key: holds no certificate/, 'tls+tcp://localhost:1', '', '--cert', 'ca.key', '--key', 'ca.pem'],
    [1, / --key other\.key: is not the key of ca\.pem$/m, 'tls+tcp://localhost:1', '', '--cert', 'ca.pem', '--key', 'other.key'],
  ];
  for (const [status, why, ...args] of cases) {
    const r = run(...args);
    assert.equal(r.status, status, args.join(' '));
    assert.match(r.stderr, why);
  }
});

// The protocol version of a handshake, or null.
const handshake = (port, ...flags) => new Promise((resolve) => {
  const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...flags], { timeout: 10000 }, (_, stdout) =>
    resolve(/Cipher is \(NONE\)/.test(stdout) ? null : /^New, (\S+), Cipher/m.exec(stdout)?.[1] ?? null));
  child.stdin.on('error', () => {});
  child.stdin.end();
});

beside('stalled and foreign connections keep no subscriber out', async (t) => {
  const place = new Place(t);
  const ca = certificate({ subject: 'authority' });
  files(place, 'ca', ca);
  files(place, 'server', certificate({ by: ca, host: 'localhost' }));
  const [bus, refill] = ports.splice(0, 2);
  const { relay, publish } = await relayWith(place, {
    bus: { listen: [`tls+tcp://127.0.0.1:${bus}`], refill: `tls+tcp://127.0.0.1:${refill}`, cert_file: 'server.pem', key_file: 'server.key' },
  });
  await publish();
  const descriptors = () => readdirSync(`/proc/${relay.pid}/fd`).length;
  const before = descriptors();
  const FIRST = [
    Buffer.alloc(0), Buffer.from([0x16, 3, 1, 2, 0, 1]), // nothing, and a part of a ClientHello
    Buffer.from([0, 0x53, 0x50, 0, 0, 0x30, 0, 0]), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(5000, 0x16),
  ];
  const open = [];
  t.after(() => open.forEach((c) => c.destroy()));
  for (let i = 0; i < 300; i++)
    for (const port of [bus, refill]) {
      // Not from an address on which others are about to listen.
      const c = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
      c.on('error', () => {});
      if (FIRST[i % 5].length) c.write(FIRST[i % 5]);
      c.resume();
      open.push(c);
    }
  await until('all have connected', () => open.every((c) => !c.connecting));
  const s = subscribe(place, `tls+tcp://localhost:${bus}`, '--all', '--refill', `tls+tcp://localhost:${refill}`, '--ca', 'ca.pem');
  await until('it is connected', () => connected(s));
  await gotAll(place, s);
  for (const port of [bus, refill])
    assert.deepEqual(await Promise.all(['-tls1_1', '-tls1_2', '-tls1_3'].map((v) => handshake(port, v, '-cipher', 'ALL:@SECLEVEL=0'))),
      [null, 'TLSv1.2', 'TLSv1.3']);
  open.forEach((c) => c.destroy());
  s.kill();
  await s.exit;
  // It has some for the API, now more, now fewer.
  await until('no descriptor is kept', () => descriptors() < before + 20);
  relay.kill();
  assert.equal((await relay.exit).code, 0);
});

const hasIPv6 = () => new Promise((done) => {
  const s = createServer().on('error', () => done(false)).listen(0, '::1', () => s.close(() => done(true)));
});

beside('over IPv6, with TLS and without', async (t) => {
  if (!await hasIPv6()) return t.skip('this machine has no ::1');
  const place = new Place(t);
  const ca = certificate({ subject: 'authority' });
  files(place, 'ca', ca);
  files(place, 'server', certificate({ by: ca, host: 'localhost' }));
  const [tcp, tls, ws, wss, refill, tlsRefill] = ports.splice(0, 6);
  const own = { cert_file: 'server.pem', key_file: 'server.key' };
  const { publish } = await relayWith(place, {
    bus: { listen: [`tcp://[::1]:${tcp}`, `ws://[::1]:${ws}/bus`], refill: `tcp://[::1]:${refill}` },
    safe: { listen: [`tls+tcp://[::1]:${tls}`, `wss://[::1]:${wss}/bus`], refill: `tls+tcp://[::1]:${tlsRefill}`, ...own },
  });
  const trust = ['--ca', 'ca.pem', '--server-name', 'localhost'];
  const live = [
    subscribe(place, `tcp://[::1]:${tcp}`),
    subscribe(place, `ws://[::1]:${ws}/bus`),
    subscribe(place, `tls+tcp://[::1]:${tls}`, ...trust),
    subscribe(place, `wss://[::1]:${wss}/bus`, ...trust),
  ];
  for (const s of live) await until(`connected: ${s.child.spawnargs}`, () => connected(s));
  await publish();
  const late = [
    subscribe(place, `tcp://[::1]:${tcp}`, '--all', '--refill', `tcp://[::1]:${refill}`),
    subscribe(place, `tls+tcp://[::1]:${tls}`, ...trust, '--all', '--refill', `tls+tcp://[::1]:${tlsRefill}`),
  ];
  for (const s of [...live, ...late]) await gotAll(place, s);
});

// A list of hosts as most machines have it, for the processes that are started with it.
beside('where localhost is ::1 first, it is so for events and refills', async (t) => {
  const place = new Place(t);
  const hosts = place.write('hosts', '127.0.0.1 localhost\n::1 localhost\n');
  const startWith = (...args) => place.start('unshare', ['-m', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, ...args]);
  const probe = startWith('getent', 'ahosts', 'localhost');
  await probe.end;
  if (!await hasIPv6() || !/^::1/m.test(probe.stdout)) return t.skip('this machine lets us mount nothing, or has no ::1');
  const [bus, refill] = ports.splice(0, 2);
  const { publish } = await relayWith(place, { bus: { listen: [`tcp://localhost:${bus}`], refill: `tcp://localhost:${refill}` } },
    () => startWith(RELAY, 'run', '-c', place.path('relay.yaml')));
  await publish();
  const s = startWith(RELAY, 'subscribe', `tcp://localhost:${bus}`, '', '--all', '--refill', `tcp://localhost:${refill}`);
  await until('it is connected', () => connected(s));
  await gotAll(place, s);
});

describe('the bus', { concurrency: tests.length }, () => {
  for (const [name, run] of tests) test(name, run);
});
