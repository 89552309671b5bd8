// X.509 certificates made on the spot, valid when a test says so; keys that exist for one run.
import { generateKeyPairSync, sign } from 'node:crypto';

const tlv = (tag, ...parts) => {
  const body = Buffer.concat(parts.map((p) => Buffer.from(p)));
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const seq = (...parts) => tlv(0x30, ...parts);
const oid = (...bytes) => tlv(0x06, bytes);
const ECDSA_SHA256 = seq(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));
const name = (text) => seq(tlv(0x31, seq(oid(0x55, 4, 3), tlv(0x0c, Buffer.from(text)))));
// UTCTime to 2049, GeneralizedTime behind it (RFC 5280, 4.1.2.5).
const time = (date) => {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text));
};
const extension = (id, critical, value) =>
  seq(oid(0x55, 0x1d, id), ...(critical ? [tlv(0x01, [0xff])] : []), tlv(0x04, value));
const altName = (host) => (/^[\d.]+$/.test(host) ? tlv(0x87, host.split('.').map(Number)) : tlv(0x82, Buffer.from(host)));
const pem = (der) => `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

let serial = 1;

// {cert, key} in PEM. `by`: the issuer, itself when there is none; `host`: a name or an IPv4
// address it is for, an authority when there is none; from and to: days from now.
export function certificate({ subject = 'test', by = null, host = null, from = -1, to = 30 } = {}) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const day = (n) => new Date(Date.now() + n * 86400000);
  const extensions = host
    ? [extension(0x11, false, seq(altName(host)))]
    : [extension(0x13, true, seq(tlv(0x01, [0xff])))];
  const tbs = seq(tlv(0xa0, tlv(0x02, [2])), tlv(0x02, [serial++]), ECDSA_SHA256, name(by?.subject ?? subject),
    seq(time(day(from)), time(day(to))), name(subject), publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, seq(...extensions)));
  const signature = sign('sha256', tbs, by?.privateKey ?? privateKey);
  const cert = pem(seq(tbs, ECDSA_SHA256, tlv(0x03, [0], signature)));
  return { subject, privateKey, cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}
