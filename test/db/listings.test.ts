import { describe, expect, test } from 'vitest'
import { useFolder } from '../support/folder.js'
import { keyOf, list, makeKey, person, requestOf } from '../support/model.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { query } from '../support/sqlite.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const ada = person('1', 'ada@x.edu')
const bilal = person('2', 'bilal@x.edu')
const day = (n: number) => new Date(Date.UTC(2026, 2, n, 9))
const log = () =>
  query('keys.db', 'SELECT action, old_value, new_value FROM changelog ORDER BY id').map((row) => [
    row.action,
    row.old_value,
    row.new_value,
  ])
const row = () => query('keys.db', 'SELECT credit_limit, disabled, key_name FROM key')[0]

describe('what changed at OpenRouter without the tool', () => {
  test('stands in the changelog under names of its own, once for each thing, with old and new value', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    expect(log()).toEqual([])
    const changed = keyOf(ada, { limit: null, disabled: true, name: '20260301_Ada_1', limitReset: 'weekly' })
    await list(ledger, [ada], [changed], { at: day(2) })
    await list(ledger, [ada], [changed], { at: day(3) })
    expect(log()).toEqual([
      ['observed_limit', '3.00', 'unlimited'],
      ['observed_disabled', 'false', 'true'],
      ['observed_name', '20260219_Ada Q1_1', '20260301_Ada_1'],
      ['observed_limit_reset', null, 'weekly'],
    ])
    expect(row()).toEqual({ credit_limit: null, disabled: 1, key_name: '20260301_Ada_1' })
    expect(query('keys.db', 'SELECT key_hash, changed_at FROM changelog LIMIT 1')).toEqual([
      { key_hash: 'hash-of-1', changed_at: '2026-03-02T09:00:00.000+00:00' },
    ])
  })

  test('is not there where only the binary fraction of an amount differs', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada, { limit: 0.3 })], { at: day(1) })
    await list(ledger, [ada], [keyOf(ada, { limit: 0.1 + 0.2 })], { at: day(2) })
    expect(log()).toEqual([])
  })

  test('is not a reset period of which the Python tool kept nothing', async () => {
    writePythonLedger('keys.db', {
      students: [{ email: ada.email, first: 'Ada', last: 'Q1', mqId: '1' }],
      keys: [{ hash: 'hash-of-1', email: ada.email, name: keyOf(ada).name, limit: 3 }],
    })
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada, { limitReset: 'monthly' })], { at: day(1) })
    expect(log()).toEqual([])
    await list(ledger, [ada], [keyOf(ada, { limitReset: null })], { at: day(2) })
    expect(log()).toEqual([['observed_limit_reset', 'monthly', null]])
  })

  test('is written down for a key whose student has left, too', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await list(ledger, [bilal], [keyOf(ada, { limit: 9 })], { at: day(2) })
    expect(log()).toEqual([['observed_limit', '3.00', '9.00']])
  })
})

describe('keys that go and come back', () => {
  test('a key that is gone stays in the ledger, is not exported, and is logged once', async () => {
    const ledger = await openNew()
    await list(ledger, [ada, bilal], [keyOf(ada), keyOf(bilal)], { at: day(1) })
    await list(ledger, [ada, bilal], [keyOf(bilal)], { at: day(2) })
    await list(ledger, [ada, bilal], [keyOf(bilal)], { at: day(3) })
    expect(log()).toEqual([['observed_gone', keyOf(ada).name, null]])
    expect(query('keys.db', 'SELECT count(*) AS n FROM key')).toEqual([{ n: 2 }])
    expect(await ledger.keys()).toMatchObject([{ keyHash: 'hash-of-2' }])
  })

  test('a key that is back is exported again, and can go again', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await list(ledger, [ada], [], { at: day(2) })
    await list(ledger, [ada], [keyOf(ada)], { at: day(3) })
    expect(await ledger.keys()).toMatchObject([{ keyHash: 'hash-of-1' }])
    await list(ledger, [ada], [], { at: day(4) })
    expect(log().map(([action]) => action)).toEqual(['observed_gone', 'observed_gone'])
  })

  test('a key of the Python tool that OpenRouter no longer has is found to be gone', async () => {
    writePythonLedger('keys.db', {
      students: [{ email: ada.email, first: 'Ada', last: 'Q1', mqId: '1' }],
      keys: [{ hash: 'old', email: ada.email, name: 'old name' }],
    })
    const ledger = await openNew()
    await list(ledger, [ada], [], { at: day(1) })
    expect(log()).toEqual([['observed_gone', 'old name', null]])
  })
})

