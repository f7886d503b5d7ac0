import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { appendFileSync, copyFileSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import * as os from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLedger, openLedger } from '../../src/db/open.js'
import { openSnapshot } from '../../src/db/snapshot.js'
import { ROOT } from '../support/command.js'
import { folderState, modeOf, names, useFolder } from '../support/folder.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { execute } from '../support/sqlite.js'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, readFileSync: vi.fn(real.readFileSync), rmSync: vi.fn(real.rmSync) }
})
const real = await vi.importActual<typeof import('node:fs')>('node:fs')

const folder = useFolder()
const tmpdir = os.tmpdir()
/** Where copies are made. */
const copies = () => `${folder()}-copies`

beforeEach(() => {
  mkdirSync(copies())
  vi.stubEnv('TMPDIR', copies())
})
afterEach(() => {
  vi.mocked(fs.readFileSync).mockImplementation(real.readFileSync)
  vi.mocked(fs.rmSync).mockImplementation(real.rmSync)
  vi.unstubAllEnvs()
  expect(names(copies()), 'a copy was left behind').toEqual([])
  real.rmSync(copies(), { recursive: true })
})

/** Gives files a time long ago, so that one that is written anew cannot have the same by chance. */
function age(...paths: string[]): void {
  const then = new Date('2026-01-05T09:00:00Z')
  for (const path of paths) utimesSync(path, then, then)
}

/** A ledger whose writer was killed in the middle of a commit, a part of which is in the file already. */
async function killedMidCommit(path = 'keys.db'): Promise<void> {
  await createLedger('live.db')
  const ledger = await openLedger('live.db')
  await ledger.intendChanges([{ keyHash: 'h', action: 'x', oldValue: '1', newValue: '2' }], new Date())
  await ledger.close()
  const sqlite = new Database('live.db')
  sqlite.pragma('cache_size = 2')
  sqlite.exec("BEGIN; UPDATE pending_change SET new_value = '9'")
  const insert = sqlite.prepare("INSERT INTO secret VALUES (?, ?, 'now', NULL)")
  for (let i = 0; i < 500; i++) insert.run(`h${i}`, 'made-up'.repeat(80))
  copyFileSync('live.db', path)
  copyFileSync('live.db-journal', `${path}-journal`)
  sqlite.exec('ROLLBACK')
  sqlite.close()
  real.rmSync('live.db')
  age(path, `${path}-journal`)
}

/** What `killedMidCommit` had committed before. */
async function expectLastCommit(): Promise<void> {
  const snapshot = await openSnapshot('keys.db')
  expect(snapshot.prepare('SELECT new_value FROM pending_change').pluck().all()).toEqual(['2'])
  expect(snapshot.pragma('integrity_check', { simple: true })).toBe('ok')
  snapshot.close()
}

/** A ledger of the Python tool whose last commit is in the write-ahead log alone, since the tool was killed. */
function killedWithWriteAheadLog(): void {
  writePythonLedger('live.db', { students: [{ email: 'a@x.edu', first: 'Ada', last: 'Q', mqId: '1' }] })
  const sqlite = new Database('live.db')
  sqlite.pragma('journal_mode = WAL')
  sqlite.exec("INSERT INTO student VALUES ('b@x.edu', 'Bilal', 'Q', '2', '2026-02-19 20:52:27')")
  const files = ['', '-wal', '-shm']
  for (const suffix of files) copyFileSync(`live.db${suffix}`, `keys.db${suffix}`)
  sqlite.close()
  real.rmSync('live.db')
  age(...files.map((suffix) => `keys.db${suffix}`))
}

describe('opened as a copy, a ledger and what lies beside it stay as they are, and its last whole state is seen', () => {
  test('after a kill in the middle of a commit', async () => {
    await killedMidCommit()
    const before = folderState()
    expect(Object.keys(before)).toEqual(['keys.db', 'keys.db-journal'])
    const ledger = await openLedger('keys.db', { copy: true })
    expect(await ledger.secretHashes()).toEqual(new Set())
    await ledger.close()
    await expectLastCommit()
    expect(folderState()).toEqual(before)
  })

  test('after a kill of a program that keeps a write-ahead log', async () => {
    killedWithWriteAheadLog()
    const before = folderState()
    expect(Object.keys(before)).toEqual(['keys.db', 'keys.db-shm', 'keys.db-wal'])
    const ledger = await openLedger('keys.db', { copy: true })
    expect((await ledger.students()).map(({ mqId }) => mqId).sort()).toEqual(['1', '2'])
    await ledger.close()
    expect(folderState()).toEqual(before)
  })

  test('also where the ledger is named by a link into another folder', async () => {
    mkdirSync('synced')
    await killedMidCommit('synced/keys.db')
    symlinkSync('synced/keys.db', 'keys.db')
    const before = folderState('synced')
    const ledger = await openLedger('keys.db', { copy: true })
    expect(await ledger.secretHashes()).toEqual(new Set())
    await ledger.close()
    await expectLastCommit()
    expect(folderState('synced')).toEqual(before)
  })

  test('with pages of another size than usual', async () => {
    execute('keys.db', 'PRAGMA page_size = 1024; VACUUM')
    writePythonLedger('keys.db', {
      students: Array.from({ length: 100 }, (_, i) => ({
        email: `s${i}@x.edu`,
        first: 'Ada',
        last: 'Q',
        mqId: String(i),
      })),
    })
    const ledger = await openLedger('keys.db', { copy: true })
    expect(await ledger.students()).toHaveLength(100)
    await ledger.close()
  })
})

