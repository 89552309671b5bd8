// How the relay reaches the API: TLS, proxies, connections, compression; and what a row may hold.
// The API here is a server of the test's own, over TLS with an authority made for the test.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer as createPlain } from 'node:http';
import { createServer as createTls } from 'node:https';
import { connect } from 'node:net';
import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { Place, until } from './harness.mjs';

const openssl = (place, ...args) => {
  const r = spawnSync('openssl', args, { cwd: place.dir, encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
};

// An authority and a certificate of it for localhost, by that name only.
function certificate(place) {
  openssl(place, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl(place, 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
    '-keyout', 'api.key', '-out', 'api.csr');
  place.write('san', 'subjectAltName=DNS:localhost\n');
  openssl(place, 'x509', '-req', '-in', 'api.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
    '-extfile', 'san', '-out', 'api.pem');
  return { key: place.read('api.key'), cert: place.read('api.pem') };
}

const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));

function closing(place, server) {
  place.servers.add({ close: () => new Promise((done) => { server.closeAllConnections?.(); server.close(done); }) });
}

// One broadcast with `rows`. reply(body, request) may send the body in another way.
async function api(place, { tls, rows = [{ id: 'r1', is_sent: true, is_sent_at: '2026-11-22T10:00:00Z' }] } = {}) {
  const a = { requests: [], connections: 0, rows, counter: 1, reply: (body) => ({ body }) };
  const serve = (request, response) => {
    a.requests.push({ url: request.url, headers: request.headers, from: request.socket.remotePort });
    const list = [{ id: 'bc_1', name: 'b', status: 'SENDING', sent_count: a.counter, created_at: '2026-11-22T09:00:00Z' }];
    const v = request.url.includes('/recipients') ? a.rows : list;
    const r = a.reply(Buffer.from(JSON.stringify(v)), request);
    response.writeHead(200, { 'content-type': 'application/json', 'pagination-count': v.length, ...r.headers });
    response.end(r.body);
  };
  const server = tls ? createTls(tls, serve) : createPlain(serve);
  server.on(tls ? 'secureConnection' : 'connection', () => a.connections++);
  a.port = await listening(server);
  a.url = `${tls ? 'https' : 'http'}://localhost:${a.port}`;
  closing(place, server);
  return a;
}

// A proxy that notes what it is asked for.
async function proxy(place) {
  const p = { asked: [] };
  const server = createPlain((request, response) => {
    p.asked.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  server.on('connect', (request, socket, head) => {
    p.asked.push(`CONNECT ${request.url}`);
    const [host, port] = request.url.split(':');
    const through = connect(Number(port), host === 'localhost' ? '127.0.0.1' : host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      through.write(head);
      socket.pipe(through).pipe(socket);
    });
    for (const end of [socket, through]) end.on('error', () => { socket.destroy(); through.destroy(); });
  });
  p.url = `http://127.0.0.1:${await listening(server)}`;
  closing(place, server);
  return p;
}

const config = (place, url, more = '') => place.config(`
source:
  base_url: ${url}
  since: all
  poll_every: 100ms
  poll_every_max: 100ms
  rate_limit: 0/s${more}
journal: { sqlite: { path: relay.db } }
destinations: { file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, to: [file] }]
`);

const events = (place, type) => place.read('events.ndjson').split('\n').filter((l) => l.includes(`"type":"${type}"`));
const arrives = (place, type, n = 1) => until(`${n} ${type}`, () => events(place, type).length >= n);

test('TLS with an authority of one\'s own; requests share connections', async (t) => {
  const place = new Place(t);
  const a = await api(place, { tls: certificate(place) });
  config(place, a.url, '\n  ca_file: ca.pem');
  place.relay();
  await arrives(place, 'recipient.sent');
  await until('ten requests', () => a.requests.length >= 10);
  const first = a.requests[0].from;
  assert.ok(a.requests.filter((r) => r.from === first).length >= 2, 'no connection was used twice');
  assert.ok(a.connections < a.requests.length / 2, `${a.connections} connections`);
});

test('a certificate of nobody\'s, or for another name, is refused before anything is asked', async (t) => {
  for (const [host, more] of [['localhost', ''], ['127.0.0.1', '\n  ca_file: ca.pem']]) {
    const place = new Place(t);
    const a = await api(place, { tls: certificate(place) });
    config(place, a.url.replace('localhost', host), more);
    const relay = place.relay();
    await arrives(place, 'relay.source.down');
    assert.match(relay.stderr, /certificate/i);
    assert.match(events(place, 'relay.source.down')[0], /"status":null/);
    assert.equal(a.requests.length, 0);
  }
});

test('a proxy is used when it is named, and only then', async (t) => {
  const place = new Place(t);
  const tls = certificate(place);
  const a = await api(place, { tls });
  const named = await proxy(place), trap = await proxy(place);
  const env = { ...process.env };
  for (const name of ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']) env[name] = trap.url;
  config(place, a.url, '\n  ca_file: ca.pem');
  const direct = place.relay([], { env });
  await arrives(place, 'recipient.sent');
  direct.kill('SIGTERM');
  await direct.exit;
  assert.deepEqual(trap.asked, []);

  env.no_proxy = env.NO_PROXY = '*';
  config(place, a.url, `\n  ca_file: ca.pem\n  proxy: ${named.url}`);
  const before = a.requests.length;
  place.relay([], { env });
  await until('requests come through the proxy', () => a.requests.length >= before + 5);
  assert.deepEqual(new Set(named.asked), new Set([`CONNECT localhost:${a.port}`]));
  assert.deepEqual(trap.asked, []);
});

test('compressed pages are read; one that unpacks to more than 8 MiB is not', async (t) => {
  const place = new Place(t);
  const a = await api(place);
  const packed = (body) => ({ body: gzipSync(body), headers: { 'content-encoding': 'gzip' } });
  const bomb = Buffer.concat([Buffer.from('['), Buffer.alloc(64 << 20, ' '), Buffer.from(']')]);
  a.reply = (body, request) => {
    assert.match(request.headers['accept-encoding'] ?? '', /gzip/);
    return packed(body);
  };
  config(place, a.url);
  const relay = place.relay();
  await arrives(place, 'recipient.sent');

  const small = packed(bomb);
  assert.ok(small.body.length < 1 << 20);
  a.reply = (body, request) => (request.url.includes('/recipients') ? small : packed(body));
  a.counter++;
  await until('the log says so', () => /an answer over its ceiling/.test(relay.stderr));
  a.rows = [{ id: 'r2', is_failed: true }, ...a.rows];
  a.reply = packed;
  a.counter++;
  await arrives(place, 'recipient.failed');
  assert.equal(events(place, 'recipient.removed').length, 0);
});

test('a new flag that is a text in between loses no row and reverts nothing', async (t) => {
  const place = new Place(t);
  const a = await api(place, { rows: [{ id: 'r1', is_tier: true, is_sent: null }] });
  config(place, a.url);
  const relay = place.relay();
  await arrives(place, 'recipient.tier');
  const next = (row) => { a.rows = [row]; a.counter++; };
  next({ id: 'r1', is_tier: 'gold', is_sent: true });
  await arrives(place, 'recipient.sent');
  next({ id: 'r1', is_tier: true, is_sent: true, is_failed: true });
  await arrives(place, 'recipient.failed');
  assert.equal(events(place, 'recipient.reverted').length, 0);
  assert.equal(events(place, 'recipient.tier').length, 1);
  next({ id: 'r1', is_tier: false, is_sent: true, is_failed: true });
  await arrives(place, 'recipient.reverted');
  assert.equal(relay.stderr.match(/no booleans.*name=tier/g).length, 1);
  assert.doesNotMatch(relay.stderr, /rows left out/);
});
