import * as fs from 'node:fs'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLedger, openLedger } from '../../src/db/open.js'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { folderState, modeOf, names, useFolder } from '../support/folder.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { columnsOf, execute, query } from '../support/sqlite.js'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, chmodSync: vi.fn(real.chmodSync) }
})
const real = await vi.importActual<typeof import('node:fs')>('node:fs')

useFolder()
afterEach(() => {
  vi.mocked(fs.chmodSync).mockImplementation(real.chmodSync)
  vi.restoreAllMocks()
})

/** What an action is refused with. */
async function refusal(action: Promise<unknown>): Promise<ClassKeysError> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ClassKeysError)) throw new Error(`not refused in words: ${String(error)}`)
  return error
}

/** A moment long ago, so that a file that is written anew cannot have the same one by chance. */
function age(path: string): void {
  utimesSync(path, new Date('2026-01-05T09:00:00Z'), new Date('2026-01-05T09:00:00Z'))
}

describe('a new ledger', () => {
  test('has schema v2 exactly, and nothing beside it', async () => {
    expect(await createLedger('keys.db')).toBe('created')
    expect(names()).toEqual(['keys.db'])
    expect(query('keys.db', 'SELECT * FROM schema_version')).toEqual([{ version: 2 }])
    expect(columnsOf('keys.db', 'student')).toEqual([
      'email',
      'first_name',
      'last_name',
      'mq_id',
      'created_at',
    ])
    expect(columnsOf('keys.db', 'key')).toEqual([
      'key_hash',
      'key_label',
      'email',
      'key_name',
      'created_at',
      'credit_limit',
      'disabled',
    ])
    expect(columnsOf('keys.db', 'usage')).toEqual(['id', 'key_hash', 'usage', 'checked_at'])
    expect(columnsOf('keys.db', 'changelog')).toEqual([
      'id',
      'key_hash',
      'action',
      'old_value',
      'new_value',
      'changed_at',
    ])
    expect(columnsOf('keys.db', 'schema_version')).toEqual(['version'])
  })

  test('takes no student twice by MQ ID, and no key without its student', async () => {
    await createLedger('keys.db')
    const sqlite = new Database('keys.db')
    const add = sqlite.prepare("INSERT INTO student VALUES (?, 'Ada', 'Quill', ?, '2026-02-19')")
    add.run('ada@example.edu', '48200001')
    expect(() => add.run('other@example.edu', '48200001')).toThrow(/UNIQUE/)
    const orphan = "INSERT INTO key VALUES ('h', NULL, 'nobody@example.edu', 'n', '2026-02-19', NULL, 0)"
    expect(() => sqlite.exec(orphan)).toThrow(/FOREIGN KEY/)
    sqlite.close()
  })

  test('is readable by its owner alone, whatever the umask', async () => {
    const umask = process.umask(0)
    try {
      await createLedger('keys.db')
    } finally {
      process.umask(umask)
    }
    expect(modeOf('keys.db')).toBe('600')
  })

  test('made a second time is left as it is', async () => {
    await createLedger('keys.db')
    age('keys.db')
    const before = folderState()
    expect(await createLedger('keys.db')).toBe('already there')
    expect(folderState()).toEqual(before)
  })

  test('of two that are made at once, one is there and the other is told so', async () => {
    const outcomes = await Promise.allSettled([createLedger('keys.db'), createLedger('keys.db')])
    expect(outcomes.map((o) => o.status === 'fulfilled' && o.value).sort()).toEqual([
      'already there',
      'created',
    ])
    expect(names()).toEqual(['keys.db'])
    await (await openLedger('keys.db')).close()
  })

  test.each<[string, string, RegExp, () => void]>([
    ['in a folder that is not there', 'nodir/keys.db', /^There is no folder nodir to make/, () => {}],
    ['below a file', 'roster.csv/keys.db', /^roster\.csv is a file/, () => writeFileSync('roster.csv', '')],
    [
      'far below a file',
      'roster.csv/a/keys.db',
      /^There is no folder roster\.csv\/a/,
      () => writeFileSync('roster.csv', ''),
    ],
    [
      'at a link that leads nowhere',
      'dang.db',
      /^dang\.db is a link that leads nowhere/,
      () => symlinkSync('x', 'dang.db'),
    ],
    ['at an empty path', '', /^The path of the ledger is empty/, () => {}],
    ['at a path of spaces', ' ', /^The path of the ledger is empty/, () => {}],
  ])('%s is refused in words, and leaves nothing', async (_, path, says, make) => {
    make()
    const before = names()
    const error = await refusal(createLedger(path))
    expect(error).toMatchObject({ code: 'bad_ledger_path', exitCode: 2 })
    expect(error.message).toMatch(says)
    expect(error.message).toMatch(/ame (another|a) file with --db\.$/)
    expect(names()).toEqual(before)
  })

  test('is a file by any name, and by that which means memory to SQLite', async () => {
    expect(await createLedger(':memory:')).toBe('created')
    expect(names()).toEqual([':memory:'])
    for (const copy of [false, true]) {
      const ledger = await openLedger(':memory:', { copy })
      expect(await ledger.students()).toEqual([])
      await ledger.close()
    }
    expect(await createLedger(':memory:')).toBe('already there')
    expect(names()).toEqual([':memory:'])
  })
})

