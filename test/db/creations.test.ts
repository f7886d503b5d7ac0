import { describe, expect, test } from 'vitest'
import { useFolder } from '../support/folder.js'
import { keyOf, list, madeUpSecret, makeKey, person, requestOf } from '../support/model.js'
import { execute, query } from '../support/sqlite.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const ada = person('1', 'ada@x.edu')
const bilal = person('2', 'bilal@x.edu')
const day = (n: number) => new Date(Date.UTC(2026, 2, n, 9))
const states = () => query('keys.db', 'SELECT state, key_hash FROM creation ORDER BY id').map((r) => r.state)
const log = () =>
  query('keys.db', 'SELECT key_hash, action, old_value, new_value FROM changelog ORDER BY id').map(
    Object.values,
  )
const count = (table: string) => query('keys.db', `SELECT count(*) AS n FROM ${table}`)[0]?.n

describe('the journal', () => {
  test('has an intent before anything is asked for, whole enough to go on from', async () => {
    const ledger = await openNew()
    const [id = 0] = await ledger.intend([requestOf(ada, { limit: 2.5, limitReset: 'weekly' })], day(1))
    expect(await ledger.unsettledCreations()).toEqual([
      {
        id,
        state: 'open',
        student: ada,
        keyName: '20260219_Ada Q1_1',
        limit: 2.5,
        limitReset: 'weekly',
        expiresAt: null,
        replaces: null,
        intendedAt: day(1),
        keyHash: null,
      },
    ])
    // Nothing of the intent shows where only keys that exist may show.
    expect([count('key'), count('student'), count('secret'), count('changelog')]).toEqual([0, 0, 0, 0])
  })

  test('keeps the moment of an intent to the millisecond, and no limit as no limit', async () => {
    const ledger = await openNew()
    const at = new Date('2026-03-01T09:00:00.123Z')
    await ledger.intend([requestOf(ada, { limit: null })], at)
    expect(await ledger.unsettledCreations()).toMatchObject([{ intendedAt: at, limit: null }])
  })

  test('survives that the ledger is closed and opened', async () => {
    const ledger = await openNew()
    await ledger.intend([requestOf(ada)], day(1))
    const again = await openNew()
    expect(await again.unsettledCreations()).toHaveLength(1)
  })

  test('forgets neither an absent creation, which may come true late, nor one that is being undone', async () => {
    const ledger = await openNew()
    const ids: number[] = []
    for (let n = 0; n < 5; n++) ids.push(...(await ledger.intend([requestOf(ada)], day(1))))
    const [absent = 0, refused = 0, undoing = 0, done = 0] = ids
    await ledger.closeEmptyCreations([absent], 'absent', day(2))
    await ledger.closeEmptyCreations([refused], 'refused', day(2))
    await ledger.startUndoing(undoing, keyOf(ada, { hash: 'lost' }), day(2))
    await ledger.completeCreation(
      done,
      requestOf(ada),
      { key: keyOf(ada), secret: madeUpSecret(ada) },
      day(2),
    )
    expect(states()).toEqual(['absent', 'refused', 'undoing', 'done', 'open'])
    const unsettled = (await ledger.unsettledCreations()).sort((a, b) => a.id - b.id)
    expect(unsettled.map(({ state, keyHash }) => [state, keyHash])).toEqual([
      ['absent', null],
      ['undoing', 'lost'],
      ['open', null],
    ])
  })

  test('closes nothing where it is given nothing to close', async () => {
    const ledger = await openNew()
    await ledger.intend([requestOf(ada)], day(1))
    await ledger.closeEmptyCreations([], 'absent', day(2))
    await ledger.finishUndoing([], day(2))
    expect(states()).toEqual(['open'])
  })
})

