// Callbacks over TLS: receivers whose certificate or protocol is not to be trusted get nothing.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer as createPlain } from 'node:net';
import { createServer } from 'node:tls';
import { certificate } from './certificates.mjs';
import { Place, command, sourceConfig, until } from './harness.mjs';

const HTTP_204 = 'HTTP/1.1 204 No Content\r\n\r\n';
const BAD_CERTIFICATE = /^no answer: the certificate is not trusted$/;
const OTHER_NAME = /^no answer: the certificate is for another name$/;
const BAD_HANDSHAKE = /^no answer: the TLS handshake failed$/;

// A TLS server that answers each request with 204; `got` is what was decrypted.
async function receiver(t, options) {
  const r = { got: '', connections: 0 };
  const server = createServer(options, (c) => {
    c.on('error', () => {});
    c.on('data', (d) => {
      r.got += d;
      c.write(HTTP_204);
    });
  });
  server.on('tlsClientError', () => {});
  await listen(t, server, r);
  return r;
}

async function listen(t, server, r) {
  const open = new Set();
  server.on('connection', (c) => {
    r.connections++;
    open.add(c);
    c.on('error', () => {});
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  r.port = server.address().port;
  t.after(() => {
    for (const c of open) c.destroy();
    server.close();
  });
}

async function plain(t, answer) {
  const r = { got: '', connections: 0 };
  await listen(t, createPlain((c) => {
    c.on('data', () => {
      if (answer) c.end(answer);
    });
  }), r);
  return r;
}

test('who cannot show that it is the receiver gets nothing', async (t) => {
  const place = new Place(t);
  const ca = certificate({ subject: 'authority' });
  const other = certificate({ subject: 'another' });
  const impostor = certificate({ subject: 'authority' });
  const good = certificate({ by: ca, host: '127.0.0.1' });
  const weak = (version, ciphers) => ({ ...good, minVersion: version, maxVersion: version, ciphers: `${ciphers}:@SECLEVEL=0` });
  const modern = { ...good, minVersion: 'TLSv1.3' };
  const cases = {
    tls12: [await receiver(t, { ...good, maxVersion: 'TLSv1.2' })],
    tls13: [await receiver(t, modern)],
    expired: [await receiver(t, certificate({ by: ca, host: '127.0.0.1', from: -30, to: -1 })), /^no answer: the certificate has expired$/],
    early: [await receiver(t, certificate({ by: ca, host: '127.0.0.1', from: 1 })), /^no answer: the certificate is not valid yet$/],
    selfsigned: [await receiver(t, certificate({ host: '127.0.0.1' })), BAD_CERTIFICATE],
    otherca: [await receiver(t, certificate({ by: other, host: '127.0.0.1' })), BAD_CERTIFICATE],
    impostor: [await receiver(t, certificate({ by: impostor, host: '127.0.0.1' })), /^no answer: the (certificate|TLS handshake) /],
    wronghost: [await receiver(t, certificate({ by: ca, host: '127.0.0.2' })), OTHER_NAME],
    wrongname: [await receiver(t, certificate({ by: ca, host: 'localhost' })), OTHER_NAME],
    tls10: [await receiver(t, weak('TLSv1', 'ALL')), BAD_HANDSHAKE],
    tls11: [await receiver(t, weak('TLSv1.1', 'ALL')), BAD_HANDSHAKE],
    nocipher: [await receiver(t, weak('TLSv1.2', 'eNULL')), BAD_HANDSHAKE],
    anonymous: [await receiver(t, weak('TLSv1.2', 'aNULL')), BAD_HANDSHAKE],
    hangs: [await plain(t), /^no answer: no connection in time$/],
    speakshttp: [await plain(t, HTTP_204), BAD_HANDSHAKE],
    asplain: [await receiver(t, modern), /^no answer: the (answer is not HTTP|connection .*)$/, 'http'],
    nosuchca: [await receiver(t, modern), BAD_CERTIFICATE, 'https', false],
  };
  place.write('ca.pem', ca.cert);
  const sim = await place.sim(['--recipients', '1', '--ramp', '1s', '--speed', '20', '--rate-limit', '0']);
  const destinations = Object.entries(cases).map(([name, [r, , scheme = 'https', named = true]]) => `
  ${name}: { http: { url: "${scheme}://127.0.0.1:${r.port}/", connect_timeout: 2s${named ? ', ca_file: ca.pem' : ''} }, retry: [0s, 1h] }`);
  place.config(`${sourceConfig(sim)}
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }${destinations.join('')}
rules: [{ name: all, to: [file, ${Object.keys(cases).join(', ')}] }]
`);
  const relay = place.relay();
  await until('an event', () => place.read('events.ndjson').includes('\n'));
  const { id } = JSON.parse(place.read('events.ndjson').split('\n')[0]);
  const told = await until('each destination was tried', () => {
    const shown = JSON.parse(command(['events', 'show', id, '-c', place.path('relay.yaml'), '--json']).stdout || '{}');
    const of = new Map((shown.destinations ?? []).map((d) => [d.name, d]));
    return Object.keys(cases).every((n) => of.get(n)?.state === 'sent' || of.get(n)?.attempts.length) && of;
  });
  for (const [name, [r, why]] of Object.entries(cases)) {
    const d = told.get(name);
    assert.ok(r.connections > 0, `${name}: never called`);
    if (!why) {
      assert.equal(d.state, 'sent', `${name}: ${d.attempts[0]?.why}`);
      assert.match(r.got, /^POST \/ HTTP\/1\.1\r\n/);
      continue;
    }
    assert.notEqual(d.state, 'sent', name);
    assert.match(d.attempts[0].why, why, name);
    assert.equal(r.got, '', name);
  }
  relay.kill();
  assert.equal((await relay.exit).code, 0);
});

// OpenSSL's own server, which says by its alert what it has against a client. By TLS 1.3 that comes
// after the handshake, as the answer to the request.
async function strict(place, ca, { cert, key }) {
  place.write('server.pem', cert + key);
  const s = place.start('openssl', ['s_server', '-accept', '127.0.0.1:0', '-tls1_3', '-cert', 'server.pem',
    '-Verify', '1', '-verify_return_error', '-CAfile', ca, '-www']);
  return until('it listens', () => /^ACCEPT 127\.0\.0\.1:(\d+)/m.exec(s.stdout)?.[1]);
}

test('a receiver that wants another client certificate, or one at all: the attempt says so', async (t) => {
  const place = new Place(t);
  const ca = certificate({ subject: 'authority' });
  const other = certificate({ subject: 'another' });
  const server = certificate({ by: ca, host: '127.0.0.1' });
  place.write('ca.pem', ca.cert);
  const port = await strict(place, 'ca.pem', server);
  const asking = await receiver(t, { ...server, ca: ca.cert, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' });
  const cases = {
    none: [port, null, 'a client certificate is required'],
    nodejs: [asking.port, null, 'a client certificate is required'],
    stranger: [port, certificate({ by: other, host: 'relay' }), 'our client certificate is refused: its authority is not trusted'],
    expired: [port, certificate({ by: ca, host: 'relay', from: -9, to: -1 }), 'our client certificate is refused: it has expired'],
  };
  const sim = await place.sim(['--recipients', '1', '--ramp', '1s', '--speed', '20', '--rate-limit', '0']);
  const destinations = Object.entries(cases).map(([name, [to, ours]]) => {
    if (ours) place.write(`${name}.pem`, ours.cert) && place.write(`${name}.key`, ours.key);
    return `
  ${name}: { http: { url: "https://127.0.0.1:${to}/", ca_file: ca.pem${ours ? `, cert_file: ${name}.pem, key_file: ${name}.key` : ''} }, retry: [0s, 1s, 1s, 1s, 1s, 1s] }`;
  });
  place.config(`${sourceConfig(sim)}
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }${destinations.join('')}
rules: [{ name: all, to: [file, ${Object.keys(cases).join(', ')}] }]
`);
  place.relay();
  await until('an event', () => place.read('events.ndjson').includes('\n'));
  const { id } = JSON.parse(place.read('events.ndjson').split('\n')[0]);
  // Who closes at once may break the connection before its alert is read: then it is the next attempt that tells.
  for (const [name, [, , why]] of Object.entries(cases)) {
    let told = [];
    await until(`${name} is told`, () => {
      const shown = JSON.parse(command(['events', 'show', id, '-c', place.path('relay.yaml'), '--json']).stdout || '{}');
      told = shown.destinations?.find((d) => d.name === name)?.attempts.map((a) => a.why) ?? [];
      return told.includes(`no answer: ${why}`);
    }).catch((e) => assert.fail(`${e.message}: ${told}`));
  }
  assert.equal(asking.got, '');
});
