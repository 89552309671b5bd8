#!/bin/sh
# build/bench/*.json → docs/performance.md on standard output.
set -eu
cd "$(dirname "$0")/../.."
node - build/bench/*.json <<'JS'
const { readFileSync } = require('node:fs');
const { basename } = require('node:path');
const number = (x) => (x === undefined || x === null ? '' : Math.abs(x) >= 1000 ? Math.round(x).toLocaleString('en') : Number(x.toPrecision(3)).toString());
console.log(`# What \`make bench\` measured

Absolute figures depend on the machine; what counts is the ratio to a limit or a peer that was measured in the
same run: in alternating rounds, as a median, or, for the memory of whole processes, in one run
each, which is noisier. \`bar\` is the ratio (or, where there is no peer, the value) asked for. The figures
under \`polling\` are of simulated time, the same on any machine.
`);
for (const file of process.argv.slice(2)) {
  if (file.endsWith('-part.json')) continue; // of a run of some of it
  const { machine, rows, tables = [] } = JSON.parse(readFileSync(file, 'utf8'));
  console.log(`## ${basename(file, '.json')}\n\n${typeof machine === 'string' ? machine : Object.values(machine).join(', ')}\n`);
  console.log('| case | value | unit | ratio | of | bar | met |\n|---|--:|---|--:|---|--:|---|');
  for (const r of rows)
    console.log(`| ${r.case} | ${number(r.value)} | ${r.unit} | ${number(r.ratio)} | ${r.of ?? ''} | ${number(r.bar)} | ${r.ok === undefined ? '' : r.ok ? 'yes' : '**no**'} |`);
  for (const { title, lines: [head, ...lines] } of tables) {
    const cells = (line) => `| ${line.split('|').join(' | ')} |`;
    console.log(`\n### ${title}\n\n${cells(head)}\n|${'---|'.repeat(head.split('|').length)}`);
    for (const line of lines) console.log(cells(line));
  }
  console.log();
}
JS