test('nothing is opened at an empty path', async () => {
  expect(await refusal(openLedger(''))).toMatchObject({ code: 'bad_ledger_path', exitCode: 2 })
})

describe('what is not a ledger is refused, by opening and by creating, and left untouched to the byte', () => {
  /** Each makes `keys.db` as something else. */
  const others: Record<string, { make: () => void; code: string; says: RegExp }> = {
    'a text file': {
      make: () => writeFileSync('keys.db', 'first_name,last_name\nAda,Quill\n'),
      code: 'ledger_not_ours',
      says: /not an SQLite database.*--db.*init-db/,
    },
    'a text file with a few letters': {
      make: () => writeFileSync('keys.db', 'hello'),
      code: 'ledger_not_ours',
      says: /not an SQLite database/,
    },
    'an empty file': {
      make: () => writeFileSync('keys.db', ''),
      code: 'ledger_not_ours',
      says: /empty file.*Delete it.*init-db/,
    },
    "a file of zeros as long as a database's page": {
      make: () => writeFileSync('keys.db', Buffer.alloc(4096)),
      code: 'ledger_not_ours',
      says: /not an SQLite database/,
    },
    "another program's database": {
      make: () => execute('keys.db', 'CREATE TABLE bookmarks (url TEXT); CREATE TABLE cookies (name TEXT)'),
      code: 'ledger_not_ours',
      says: /has the tables bookmarks, cookies/,
    },
    "another program's database that has a table of students": {
      make: () =>
        execute('keys.db', 'CREATE TABLE student (id INTEGER); CREATE TABLE schema_version (version)'),
      code: 'ledger_too_old',
      says: /before schema v2/,
    },
    "another program's database in write-ahead mode": {
      make: () => execute('keys.db', 'PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT)'),
      code: 'ledger_not_ours',
      says: /has the tables bookmarks/,
    },
    'a database without tables': {
      make: () => execute('keys.db', 'CREATE TABLE t (x); DROP TABLE t'),
      code: 'ledger_not_ours',
      says: /has no tables/,
    },
    'a ledger at v1': {
      make: () => writePythonLedger('keys.db', { version: 1 }),
      code: 'ledger_too_old',
      says: /before schema v2: it is at schema v1.*init-db/,
    },
    'a ledger at v1 in write-ahead mode': {
      make: () => {
        writePythonLedger('keys.db', { version: 1 })
        execute('keys.db', 'PRAGMA journal_mode = WAL')
      },
      code: 'ledger_too_old',
      says: /v1/,
    },
    'a ledger from before versions were written down': {
      make: () =>
        execute(
          'keys.db',
          'CREATE TABLE student (email TEXT PRIMARY KEY); CREATE TABLE key (key_hash TEXT PRIMARY KEY)',
        ),
      code: 'ledger_too_old',
      says: /names no schema version/,
    },
    'a ledger whose version was never written': {
      make: () => {
        writePythonLedger('keys.db')
        execute('keys.db', 'DELETE FROM schema_version')
      },
      code: 'ledger_too_old',
      says: /names no schema version/,
    },
    'a ledger of a later schema': {
      make: () => writePythonLedger('keys.db', { version: 3 }),
      code: 'ledger_too_new',
      says: /schema v3, and this class-keys knows v2.*newer class-keys/,
    },
    'a ledger that says v2 and lacks a table': {
      make: () => {
        writePythonLedger('keys.db')
        execute('keys.db', 'DROP TABLE usage')
      },
      code: 'ledger_not_ours',
      says: /says schema v2, but usage is not as v2 has it/,
    },
    'a ledger that says v2 and lacks a column': {
      make: () => {
        writePythonLedger('keys.db')
        execute('keys.db', 'ALTER TABLE key DROP COLUMN credit_limit')
      },
      code: 'ledger_not_ours',
      says: /key is not as v2 has it/,
    },
  }

  for (const [what, { make, code, says }] of Object.entries(others)) {
    test(what, async () => {
      make()
      age('keys.db')
      const before = folderState()
      for (const action of [openLedger, createLedger, (path: string) => openLedger(path, { copy: true })]) {
        const error = await refusal(action('keys.db'))
        expect(error).toMatchObject({ code, exitCode: 2 })
        expect(error.message).toMatch(says)
        expect(error.message).toContain('keys.db')
        expect(error.message).not.toMatch(/\n|SQLITE_/)
        expect(folderState()).toEqual(before)
      }
    })
  }

  test("another program's database with a write-ahead log that is not in the file yet", async () => {
    const sqlite = new Database('live.db')
    sqlite.pragma('journal_mode = WAL')
    sqlite.exec('CREATE TABLE bookmarks (url TEXT)')
    copyFileSync('live.db', 'keys.db')
    copyFileSync('live.db-wal', 'keys.db-wal')
    sqlite.close()
    age('keys.db')
    age('keys.db-wal')
    const before = folderState()
    for (const action of [openLedger, createLedger]) {
      const error = await refusal(action('keys.db'))
      expect(error).toMatchObject({ code: 'ledger_not_ours', exitCode: 2 })
      expect(folderState()['keys.db']).toEqual(before['keys.db'])
      expect(folderState()['keys.db-wal']).toEqual(before['keys.db-wal'])
    }
  })

  test('a folder', async () => {
    mkdirSync('keys.db')
    writeFileSync('keys.db/inside.txt', 'kept')
    for (const action of [openLedger, createLedger]) {
      const error = await refusal(action('keys.db'))
      expect(error).toMatchObject({ code: 'ledger_not_ours', exitCode: 2 })
      expect(error.message).toMatch(/is a folder/)
    }
    expect(names('keys.db')).toEqual(['inside.txt'])
  })

  test('a ledger of a newer class-keys, whose migrations this one does not know', async () => {
    await createLedger('keys.db')
    execute('keys.db', "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('f00d', 99999999999999)")
    age('keys.db')
    const before = folderState()
    for (const action of [openLedger, createLedger]) {
      const error = await refusal(action('keys.db'))
      expect(error).toMatchObject({ code: 'ledger_too_new', exitCode: 2 })
      expect(error.message).toMatch(/newer class-keys/)
      expect(folderState()).toEqual(before)
    }
  })

  test('a path at which there is nothing: init-db is named, and no file is made', async () => {
    const error = await refusal(openLedger('keys.db'))
    expect(error).toMatchObject({ code: 'ledger_missing', exitCode: 2 })
    expect(error.message).toMatch(/no ledger at keys\.db.*class-keys init-db/)
    expect(names()).toEqual([])
  })

  test('a link that leads nowhere', async () => {
    symlinkSync('gone.db', 'keys.db')
    expect(await refusal(openLedger('keys.db'))).toMatchObject({ code: 'ledger_missing' })
    expect(names()).toEqual(['keys.db'])
  })

  test('a ledger whose middle was overwritten is said to be damaged', async () => {
    await createLedger('keys.db')
    const { size } = folderState()['keys.db'] ?? { size: 0 }
    const sqlite = new Database('keys.db')
    const rootPage = sqlite.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'student'").pluck().get()
    sqlite.close()
    expect(size).toBeGreaterThan(0)
    const { readFileSync } = await import('node:fs')
    const bytes = readFileSync('keys.db')
    bytes.fill(0xff, (Number(rootPage) - 1) * 4096, Number(rootPage) * 4096)
    writeFileSync('keys.db', bytes)
    const open = async () => {
      const ledger = await openLedger('keys.db')
      await ledger.students().finally(() => ledger.close())
    }
    const error = await refusal(open())
    expect(error.code).toBe('ledger_damaged')
    expect(error.message).toMatch(/keys\.db is damaged.*backup/)
  })
})

