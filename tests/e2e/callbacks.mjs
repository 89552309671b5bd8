// What the tests of callbacks share: an API of their own, whose rows hold what they like, and
// receivers over http and https that keep each call as it came.
import assert from 'node:assert/strict';
import { createServer as createPlain } from 'node:http';
import { createServer as createTls } from 'node:https';
import { connect } from 'node:net';
import { spawnSync } from 'node:child_process';
import { until } from './harness.mjs';

export const secretOf = (text) => 'whsec_' + Buffer.from(text.padEnd(32, '.')).toString('base64');

const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));

function closing(place, server) {
  place.servers.add({ close: () => new Promise((done) => { server.closeAllConnections?.(); server.close(done); }) });
}

// One broadcast. `rows` may be replaced; `counter` says that something changed.
export async function api(place, rows) {
  const a = { rows, counter: 1, name: 'b' };
  a.next = (more) => { a.rows = [...more, ...a.rows]; a.counter++; };
  const server = createPlain((request, response) => {
    const list = [{ id: 'bc_1', name: a.name, status: 'SENDING', sent_count: a.counter, created_at: '2026-11-22T09:00:00Z' }];
    const v = request.url.includes('/recipients') ? a.rows : list;
    response.writeHead(200, { 'content-type': 'application/json', 'pagination-count': v.length });
    response.end(JSON.stringify(v));
  });
  a.url = `http://127.0.0.1:${await listening(server)}`;
  closing(place, server);
  return a;
}

export const sentRow = (id, more = {}) => ({ id, integration_id: 'twilio', is_sent: true, is_sent_at: '2026-11-22T10:00:00.123Z', ...more });

// An endpoint that keeps what came: method, url, headers, body and raw (the same as a Buffer),
// from (the caller's port) and authorized. answer(call) gives {status, headers, body}.
export async function receiver(place, { tls, answer = () => ({}) } = {}) {
  const r = { calls: [], answer, connections: 0 };
  const serve = (request, response) => {
    const parts = [];
    request.on('data', (d) => parts.push(d));
    request.on('end', () => {
      const raw = Buffer.concat(parts);
      const call = { method: request.method, url: request.url, headers: request.headers, raw, body: raw.toString(), from: request.socket.remotePort, authorized: request.socket.authorized };
      const a = r.answer(call) ?? {};
      call.status = a.status ?? 204;
      r.calls.push(call);
      response.writeHead(call.status, a.headers ?? {});
      response.end(a.body ?? '');
    });
  };
  const server = tls ? createTls(tls, serve) : createPlain(serve);
  server.on(tls ? 'secureConnection' : 'connection', () => r.connections++);
  r.port = await listening(server);
  r.url = `${tls ? 'https' : 'http'}://localhost:${r.port}`;
  r.at = (path) => r.calls.filter((c) => c.url === path);
  r.accepted = (path) => r.at(path).filter((c) => c.status < 300);
  closing(place, server);
  return r;
}

export function openssl(place, ...args) {
  const r = spawnSync('openssl', args, { cwd: place.dir, encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// NAME.key and NAME.pem of an authority, or of one who signs for himself for localhost.
export function selfSigned(place, name, subject = 'test authority', more = []) {
  openssl(place, 'req', '-x509', ...EC, '-days', '2', '-subj', `/CN=${subject}`, ...more, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  return { key: place.read(`${name}.key`), cert: place.read(`${name}.pem`) };
}

// The same, signed by the authority of that name.
export function signed(place, name, subject, by = 'ca') {
  openssl(place, 'req', ...EC, '-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  place.write('san', `subjectAltName=DNS:${subject}\n`);
  openssl(place, 'x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'san', '-out', `${name}.pem`);
  return { key: place.read(`${name}.key`), cert: place.read(`${name}.pem`) };
}

// A forwarding proxy that notes what it is asked for: CONNECT, and plain requests by whole URL.
export async function proxy(place) {
  const p = { asked: [] };
  const through = (host, port, socket, then) => {
    const far = connect(Number(port), host === 'localhost' ? '127.0.0.1' : host, () => then(far));
    for (const end of [socket, far]) end.on('error', () => { socket.destroy(); far.destroy(); });
  };
  const server = createPlain((request, response) => {
    p.asked.push(`${request.method} ${request.url}`);
    const to = new URL(request.url);
    const parts = [];
    request.on('data', (d) => parts.push(d));
    request.on('end', async () => {
      const { host, connection, 'content-length': length, 'proxy-connection': more, ...headers } = request.headers;
      const r = await fetch(to, { method: request.method, headers, body: Buffer.concat(parts) });
      response.writeHead(r.status).end(await r.text());
    });
  });
  server.on('connect', (request, socket, head) => {
    p.asked.push(`CONNECT ${request.url}`);
    const [host, port] = request.url.split(':');
    through(host, port, socket, (far) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.write(head);
      socket.pipe(far).pipe(socket);
    });
  });
  p.url = `http://127.0.0.1:${await listening(server)}`;
  closing(place, server);
  return p;
}

// A relay on that API. `destinations` and `rules` are lines of YAML.
export function configure(place, a, destinations, rules) {
  return place.config(`
source:
  base_url: ${a.url}
  api_key: k
  since: all
  poll_every: 100ms
  poll_every_max: 100ms
  rate_limit: 0/s
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
${destinations}
rules:
${rules}
`);
}

// Each event of the journal as the file has it: its text and what it says.
export const written = (place) => place.read('events.ndjson').split('\n').filter(Boolean).map((text) => ({ text, event: JSON.parse(text) }));
export const arrives = (what, ask, n = 1) => until(`${n} ${what}`, () => ask().length >= n);