describe('a file that is refused is looked at in the same way', () => {
  test("another program's database after a kill in the middle of a commit", async () => {
    const sqlite = new Database('live.db')
    sqlite.exec('CREATE TABLE bookmarks (url TEXT)')
    sqlite.pragma('cache_size = 2')
    sqlite.exec('BEGIN')
    const insert = sqlite.prepare('INSERT INTO bookmarks VALUES (?)')
    for (let i = 0; i < 500; i++) insert.run('x'.repeat(500))
    copyFileSync('live.db', 'keys.db')
    copyFileSync('live.db-journal', 'keys.db-journal')
    sqlite.exec('ROLLBACK')
    sqlite.close()
    age('keys.db', 'keys.db-journal')
    const before = folderState()
    for (const copy of [true, false]) {
      await expect(openLedger('keys.db', { copy })).rejects.toMatchObject({ code: 'ledger_not_ours' })
      expect(folderState()).toEqual(before)
    }
  })

  test('a damaged one, of whose copy nothing stays', async () => {
    killedWithWriteAheadLog()
    const bytes = real.readFileSync('keys.db')
    real.writeFileSync('keys.db', bytes.fill(0xff, 100))
    real.rmSync('keys.db-wal')
    age('keys.db')
    await expect(openLedger('keys.db', { copy: true })).rejects.toMatchObject({ code: 'ledger_damaged' })
  })
})

test('the copy is private, since secrets are in it', async () => {
  await killedMidCommit()
  const seen: [name: string, mode: string][] = []
  vi.mocked(fs.rmSync).mockImplementation((path, options) => {
    seen.push([String(path).replace(/\w{6}$/, '…'), modeOf(String(path))])
    for (const name of names(String(path))) seen.push([name, modeOf(join(String(path), name))])
    real.rmSync(path, options)
  })
  const umask = process.umask(0)
  try {
    ;(await openSnapshot('keys.db')).close()
  } finally {
    process.umask(umask)
  }
  expect(seen).toEqual([
    [join(copies(), 'class-keys-…'), '700'],
    ['copy', '600'],
  ])
})

test('a ledger that moves while it is copied is copied again', async () => {
  killedWithWriteAheadLog()
  let moved = 0
  vi.mocked(fs.readFileSync).mockImplementation(((path: fs.PathLike, options: undefined) => {
    // Between the reading of the file and that of its log, the log grows.
    if (String(path).endsWith('keys.db-wal') && moved++ < 3) {
      appendFileSync('keys.db-wal', 'x')
      age('keys.db-wal')
    }
    return real.readFileSync(path, options)
  }) as typeof real.readFileSync)
  const snapshot = await openSnapshot('keys.db')
  expect(moved).toBe(4)
  expect(snapshot.prepare('SELECT count(*) FROM student').pluck().get()).toBe(2)
  snapshot.close()
})

test('where no copy can be made, that is said with the folder, and nothing is changed', async () => {
  await killedMidCommit()
  const before = folderState()
  vi.stubEnv('TMPDIR', join(folder(), 'no-such-folder'))
  const error = await openLedger('keys.db', { copy: true }).catch((e) => e)
  expect(error).toMatchObject({ code: 'temp_unwritable', exitCode: 1 })
  expect(error.message).toMatch(
    /^keys\.db was left in the middle of a change, and cannot be copied to .*no-such-folder to look at it \(ENOENT\)\./,
  )
  expect(folderState()).toEqual(before)
})

test.each(['DELETE', 'WAL', 'TRUNCATE', 'PERSIST'])(
  'beside a program that commits again and again (%s), each look sees a whole state and nothing is broken',
  async (mode) => {
    const writer = spawn(
      process.execPath,
      ['--import', 'tsx', `${ROOT}test/support/write-on.ts`, join(folder(), 'keys.db'), mode],
      {
        cwd: ROOT,
        // What the loader of its source leaves behind is no copy.
        env: { ...process.env, TMPDIR: tmpdir },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    try {
      await once(writer.stdout, 'data')
      for (let i = 0; i < 150; i++) {
        const snapshot = await openSnapshot('keys.db')
        const states = snapshot.prepare('SELECT n FROM a UNION SELECT n FROM b').all()
        expect(states).toHaveLength(1)
        expect(snapshot.pragma('integrity_check', { simple: true })).toBe('ok')
        snapshot.close()
      }
    } finally {
      writer.kill('SIGKILL')
      await once(writer, 'exit')
    }
    const snapshot = await openSnapshot('keys.db')
    expect(snapshot.prepare('SELECT n FROM a UNION SELECT n FROM b').all()).toHaveLength(1)
    snapshot.close()
  },
  60_000,
)