describe('an open ledger', () => {
  test('is readable by its owner alone from then on', async () => {
    await createLedger('keys.db')
    chmodSync('keys.db', 0o644)
    await (await openLedger('keys.db')).close()
    expect(modeOf('keys.db')).toBe('600')
  })

  describe('that others can read, and that cannot be made private', () => {
    beforeEach(async () => {
      await createLedger('keys.db')
      chmodSync('keys.db', 0o666)
      vi.mocked(fs.chmodSync).mockImplementation(() => {
        throw Object.assign(new Error('not yours'), { code: 'EPERM' })
      })
    })

    test('since it is of another user, is refused with that reason, and stays as it is', async () => {
      const { uid } = statSync('keys.db')
      vi.spyOn(process, 'getuid').mockReturnValue(uid + 1)
      const before = folderState()
      const error = await refusal(openLedger('keys.db'))
      expect(error).toMatchObject({ code: 'ledger_not_private', exitCode: 1 })
      expect(error.message).toBe(
        'The ledger keys.db holds the secrets and can be read by others, and cannot be made private: it belongs to another user. Run the same command as that user, or have the file given to you.',
      )
      expect(folderState()).toEqual(before)
    })

    test('since its disk keeps no permissions, is refused with that reason', async () => {
      const error = await refusal(openLedger('keys.db'))
      expect(error.code).toBe('ledger_not_private')
      expect(error.message).toMatch(/its disk does not let it\. Move it to a folder on another disk\.$/)
    })

    test('can be looked at as a copy, which changes nothing about it', async () => {
      await (await openLedger('keys.db', { copy: true })).close()
    })
  })

  test('of another user that nobody else can read is as private as it has to be', async () => {
    await createLedger('keys.db')
    vi.mocked(fs.chmodSync).mockImplementation(() => {
      throw Object.assign(new Error('not yours'), { code: 'EPERM' })
    })
    await (await openLedger('keys.db')).close()
  })

  test('is one file between commits, which survives being moved', async () => {
    await createLedger('keys.db')
    const ledger = await openLedger('keys.db')
    await ledger.intendChanges(
      [{ keyHash: 'h', action: 'update_limit', oldValue: '1.00', newValue: '2.00' }],
      new Date(),
    )
    expect(names()).toEqual(['keys.db'])
    renameSync('keys.db', 'moved.db')
    expect(query('moved.db', 'SELECT new_value FROM pending_change')).toEqual([{ new_value: '2.00' }])
    await ledger.close()
  })

  test('commits to the disk before it returns', async () => {
    // EXTRA also synchronises the folder after the journal is taken away: without it a power cut could bring
    // back the journal, and with it the state from before the commit.
    await createLedger('keys.db')
    const { connect } = await import('../../src/db/connection.js')
    const { sqlite } = connect('keys.db')
    expect(sqlite.pragma('synchronous', { simple: true })).toBe(3)
    expect(sqlite.pragma('fullfsync', { simple: true })).toBe(1)
    expect(sqlite.pragma('journal_mode', { simple: true })).toBe('delete')
    expect(sqlite.pragma('busy_timeout', { simple: true })).toBe(5000)
    sqlite.close()
  })

  test('keeps the journal beside it private while a transaction is open', async () => {
    const umask = process.umask(0)
    try {
      await createLedger('keys.db')
      const { connect } = await import('../../src/db/connection.js')
      const { sqlite } = connect('keys.db')
      sqlite.pragma('cache_spill = 1')
      sqlite.exec("BEGIN; INSERT INTO secret VALUES ('h', 'made-up', 'now', NULL)")
      expect(names()).toEqual(['keys.db', 'keys.db-journal'])
      expect(modeOf('keys.db-journal')).toBe('600')
      sqlite.exec('ROLLBACK')
      sqlite.close()
    } finally {
      process.umask(umask)
    }
  })

  test('opened as a copy leaves the file as it is, whatever is done to it', async () => {
    await createLedger('keys.db')
    age('keys.db')
    const before = folderState()
    const ledger = await openLedger('keys.db', { copy: true })
    await ledger.intendChanges([{ keyHash: 'h', action: 'x', oldValue: null, newValue: null }], new Date())
    await ledger.close()
    expect(folderState()).toEqual(before)
  })

  test('opened as a copy leaves a ledger of the Python tool unadopted, its mode too', async () => {
    writePythonLedger('keys.db', { students: [{ email: 'a@x.edu', first: 'Ada', last: 'Q', mqId: '1' }] })
    age('keys.db')
    const before = folderState()
    const ledger = await openLedger('keys.db', { copy: true })
    expect(await ledger.students()).toMatchObject([{ email: 'a@x.edu' }])
    await ledger.close()
    expect(folderState()).toEqual(before)
  })

  test('opened as a copy leaves a ledger in write-ahead mode as it is, without side files', async () => {
    writePythonLedger('keys.db', { students: [{ email: 'a@x.edu', first: 'Ada', last: 'Q', mqId: '1' }] })
    execute('keys.db', 'PRAGMA journal_mode = WAL')
    age('keys.db')
    const before = folderState()
    const ledger = await openLedger('keys.db', { copy: true })
    expect(await ledger.students()).toMatchObject([{ email: 'a@x.edu' }])
    await ledger.close()
    expect(folderState()).toEqual(before)
  })

  test('that was broken off in the middle of a commit is as it was after the last one', async () => {
    await createLedger('keys.db')
    const before = await openLedger('keys.db')
    await before.intendChanges(
      [{ keyHash: 'h', action: 'update_limit', oldValue: '1.00', newValue: '2.00' }],
      new Date(),
    )
    await before.close()
    // A transaction larger than the cache, part of which is in the file already: a kill at this moment, or a
    // power cut, leaves just these two files.
    const sqlite = new Database('keys.db')
    sqlite.pragma('cache_size = 2')
    sqlite.exec('BEGIN')
    const insert = sqlite.prepare("INSERT INTO secret VALUES (?, ?, 'now', NULL)")
    for (let i = 0; i < 500; i++) insert.run(`h${i}`, 'made-up'.repeat(80))
    sqlite.exec("UPDATE pending_change SET new_value = '9.00'")
    copyFileSync('keys.db', 'crashed.db')
    copyFileSync('keys.db-journal', 'crashed.db-journal')
    sqlite.exec('ROLLBACK')
    sqlite.close()
    const ledger = await openLedger('crashed.db')
    expect(await ledger.secretHashes()).toEqual(new Set())
    await ledger.close()
    expect(query('crashed.db', 'SELECT new_value FROM pending_change')).toEqual([{ new_value: '2.00' }])
    expect(query('crashed.db', 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    expect(names()).toEqual(['crashed.db', 'keys.db'])
  })

  test('of the Python tool is adopted with what is still in its write-ahead log', async () => {
    writePythonLedger('python.db', { students: [{ email: 'a@x.edu', first: 'Ada', last: 'Q', mqId: '1' }] })
    const sqlite = new Database('python.db')
    sqlite.pragma('journal_mode = WAL')
    sqlite.exec("INSERT INTO student VALUES ('b@x.edu', 'Bilal', 'Q', '2', '2026-02-19 20:52:27')")
    // As a program that was killed leaves it: the last commit is in the log alone.
    copyFileSync('python.db', 'keys.db')
    copyFileSync('python.db-wal', 'keys.db-wal')
    sqlite.close()
    const ledger = await openLedger('keys.db')
    expect((await ledger.students()).map((each) => each.mqId).sort()).toEqual(['1', '2'])
    await ledger.close()
    expect(names()).toEqual(['keys.db', 'python.db'])
    expect(query('keys.db', 'SELECT count(*) AS n FROM student')).toEqual([{ n: 2 }])
  })
})
