// The worst receivers beside a good one, under load: the good one gets everything, the relay stays
// small, tells what is wrong with the others, and ends when it is asked to.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { Place, RELAY, command, freePort, sleep, sourceConfig, until, verify } from './harness.mjs';

const SILENT = 30; // destinations that never answer
const PEAK_KIB = 160 << 10;

// A server that hands each request's end to `answer(socket, number of the request)`.
async function raw(t, answer) {
  const r = { requests: 0, sent: 0 };
  const open = new Set();
  const server = createServer((c) => {
    let head = '';
    open.add(c);
    c.on('error', () => {});
    c.on('close', () => open.delete(c));
    c.on('data', (d) => {
      head += d;
      // The body's last bytes are the event's closing brace; one request at a time.
      if (!head.includes('\r\n\r\n') || !head.endsWith('}')) return;
      head = '';
      answer(c, ++r.requests, r);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const c of open) c.destroy();
    server.close();
  });
  r.url = `http://127.0.0.1:${server.address().port}/`;
  return r;
}

const PIECE = Buffer.alloc(1 << 17, 'x');

function pour(c, r, piece) {
  const more = () => {
    while (!c.destroyed && r.sent < 2 ** 33) {
      r.sent += piece.length;
      if (!c.write(piece)) {
        c.once('drain', more);
        return;
      }
    }
  };
  more();
}

const HOSTILE = {
  flood: (c, n, r) => {
    c.write('HTTP/1.1 500 No\r\nContent-Length: 1073741824\r\n\r\n');
    pour(c, r, PIECE);
  },
  chunks: (c, n, r) => {
    c.write('HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n');
    pour(c, r, Buffer.from('1\r\nx\r\n'.repeat(10000)));
  },
  interim: (c, n, r) => pour(c, r, Buffer.from('HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n'.repeat(1000))),
  drip: (c) => {
    c.write('HTTP/1.1 200 OK\r\nX: ');
    const timer = setInterval(() => (c.destroyed ? clearInterval(timer) : c.write('y')), 100);
  },
  reset: (c) => {
    c.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    c.resetAndDestroy();
  },
  later: (c) => c.write('HTTP/1.1 429 Later\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n'),
  // The second would disable it, were it taken for the next one's answer.
  twice: (c) => c.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n'),
  elsewhere: (c) => c.write('HTTP/1.1 307 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n'),
};

const peakKiB = (pid) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

async function scene(t, simArgs, silent = SILENT) {
  const place = new Place(t);
  const sim = await place.sim([...simArgs, '--rate-limit', '0', '--hold']);
  const good = await place.receiver();
  const hostile = {};
  for (const [name, answer] of Object.entries(HOSTILE)) hostile[name] = await raw(t, answer);
  const deaf = await raw(t, () => {});
  const admin = await freePort();
  const to = [...Object.keys(HOSTILE), 'self', 'byname'];
  const lines = [...Object.entries(hostile).map(([name, r]) => [name, r.url]),
    ['self', `http://127.0.0.1:${admin}/`], ['byname', `http://localhost:${admin}/`]]
    .map(([name, url]) => `  ${name}: { http: { url: "${url}", timeout: 2s }, retry: [0s, 1h, 1h] }`);
  for (let i = 0; i < silent; i++) {
    to.push(`deaf${i}`);
    lines.push(`  deaf${i}: { http: { url: "${deaf.url}", timeout: 300s } }`);
  }
  place.config(`${sourceConfig(sim)}
stop_timeout: 1s
admin: { listen: "127.0.0.1:${admin}" }
journal: { sqlite: { path: relay.db } }
destinations:
  good: { http: { url: "${good.url}/" } }
${lines.join('\n')}
rules: [{ name: all, to: [good, ${to.join(', ')}] }]
`);
  const status = () => {
    const r = command(['status', '-c', place.path('relay.yaml'), '--json']);
    return r.status === 0 ? new Map(JSON.parse(r.stdout).destinations.map((d) => [d.name, d])) : null;
  };
  return { place, sim, good, hostile, deaf, admin, status };
}

// A comparison holds this process up, and with it all receivers: not too often.
async function everything(place, good, ledger) {
  for (const end = Date.now() + 60000; ; await sleep(500)) {
    good.saveAccepted('calls.ndjson');
    const verdict = verify(ledger, [place.path('calls.ndjson')]);
    if (verdict.ok) return;
    if (Date.now() > end) assert.fail(verdict.text);
  }
}

test('a good receiver among the worst ones gets everything', async (t) => {
  const { place, sim, good, hostile, status } = await scene(t, ['--recipients', '300', '--ramp', '60s', '--speed', '30']);
  const relay = place.relay();
  await until('it is up', status);
  await sim.post('/sim/start');
  await until('each was called', () => Object.values(hostile).every((r) => r.requests > 0));
  await sim.post('/sim/step?ms=120000');
  await sim.post('/sim/end');
  const ledger = await sim.saveLedger();
  await everything(place, good, ledger);
  const told = await until('what is wrong with the others is told', () => {
    const s = status();
    return s && [...Object.keys(HOSTILE), 'self', 'byname'].every((n) => n === 'twice' || s.get(n).why || s.get(n).parked) && s;
  });
  const expected = {
    flood: /^500: x+/, chunks: /^503: x+/, interim: /^103: headers over their ceiling$/,
    drip: /^200: no complete answer in time$/, reset: /^(200|no answer): the connection /, later: /^429$/,
    self: /^address not allowed: an address of this relay$/, byname: /^(address not allowed|no answer): /, // ::1 was tried
  };
  for (const [name, why] of Object.entries(expected)) {
    assert.match(told.get(name).why, why, name);
    assert.equal(told.get(name).parked, 0, name);
    assert.equal(told.get(name).sent, 0, name);
    assert.ok(told.get(name).retrying > 0, name);
  }
  assert.equal(told.get('twice').state, 'enabled');
  assert.ok(told.get('elsewhere').parked > 0); // nothing but a person can mend that
  assert.equal(told.get('elsewhere').sent, 0);
  for (let i = 0; i < SILENT; i++) {
    assert.equal(told.get(`deaf${i}`).sent, 0);
    assert.ok(told.get(`deaf${i}`).in_flight > 0);
  }
  const peak = peakKiB(relay.pid);
  assert.ok(peak < PEAK_KIB, `${peak} KiB`);
  t.diagnostic(`peak_kib=${peak} flood_bytes=${hostile.flood.sent} interim_bytes=${hostile.interim.sent} calls=${good.calls.length}`);

  relay.kill(); // with three hundred seconds to go for hundreds of calls
  await until('it has ended', () => relay.exited, 15000);
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
});

// It has fewer files than it would open; the journal and the admin API have theirs.
test('out of files it goes on', async (t) => {
  const { place, sim, good, status } = await scene(t, ['--recipients', '200', '--ramp', '10s', '--speed', '20'], 10);
  const relay = place.start('/bin/sh', ['-c', 'ulimit -n 96; exec "$0" run -c relay.yaml', RELAY]);
  await until('it is up', status);
  await sim.post('/sim/start');
  await until('there are no more', () => /too many connections are open/.test(relay.stderr));
  await sim.post('/sim/end');
  const ledger = await sim.saveLedger();
  await until('the good one has something', () => good.accepted().length > 0);
  const told = status();
  assert.ok([...told.values()].reduce((n, d) => n + d.in_flight, 0) > 0);
  assert.equal(relay.exited, false);
  relay.kill();
  await until('it has ended', () => relay.exited, 15000);
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
  // What it could not send meanwhile was kept.
  const silent = place.read('relay.yaml').replace(/, deaf\d/g, '').replace(/^ {2}deaf.*\n/gm, '');
  place.config(silent);
  place.relay();
  await everything(place, good, ledger);
});