describe('the answer to a creation', () => {
  test('brings secret, key, student, changelog and the end of the intent', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1))
    expect(states()).toEqual(['done'])
    expect(query('keys.db', 'SELECT key_hash, closed_at FROM creation')).toEqual([
      { key_hash: 'hash-of-1', closed_at: day(1).getTime() },
    ])
    expect(query('keys.db', 'SELECT * FROM secret')).toEqual([
      {
        key_hash: 'hash-of-1',
        secret: 'made-up-secret-of-1',
        obtained_at: '2026-03-01T09:00:00.000+00:00',
        handed_out_in: null,
      },
    ])
    expect(query('keys.db', 'SELECT * FROM key')).toEqual([
      {
        key_hash: 'hash-of-1',
        key_label: 'sk-or-v1-0e6…1c96',
        email: 'ada@x.edu',
        key_name: '20260219_Ada Q1_1',
        created_at: '2026-02-19T20:52:27.363244+00:00',
        credit_limit: 3,
        disabled: 0,
      },
    ])
    expect(log()).toEqual([['hash-of-1', 'provisioned', null, '3.00']])
    expect(await ledger.unsettledCreations()).toEqual([])
  })

  test('writes down what OpenRouter has made, not what was asked for', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1), keyOf(ada, { limit: null }))
    expect(log()).toEqual([['hash-of-1', 'provisioned', null, 'unlimited']])
  })

  // Each table that the answer goes into refuses it once: nothing of the answer may be left in the others.
  const steps = {
    secret: 'BEFORE INSERT ON secret',
    student: 'BEFORE INSERT ON student',
    key: 'BEFORE INSERT ON key',
    'state of the key': 'BEFORE INSERT ON key_state',
    changelog: 'BEFORE INSERT ON changelog',
    'end of the intent': 'BEFORE UPDATE ON creation',
  }
  for (const [what, when] of Object.entries(steps)) {
    test(`is one transaction: where the ${what} cannot be written, nothing is`, async () => {
      const ledger = await openNew()
      const [id = 0] = await ledger.intend([requestOf(ada)], day(1))
      execute('keys.db', `CREATE TRIGGER stop ${when} BEGIN SELECT RAISE(ABORT, 'stop'); END`)
      const answer = { key: keyOf(ada), secret: madeUpSecret(ada) }
      await expect(ledger.completeCreation(id, requestOf(ada), answer, day(1))).rejects.toThrow('stop')
      const left = ['secret', 'student', 'key', 'key_state', 'changelog'].map(count)
      expect([left, states()]).toEqual([[0, 0, 0, 0, 0], ['open']])
      execute('keys.db', 'DROP TRIGGER stop')
      await ledger.completeCreation(id, requestOf(ada), answer, day(1))
      expect(states()).toEqual(['done'])
    })
  }

  test('an error about it never holds the secret', async () => {
    const ledger = await openNew()
    const [id = 0] = await ledger.intend([requestOf(ada)], day(1))
    execute('keys.db', "CREATE TRIGGER stop BEFORE INSERT ON secret BEGIN SELECT RAISE(ABORT, 'stop'); END")
    const answer = { key: keyOf(ada), secret: 'made-up-secret-that-must-not-show' }
    const error = await ledger.completeCreation(id, requestOf(ada), answer, day(1)).catch((e: unknown) => e)
    const { inspect } = await import('node:util')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('must-not-show')
  })
})

describe('a lost key', () => {
  test('is known to the ledger from before its deletion to after it', async () => {
    const ledger = await openNew()
    const [id = 0] = await ledger.intend([requestOf(ada)], day(1))
    await ledger.startUndoing(id, keyOf(ada, { hash: 'lost' }), day(2))
    expect(query('keys.db', 'SELECT key_hash, email FROM key')).toEqual([
      { key_hash: 'lost', email: 'ada@x.edu' },
    ])
    expect(log()).toEqual([])
    await ledger.finishUndoing([id], day(3))
    expect(log()).toEqual([['lost', 'deleted_lost', '20260219_Ada Q1_1', null]])
    expect(states()).toEqual(['undone'])
    expect(await ledger.keys()).toEqual([])
    // A later listing without it is no news.
    await list(ledger, [ada], [], { at: day(4) })
    expect(log()).toHaveLength(1)
  })

  test('whose deletion is written down twice stands in the changelog once', async () => {
    const ledger = await openNew()
    const [id = 0] = await ledger.intend([requestOf(ada)], day(1))
    await ledger.startUndoing(id, keyOf(ada, { hash: 'lost' }), day(2))
    await ledger.finishUndoing([id], day(3))
    await ledger.finishUndoing([id], day(4))
    expect(log()).toHaveLength(1)
  })

  test('of an entry that is not there is a fault, and nothing is written', async () => {
    const ledger = await openNew()
    await expect(ledger.startUndoing(99, keyOf(ada), day(1))).rejects.toThrow(/99/)
    expect([count('key'), count('student')]).toEqual([0, 0])
  })

  test('a creation that is not being undone cannot be finished', async () => {
    const ledger = await openNew()
    const id = await makeKey(ledger, ada, day(1))
    await ledger.finishUndoing([id], day(2))
    expect(states()).toEqual(['done'])
    expect(await ledger.keys()).toHaveLength(1)
  })
})