describe('a listing that was begun before the ledger learnt better', () => {
  test('does not make a key that was made meanwhile look gone', async () => {
    const ledger = await openNew()
    await makeKey(ledger, ada, day(2))
    await list(ledger, [ada], [], { at: day(3), listedAt: day(1) })
    expect(await ledger.keys()).toMatchObject([{ keyHash: 'hash-of-1' }])
    expect(log()).toEqual([['provisioned', null, '3.00']])
  })

  test('does not take back a change that was made meanwhile', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    const change = { keyHash: 'hash-of-1', action: 'update_limit', oldValue: '3.00', newValue: '5.00' }
    await ledger.intendChanges([change], day(3))
    await ledger.recordChanges([change], keyOf(ada, { limit: 5 }), day(3))
    await list(ledger, [ada], [keyOf(ada)], { at: day(4), listedAt: day(2) })
    expect(row()).toMatchObject({ credit_limit: 5 })
    expect(log()).toEqual([['update_limit', '3.00', '5.00']])
  })

  test('does not hide a change that comes later', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(3), listedAt: day(2) })
    await list(ledger, [ada], [keyOf(ada, { limit: 8 })], { at: day(4), listedAt: day(3) })
    expect(log()).toEqual([['observed_limit', '3.00', '8.00']])
  })
})

test('of two listings that overlap, the one that was begun later knows more, whichever is written down first', async () => {
  const ledger = await openNew()
  await list(ledger, [ada], [keyOf(ada)], { at: day(3), listedAt: day(1) })
  await list(ledger, [ada], [keyOf(ada, { limit: 8 })], { at: day(4), listedAt: day(2) })
  expect(log()).toEqual([['observed_limit', '3.00', '8.00']])
  await list(ledger, [ada], [keyOf(ada)], { at: day(5), listedAt: day(1) })
  expect(row()).toMatchObject({ credit_limit: 8 })
})

test('a key that is given another student’s name at OpenRouter belongs to that student from then on', async () => {
  const ledger = await openNew()
  await list(ledger, [ada, bilal], [keyOf(ada)], { at: day(1) })
  await list(ledger, [ada, bilal], [keyOf(ada, { name: keyOf(bilal).name })], { at: day(2) })
  expect(query('keys.db', 'SELECT email FROM key')).toEqual([{ email: 'bilal@x.edu' }])
  expect(log()).toEqual([['observed_name', keyOf(ada).name, keyOf(bilal).name]])
})

test('a lost key that this tool was deleting when it was broken off is not somebody else’s doing', async () => {
  const ledger = await openNew()
  const [id = 0] = await ledger.intend([requestOf(ada)], day(1))
  await ledger.startUndoing(id, keyOf(ada, { hash: 'lost' }), day(1))
  await list(ledger, [ada], [], { at: day(2) })
  await ledger.finishUndoing([id], day(3))
  expect(log()).toEqual([['deleted_lost', keyOf(ada).name, null]])
})

describe('a change that was sent and whose answer was lost', () => {
  const change = { keyHash: 'hash-of-1', action: 'update_limit', oldValue: '3.00', newValue: '5.00' }
  const pending = () => query('keys.db', 'SELECT * FROM pending_change')

  test('and that came true, is the tool’s own, written down once', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await ledger.intendChanges([change], day(2))
    await list(ledger, [ada], [keyOf(ada, { limit: 5 })], { at: day(3), settlePending: true })
    await list(ledger, [ada], [keyOf(ada, { limit: 5 })], { at: day(4), settlePending: true })
    expect(log()).toEqual([['update_limit', '3.00', '5.00']])
    expect(pending()).toEqual([])
    expect(row()).toMatchObject({ credit_limit: 5 })
  })

  test('and that did not, leaves nothing in the changelog and is forgotten', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await ledger.intendChanges([change], day(2))
    await list(ledger, [ada], [keyOf(ada)], { at: day(3), settlePending: true })
    expect([log(), pending()]).toEqual([[], []])
  })

  test('and where somebody else has set another amount since, is that somebody’s', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await ledger.intendChanges([change], day(2))
    await list(ledger, [ada], [keyOf(ada, { limit: 7 })], { at: day(3), settlePending: true })
    expect(log()).toEqual([['observed_limit', '3.00', '7.00']])
  })

  test('is left to the run that sent it by a check beside that run', async () => {
    const ledger = await openNew()
    await list(ledger, [ada, bilal], [keyOf(ada), keyOf(bilal)], { at: day(1) })
    await ledger.intendChanges([change], day(2))
    await list(ledger, [ada, bilal], [keyOf(ada, { limit: 5 }), keyOf(bilal, { limit: 6 })], { at: day(3) })
    expect(log()).toEqual([['observed_limit', '3.00', '6.00']])
    expect(pending()).toHaveLength(1)
    await ledger.recordChanges([change], keyOf(ada, { limit: 5 }), day(4))
    expect(log()).toContainEqual(['update_limit', '3.00', '5.00'])
    expect(pending()).toEqual([])
  })

  test('is forgotten when OpenRouter has refused it, and no other is', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await ledger.intendChanges([change, { ...change, keyHash: 'other' }], day(2))
    await ledger.dropChanges(['hash-of-1'])
    expect(pending()).toMatchObject([{ key_hash: 'other' }])
    expect(log()).toEqual([])
  })

  test('that turned the key off is the tool’s own, and what else changed is not', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    const off = { ...change, action: 'update_disabled', oldValue: 'false', newValue: 'true' }
    await ledger.intendChanges([off], day(2))
    await list(ledger, [ada], [keyOf(ada, { disabled: true, limit: 5 })], { at: day(3), settlePending: true })
    expect(log()).toEqual([
      ['observed_limit', '3.00', '5.00'],
      ['update_disabled', 'false', 'true'],
    ])
  })

  test.each([
    ['weekly', null],
    [null, 'daily'],
  ] as const)('that took the reset period from %s to %s is the tool’s own', async (from, to) => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada, { limitReset: from })], { at: day(1) })
    const reset = { keyHash: 'hash-of-1', action: 'update_limit_reset', oldValue: from, newValue: to }
    await ledger.intendChanges([reset], day(2))
    // A check beside the run leaves it to the run, and sees what else has changed.
    await list(ledger, [ada], [keyOf(ada, { limitReset: to, limit: 6 })], { at: day(3) })
    expect(log()).toEqual([['observed_limit', '3.00', '6.00']])
    const seen = keyOf(ada, { limitReset: to, limit: 6 })
    await list(ledger, [ada], [seen], { at: day(4), settlePending: true })
    expect(log().slice(1)).toEqual([['update_limit_reset', from, to]])
    expect(pending()).toEqual([])
  })

  test('that asked for another reset period than there is now is not what came true', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada, { limitReset: 'weekly' })], { at: day(1) })
    const reset = { keyHash: 'hash-of-1', action: 'update_limit_reset', oldValue: 'weekly', newValue: null }
    await ledger.intendChanges([reset], day(2))
    await list(ledger, [ada], [keyOf(ada, { limitReset: 'daily' })], { at: day(3) })
    expect(log()).toEqual([['observed_limit_reset', 'weekly', 'daily']])
  })

  test('is confirmed in one piece with the key: where the key cannot be written, nothing is', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada)], { at: day(1) })
    await ledger.intendChanges([change], day(2))
    const { execute } = await import('../support/sqlite.js')
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE DELETE ON pending_change BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    await expect(ledger.recordChanges([change], keyOf(ada, { limit: 5 }), day(3))).rejects.toThrow('stop')
    expect([log(), pending().length]).toEqual([[], 1])
    expect(row()).toMatchObject({ credit_limit: 3 })
  })
})

