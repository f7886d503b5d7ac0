import { expect, test } from 'vitest'
import { useFolder } from '../support/folder.js'
import { query } from '../support/sqlite.js'
import { useLedgers } from './ledger.js'

useFolder()
const openNew = useLedgers()

const ADAS = { hash: 'h1', written: '+5', target: 8 }
const BILALS = { hash: 'h2', written: '+ $.5', target: 0.3 }

test('what relative targets come to is kept until it is dropped, one for each key', async () => {
  const ledger = await openNew()
  expect(await ledger.relativeTargets()).toEqual([])
  await ledger.intendRelativeTargets([BILALS, ADAS], new Date(5))
  expect(await ledger.relativeTargets()).toEqual([ADAS, BILALS])
  await ledger.intendRelativeTargets([{ ...ADAS, written: '+6', target: 9 }], new Date(6))
  expect(query('keys.db', 'SELECT * FROM relative_target ORDER BY key_hash')).toEqual([
    { key_hash: 'h1', written: '+6', target: 9, intended_at: 6 },
    { key_hash: 'h2', written: '+ $.5', target: 0.3, intended_at: 5 },
  ])
  await ledger.dropRelativeTargets(['h1', 'nobody'])
  expect(await ledger.relativeTargets()).toEqual([BILALS])
})

test('several are written down all or not at all', async () => {
  const ledger = await openNew()
  const { execute } = await import('../support/sqlite.js')
  execute(
    'keys.db',
    "CREATE TRIGGER stop BEFORE INSERT ON relative_target WHEN NEW.key_hash = 'h2' BEGIN SELECT RAISE(ABORT, 'stop'); END",
  )
  await expect(ledger.intendRelativeTargets([ADAS, BILALS], new Date())).rejects.toThrow('stop')
  expect(await ledger.relativeTargets()).toEqual([])
})

test('nothing to write takes no write lock', async () => {
  const ledger = await openNew()
  const { execute } = await import('../support/sqlite.js')
  execute('keys.db', 'DROP TABLE relative_target')
  await ledger.intendRelativeTargets([], new Date())
  await ledger.dropRelativeTargets([])
})