describe('secrets', () => {
  test('wait for a file in the order in which they were made, with what the student is to be told', async () => {
    const ledger = await openNew()
    await makeKey(ledger, bilal, day(1))
    await makeKey(ledger, ada, day(1))
    expect(await ledger.waitingKeys()).toEqual([
      {
        ...bilal,
        keyHash: 'hash-of-2',
        secret: 'made-up-secret-of-2',
        keyName: '20260219_Ada Q2_2',
        budget: 3,
        limitReset: null,
      },
      {
        ...ada,
        keyHash: 'hash-of-1',
        secret: 'made-up-secret-of-1',
        keyName: '20260219_Ada Q1_1',
        budget: 3,
        limitReset: null,
      },
    ])
  })

  test('wait no longer once a file holds them, and the first file is the one that is remembered', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1))
    await makeKey(ledger, bilal, day(1))
    await ledger.markHandedOut(['hash-of-1'], 'first.csv')
    expect(await ledger.waitingKeys()).toMatchObject([{ keyHash: 'hash-of-2' }])
    await ledger.markHandedOut(['hash-of-1', 'hash-of-2'], 'second.csv')
    expect(await ledger.waitingKeys()).toEqual([])
    expect(query('keys.db', 'SELECT handed_out_in FROM secret ORDER BY key_hash').map(Object.values)).toEqual(
      [['first.csv'], ['second.csv']],
    )
  })

  test('of several hundred keys are marked all', async () => {
    const ledger = await openNew()
    const hashes = Array.from({ length: 1203 }, (_, i) => `h${i}`)
    const rows = hashes.map((hash) => `('${hash}', 'made-up', 'now', NULL)`)
    execute('keys.db', `INSERT INTO secret VALUES ${rows.join(',')}`)
    await ledger.markHandedOut(hashes, 'all.csv')
    expect(query('keys.db', 'SELECT count(*) AS n FROM secret WHERE handed_out_in IS NULL')).toEqual([
      { n: 0 },
    ])
  })

  test('of keys that are gone do not wait: nobody can use them', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1))
    await list(ledger, [ada], [], { at: day(2) })
    expect(await ledger.waitingKeys()).toEqual([])
  })

  test('are there by hash, and are kept when a listing shows the key', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1))
    await list(ledger, [ada, bilal], [keyOf(ada, { limit: 9 }), keyOf(bilal)], { at: day(2) })
    expect(await ledger.secretHashes()).toEqual(new Set(['hash-of-1']))
    expect((await ledger.keys()).map(({ keyHash, secret }) => [keyHash, secret])).toEqual([
      ['hash-of-1', 'made-up-secret-of-1'],
      ['hash-of-2', undefined],
    ])
  })

  test('are exported sorted by address, a student’s keys the oldest first', async () => {
    const ledger = await openNew()
    const newer = keyOf(ada, { hash: 'newer', createdAt: '2026-02-20T00:00:00+00:00' })
    await list(ledger, [ada, bilal], [keyOf(bilal), newer, keyOf(ada)], { at: day(1) })
    expect((await ledger.keys()).map((key) => key.keyHash)).toEqual(['hash-of-1', 'newer', 'hash-of-2'])
  })

  test('a second key of one student has its own', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(1))
    await makeKey(ledger, ada, day(2), keyOf(ada, { hash: 'second' }))
    expect(await ledger.waitingKeys()).toMatchObject([{ keyHash: 'hash-of-1' }, { keyHash: 'second' }])
  })
})
