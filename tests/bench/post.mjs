// The script one writes first: POSTs 600 bytes again and again, 16 in flight on kept connections.
// node post.mjs URL, until it is ended.
import http from 'node:http';

const url = new URL(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const body = Buffer.alloc(600, 'x');
const options = {
  agent,
  host: url.hostname,
  port: url.port,
  path: '/',
  method: 'POST',
  headers: { 'content-type': 'application/cloudevents+json', 'content-length': body.length },
};

function post() {
  const request = http.request(options, (reply) => {
    reply.resume();
    reply.on('end', post);
  });
  request.on('error', (why) => {
    console.error(why.message);
    process.exit(1);
  });
  request.end(body);
}
for (let i = 0; i < 16; i++) post();