describe('usage', () => {
  const usage = () => query('keys.db', 'SELECT key_hash, usage, checked_at FROM usage ORDER BY id')

  test('is one row for each matched key and look, and none for others', async () => {
    const ledger = await openNew()
    const orphan = keyOf(person('77', 'x@x.edu'), { usage: 9 })
    const keys = [keyOf(ada, { usage: 1.25 }), keyOf(bilal, { usage: 0, disabled: true }), orphan]
    await list(ledger, [ada, bilal], keys, { at: day(1), withUsage: true })
    await list(ledger, [ada, bilal], keys, { at: day(2), withUsage: true })
    expect(usage()).toEqual([
      { key_hash: 'hash-of-1', usage: 1.25, checked_at: '2026-03-01T09:00:00.000+00:00' },
      { key_hash: 'hash-of-2', usage: 0, checked_at: '2026-03-01T09:00:00.000+00:00' },
      { key_hash: 'hash-of-1', usage: 1.25, checked_at: '2026-03-02T09:00:00.000+00:00' },
      { key_hash: 'hash-of-2', usage: 0, checked_at: '2026-03-02T09:00:00.000+00:00' },
    ])
  })

  test('is not written where it was not asked for', async () => {
    const ledger = await openNew()
    await list(ledger, [ada], [keyOf(ada, { usage: 1 })], { at: day(1) })
    expect(usage()).toEqual([])
  })
})

test('a key of nobody in the class, and never known before, is not taken into the ledger', async () => {
  const ledger = await openNew()
  await list(ledger, [ada], [keyOf(person('77', 'x@x.edu')), keyOf(ada)], { at: day(1) })
  expect(query('keys.db', 'SELECT key_hash FROM key')).toEqual([{ key_hash: 'hash-of-1' }])
})

test('a listing that cannot be written whole is not written at all', async () => {
  const ledger = await openNew()
  const { execute } = await import('../support/sqlite.js')
  execute('keys.db', "CREATE TRIGGER stop BEFORE INSERT ON usage BEGIN SELECT RAISE(ABORT, 'stop'); END")
  await expect(list(ledger, [ada], [keyOf(ada)], { withUsage: true })).rejects.toThrow('stop')
  expect(query('keys.db', 'SELECT * FROM student')).toEqual([])
  expect(query('keys.db', 'SELECT * FROM key')).toEqual([])
})

test('a listing of several thousand keys is recorded whole', async () => {
  const ledger = await openNew()
  const people = Array.from({ length: 3000 }, (_, i) => person(String(i), `s${i}@x.edu`))
  const keys = people.map((each) => keyOf(each, { usage: 1 }))
  await list(ledger, people, keys, { at: day(1), withUsage: true })
  await list(ledger, people, [], { at: day(2), withUsage: true })
  expect(query('keys.db', 'SELECT count(*) AS n FROM usage')).toEqual([{ n: 3000 }])
  expect(query('keys.db', "SELECT count(*) AS n FROM changelog WHERE action = 'observed_gone'")).toEqual([
    { n: 3000 },
  ])
})
