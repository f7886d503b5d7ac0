import Database from 'better-sqlite3'

// A process of its own that commits again and again, with short pauses, and each time so much that some of it is in
// the file before the commit; until it is killed.
const [path = '', mode = ''] = process.argv.slice(2)
const sqlite = new Database(path)
sqlite.pragma(`journal_mode = ${mode}`)
sqlite.pragma('cache_size = 2')
sqlite.exec('CREATE TABLE a (n, pad); CREATE TABLE b (n, pad)')
const pad = 'x'.repeat(3000)
for (const table of ['a', 'b']) {
  const insert = sqlite.prepare(`INSERT INTO ${table} VALUES (0, ?)`)
  for (let i = 0; i < 20; i++) insert.run(pad)
}
process.stdout.write('at work\n')
for (let n = 1; ; n++) {
  sqlite.exec(`BEGIN IMMEDIATE; UPDATE a SET n = ${n}; UPDATE b SET n = ${n}; COMMIT`)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * 60)
}
