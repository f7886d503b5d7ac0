import { expect, test } from 'vitest'
import { useFolder } from '../support/folder.js'
import { keyOf, list, makeKey, person } from '../support/model.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const [ada, bilal] = [person('1', 'ada@x.edu'), person('2', 'bilal@x.edu')]
const day = (n: number) => new Date(Date.UTC(2026, 2, n, 9))

test('the keys that are gone have the last that was known of them, by address and age', async () => {
  const ledger = await openNew()
  const second = keyOf(ada, { hash: 'second', limit: null, createdAt: '2026-02-20T00:00:00Z', usage: 0 })
  const there = keyOf(bilal, { hash: 'there' })
  const keys = [keyOf(bilal, { usage: 1 }), second, keyOf(ada, { usage: 2 }), there]
  await list(ledger, [bilal, ada], keys, { at: day(1), withUsage: true })
  expect(await ledger.goneKeys()).toEqual([])
  const spent = [keyOf(bilal, { usage: 1.25 }), second, there]
  await list(ledger, [bilal, ada], spent, { at: day(2), withUsage: true })
  await list(ledger, [bilal, ada], [there], { at: day(3), withUsage: true })
  const gone = await ledger.goneKeys()
  expect(
    gone.map(({ keyHash, usage, limit, goneAt }) => [keyHash, usage, limit, goneAt.slice(0, 10)]),
  ).toEqual([
    ['hash-of-1', 2, 3, '2026-03-02'],
    ['second', 0, null, '2026-03-03'],
    ['hash-of-2', 1.25, 3, '2026-03-03'],
  ])
  expect(gone[0]).toMatchObject({ ...ada, keyName: keyOf(ada).name, createdAt: expect.any(String) })
})

test('one that was never looked at has no usage', async () => {
  const ledger = await openNew()
  await makeKey(ledger, ada, day(1))
  await list(ledger, [ada], [], { at: day(2) })
  expect(await ledger.goneKeys()).toMatchObject([{ keyHash: 'hash-of-1', usage: undefined }])
})
