import { symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import { useClassroom } from '../support/classroom.js'
import { fileState, folderState, modeOf, names } from '../support/folder.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()

test('makes a private ledger at v2, and says where it is and to keep it to oneself', async () => {
  const { stdout, stderr } = await room.ok(InitDb)
  expect(stdout).toBe(
    'keys.db created, at schema v2. It will hold the secrets of the keys: keep it to yourself, and keep a backup.\n',
  )
  expect(stderr).toBe('Create the ledger: keys.db\n')
  expect(names()).toEqual(['keys.db'])
  expect(modeOf('keys.db')).toBe('600')
  expect(query('keys.db', 'SELECT version FROM schema_version')).toEqual([{ version: 2 }])
})

test('a second time says that it is already at v2, and changes nothing', async () => {
  await room.ok(InitDb)
  const before = folderState()
  const { stdout, exitCode } = await room.run(InitDb)
  expect(exitCode).toBe(0)
  expect(stdout).toBe('keys.db is already at schema v2; nothing to do.\n')
  expect(folderState()).toEqual(before)
})

test("says that it has adopted the Python tool's ledger, and a second time that there is nothing to do", async () => {
  writePythonLedger('keys.db')
  const { stdout, stderr } = await room.ok(InitDb)
  expect(stdout).toBe(
    "keys.db adopted: it is the Python tool's ledger, at schema v2. Its tables are as they were, class-keys has added tables of its own, and the file is readable by you alone.\n",
  )
  expect(stderr).toBe('Create the ledger: adopted\n')
  expect(modeOf('keys.db')).toBe('600')
  expect((await room.ok(InitDb)).stdout).toBe('keys.db is already at schema v2; nothing to do.\n')
})

test('--json tells an adopted ledger from one that was ours before', async () => {
  writePythonLedger('keys.db')
  const told = { db: 'keys.db', created: false, schemaVersion: 2 }
  expect((await room.ok(InitDb, '--json')).json).toEqual({ ...told, adopted: true })
  expect((await room.ok(InitDb, '--json')).json).toEqual({ ...told, adopted: false })
})

test('--json gives one document, and progress stays away from it', async () => {
  const first = await room.ok(InitDb, '--json')
  expect(first.json).toEqual({ db: 'keys.db', created: true, adopted: false, schemaVersion: 2 })
  expect(first.stderr).toBe('')
  const second = await room.ok(InitDb, '--json')
  expect(second.json).toEqual({ db: 'keys.db', created: false, adopted: false, schemaVersion: 2 })
})

test('--db names another file, and so does CLASS_KEYS_DB, of which the flag wins', async () => {
  await room.ok(InitDb, '--db', 'comp1000.db')
  vi.stubEnv('CLASS_KEYS_DB', 'from-environment.db')
  await room.ok(InitDb)
  await room.ok(InitDb, '--db', 'flag.db')
  expect(names()).toEqual(['comp1000.db', 'flag.db', 'from-environment.db'])
})

test('needs neither a management key nor the network', async () => {
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
  await room.ok(InitDb)
  expect(room.requests()).toEqual([])
})

describe('refuses', () => {
  test('a text file, in a sentence, and leaves it as it is', async () => {
    writeFileSync('keys.db', 'my notes\n')
    const before = fileState('keys.db')
    const { stdout, stderr, exitCode } = await room.run(InitDb)
    expect(exitCode).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toBe(
      'Create the ledger: failed\n' +
        'Error: keys.db is not a ledger: it is not an SQLite database. Name another file with --db, or move this one away and run class-keys init-db.\n',
    )
    expect(folderState()).toEqual({ 'keys.db': before })
  })

  test('a ledger from before v2, with what was found and what to do', async () => {
    writePythonLedger('keys.db', { version: 1 })
    const before = folderState()
    const { json, exitCode, stderr } = await room.run(InitDb, '--json')
    expect(exitCode).toBe(2)
    expect(stderr).toBe('')
    expect(json).toEqual({
      error: {
        code: 'ledger_too_old',
        exitCode: 2,
        message:
          'keys.db is from before schema v2: it is at schema v1. Bring it to v2 with the tool that made it, or move it away and run class-keys init-db, then class-keys check.',
      },
    })
    expect(folderState()).toEqual(before)
  })

  test.each([
    [
      'no-such-folder/keys.db',
      'There is no folder no-such-folder to make the ledger in. Make it, or name another',
    ],
    ['r.csv/k.db', 'r.csv is a file, and no folder to make the ledger in. Move it away, or name another'],
    ['dang.db', 'dang.db is a link that leads nowhere. Delete it, or name another'],
    ['', 'The path of the ledger is empty. Name a'],
  ])('--db “%s”, as wrong usage and without a stack trace', async (path, words) => {
    writeFileSync('r.csv', '')
    symlinkSync('gone.db', 'dang.db')
    const { stderr, exitCode } = await room.run(InitDb, '--db', path)
    expect(exitCode).toBe(2)
    expect(stderr).toBe(`Create the ledger: failed\nError: ${words} file with --db.\n`)
    expect(names()).toEqual(['dang.db', 'r.csv'])
  })

  test('an unknown flag, as wrong usage', async () => {
    const human = await room.run(InitDb, '--frobnicate')
    expect(human.exitCode).toBe(2)
    expect(human.stderr).toMatch(/frobnicate/)
    const machine = await room.run(InitDb, '--frobnicate', '--json')
    expect(machine.exitCode).toBe(2)
    expect(machine.json.error).toMatchObject({ code: 'usage', exitCode: 2 })
    expect(names()).toEqual([])
  })
})

test('DEBUG shows where an error comes from, and nobody else sees that', async () => {
  writeFileSync('keys.db', 'my notes\n')
  expect((await room.run(InitDb)).stderr).not.toMatch(/\n\s+at /)
  vi.stubEnv('DEBUG', '1')
  expect((await room.run(InitDb)).stderr).toMatch(/\n\s+at /)
})
