import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, test, vi } from 'vitest'
import { createLedger, openLedger } from '../../src/db/open.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { ROOT } from '../support/command.js'
import { fileState, modeOf, names, useFolder } from '../support/folder.js'
import { keyOf, list, makeKey, person } from '../support/model.js'
import { useLedgers } from './ledger.js'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, openSync: vi.fn(real.openSync) }
})

useFolder()
const openNew = useLedgers()
const now = new Date('2026-02-19T20:52:27Z')

beforeEach(async () => {
  await createLedger('keys.db')
})

/** What taking the lock is refused with. */
function refusal(ledger = 'keys.db'): ClassKeysError {
  try {
    takeRunLock(ledger, 'update', now).release()
  } catch (error) {
    if (error instanceof ClassKeysError) return error
    throw error
  }
  throw new Error('the lock was given twice')
}

test('a second run is refused at once, and is told who holds the ledger and since when', () => {
  const lock = takeRunLock('keys.db', 'provision', now)
  const before = performance.now()
  const error = refusal()
  expect(performance.now() - before).toBeLessThan(1000)
  expect(error).toMatchObject({ code: 'run_under_way', exitCode: 1 })
  const since = now.toLocaleString('sv-SE')
  expect(error.message).toContain(
    `class-keys provision (process ${process.pid}) has been at work since ${since}`,
  )
  expect(error.message).toMatch(/keys\.db is in use.*Wait until it has ended/)
  lock.release()
})

test('the refused one changes nothing about what the next one is told', () => {
  const lock = takeRunLock('keys.db', 'provision', now)
  const file = fileState('keys.db-lock')
  refusal()
  expect(fileState('keys.db-lock')).toEqual(file)
  expect(refusal().message).toContain('class-keys provision')
  lock.release()
})

test('the lock is free once it is given back, and tells of its new holder', () => {
  takeRunLock('keys.db', 'provision', now).release()
  const lock = takeRunLock('keys.db', 'update', new Date('2026-03-01T09:00:00Z'))
  expect(refusal().message).toContain('class-keys update')
  lock.release()
  takeRunLock('keys.db', 'provision', now).release()
})

test('each ledger has a lock of its own', async () => {
  await createLedger('two.db')
  const lock = takeRunLock('keys.db', 'provision', now)
  takeRunLock('two.db', 'provision', now).release()
  lock.release()
})

test('a ledger has one lock, by whatever name it is called', () => {
  mkdirSync('elsewhere')
  symlinkSync('../keys.db', 'elsewhere/link.db')
  const lock = takeRunLock('elsewhere/link.db', 'provision', now)
  expect(refusal('keys.db').message).toContain('class-keys provision')
  expect(refusal(`${process.cwd()}/keys.db`).message).toContain('class-keys provision')
  lock.release()
  expect(names('elsewhere')).toEqual(['link.db'])
})

test('the file of the lock is private and holds no secret', () => {
  const umask = process.umask(0)
  try {
    const lock = takeRunLock('keys.db', 'provision', now)
    for (const name of names()) expect([name, modeOf(name)]).toEqual([name, '600'])
    lock.release()
  } finally {
    process.umask(umask)
  }
})

test('a holder that is killed is not in the way of the next run', async () => {
  const holder = spawn(
    process.execPath,
    ['--import', 'tsx', `${ROOT}test/support/hold-lock.ts`, `${process.cwd()}/keys.db`],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [said] = await once(holder.stdout, 'data')
  expect(String(said)).toBe('held\n')
  expect(refusal().message).toContain(`process ${holder.pid}`)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  takeRunLock('keys.db', 'provision', now).release()
})

test('the ledger can be read and written beside a run', async () => {
  const ledger = await openNew()
  const ada = person('1', 'ada@x.edu')
  const lock = takeRunLock('keys.db', 'provision', now)
  const beside = await openLedger('keys.db')
  await list(beside, [ada], [keyOf(ada)])
  await makeKey(ledger, ada, now, keyOf(ada, { hash: 'other' }))
  expect(await beside.keys()).toHaveLength(2)
  await beside.close()
  lock.release()
})

test('where the lock cannot be made, that is said of the lock and not of the ledger', () => {
  const path = `${process.cwd()}/keys.db-lock`
  vi.mocked(fs.openSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('no'), { code: 'EACCES' })
  })
  expect(refusal()).toMatchObject({
    code: 'ledger_unwritable',
    message: `${path}, the lock that keeps two runs on keys.db apart, cannot be opened. Check that you may read and write it and its folder.`,
  })
  vi.mocked(fs.openSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('no'), { code: 'EROFS' })
  })
  expect(refusal().message).toBe(
    `${path}, the lock that keeps two runs on keys.db apart, or its folder is read-only. Make both writable, then run the same command again.`,
  )
})

test('where something else lies in the place of the lock, that is said in words and it stays', () => {
  const NONE = `${process.cwd()}/keys.db-lock, the lock that keeps two runs on keys.db apart, is none. Move it away, then run the same command again.`
  writeFileSync('keys.db-lock', 'my own notes, which are long enough to be no empty database\n')
  const file = fileState('keys.db-lock')
  expect(refusal()).toMatchObject({ code: 'lock_not_ours', exitCode: 1, message: NONE })
  expect(fileState('keys.db-lock')).toEqual(file)
  rmSync('keys.db-lock')
  mkdirSync('keys.db-lock')
  expect(refusal()).toMatchObject({ code: 'lock_not_ours', message: NONE })
})
