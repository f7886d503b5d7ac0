import { execFileSync } from 'node:child_process'
import { linkSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import ExportKeys from '../../src/commands/export-keys.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import { useClassroom } from '../support/classroom.js'
import { fileState, modeOf, names, only } from '../support/folder.js'
import { headerOf, keyNameOf, readCsv, student, students, writeRoster } from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]
const SECRETLESS = 'not known to this ledger'

/** Two students whose secrets are here, and one whose key was made elsewhere; then the network is gone. */
beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([bilal, ada, chiara])
  room.giveKey(chiara, { limit: null, disabled: true })
  await room.ok(Provision)
  rmSync(only(/^api_keys_/))
  rmSync('roster.csv')
  room.sandbox.state.requests.length = 0
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
})

/** What stands in the folder, links not followed. */
const entries = () =>
  names().map((name) => {
    const { ino, mode, size, mtimeNs } = lstatSync(name, { bigint: true })
    return { name, ino, mode, size, mtimeNs }
  })

const keyOf = (of: typeof ada) => room.sandbox.state.keys().find((key) => key.name.endsWith(`_${of.mq_id}`))
const cells = (of: typeof ada, apiKey: string | undefined, limit: string, disabled: string) => [
  of.first_name,
  of.last_name,
  of.email,
  of.mq_id,
  apiKey,
  keyOf(of)?.name,
  limit,
  disabled,
]

test('writes every key of the ledger with its secret, sorted by address, for the owner alone', async () => {
  const { stdout } = await room.ok(ExportKeys)
  const file = only(/^api_keys_\d{8}_\d{6}\.csv$/)
  expect(modeOf(file)).toBe('600')
  expect(headerOf(file)).toBe('first_name,last_name,email,mq_id,api_key,key_name,limit,disabled')
  expect(readCsv(file).map(Object.values)).toEqual([
    cells(ada, keyOf(ada)?.secret, '3.00', 'false'),
    cells(bilal, keyOf(bilal)?.secret, '3.00', 'false'),
    cells(chiara, SECRETLESS, 'unlimited', 'true'),
  ])
  expect(stdout).toBe(
    [
      `3 keys written to ${file}.`,
      '1 of them has no secret in this ledger; class-keys check tells more.',
      'It holds the secrets: hand each student their own, then delete the file.',
      '',
    ].join('\n'),
  )
})

test('a key whose secret is not here shows neither a masked label nor anything like a key', async () => {
  await room.ok(ExportKeys)
  const label = keyOf(chiara)?.label ?? 'no label'
  expect(query('keys.db', 'SELECT key_label FROM key WHERE key_label = ?', label)).toHaveLength(1)
  const text = readFileSync(only(/^api_keys_/), 'utf8')
  expect(text).not.toContain(label)
  expect(text.split('\n').find((line) => line.includes(chiara.email))).not.toMatch(/sk-or/)
})

test('needs neither the network nor a key', async () => {
  vi.stubEnv('OPENROUTER_BASE_URL', 'https://nobody.invalid/api/v1')
  await room.ok(ExportKeys)
  expect(room.requests()).toEqual([])
})

test('--json tells where the file is and counts, and holds no secret', async () => {
  const { json, stderr } = await room.ok(ExportKeys, '--json')
  expect(stderr).toBe('')
  expect(json).toEqual({ file: only(/^api_keys_/), format: 'csv', keys: 3, withoutSecret: 1 })
})

describe('--format json', () => {
  test('writes the same as a list of objects, a missing secret as null', async () => {
    await room.ok(ExportKeys, '--format', 'json')
    const file = only(/^api_keys_\d{8}_\d{6}\.json$/)
    expect(modeOf(file)).toBe('600')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([
      {
        first_name: 'Ada',
        last_name: 'Quill1',
        email: ada.email,
        mq_id: ada.mq_id,
        api_key: keyOf(ada)?.secret,
        key_name: keyOf(ada)?.name,
        limit: 3,
        disabled: false,
      },
      expect.objectContaining({ email: bilal.email, api_key: keyOf(bilal)?.secret }),
      expect.objectContaining({ email: chiara.email, api_key: null, limit: null, disabled: true }),
    ])
  })

  test('of another name is wrong usage, and nothing is written', async () => {
    const before = names()
    const { exitCode, json } = await room.run(ExportKeys, '--format', 'xml', '--json')
    expect([exitCode, json.error.code]).toEqual([2, 'usage'])
    expect(names()).toEqual(before)
  })
})

describe('--output', () => {
  test('names the file', async () => {
    const { stdout } = await room.ok(ExportKeys, '--output', 'handout.csv')
    expect(stdout).toContain('3 keys written to handout.csv.')
    expect(modeOf('handout.csv')).toBe('600')
    expect(names().filter((name) => name.startsWith('api_keys'))).toEqual([])
  })

  test.each([
    ['an earlier export', 'first_name,last_name,email,mq_id,api_key,key_name,limit,disabled\n'],
    ['an export as JSON', '[\n  {\n    "first_name": "Ada"\n  }\n]\n'],
    ['an export of nobody', '[]\n'],
    ['an empty file', ''],
  ])('replaces %s, and closes it to others', async (_, text) => {
    writeFileSync('handout.csv', text, { mode: 0o644 })
    await room.ok(ExportKeys, '--output', 'handout.csv')
    expect(readCsv('handout.csv')).toHaveLength(3)
    expect(modeOf('handout.csv')).toBe('600')
  })

  test.each(['roster.csv', 'limits.csv', 'notes.txt'])(
    'does not replace %s, which no export has written',
    async (name) => {
      writeRoster(students(1))
      writeFileSync('notes.txt', 'Dear diary,\n')
      const before = readFileSync(name, 'utf8')
      const { exitCode, stderr } = await room.run(ExportKeys, '--output', name)
      expect(exitCode).toBe(2)
      expect(stderr).toContain(`${name} is there already, and class-keys export-keys has not written it.`)
      expect(readFileSync(name, 'utf8')).toBe(before)
    },
  )

  describe('that is the ledger or lies beside it is refused before anything is read or written', () => {
    const others: Record<string, [output: string, make?: () => void]> = {
      'the ledger': ['keys.db'],
      'the ledger, by another way': ['here/./keys.db', () => symlinkSync('.', 'here')],
      'a symbolic link to the ledger': ['link.csv', () => symlinkSync('keys.db', 'link.csv')],
      'a hard link to the ledger': ['hard.csv', () => linkSync('keys.db', 'hard.csv')],
      'its lock': ['keys.db-lock'],
      'its journal, which is not there': ['keys.db-journal'],
      'its write-ahead log, which is not there': ['keys.db-wal'],
      'the index of that, in a folder behind a link': ['here/keys.db-shm', () => symlinkSync('.', 'here')],
    }
    for (const [what, [output, make]] of Object.entries(others)) {
      test(what, async () => {
        make?.()
        const before = entries()
        const { json, exitCode } = await room.run(ExportKeys, '--output', output, '--json')
        expect(exitCode).toBe(2)
        expect(json.error).toMatchObject({ code: 'output_is_ledger', exitCode: 2 })
        expect(json.error.message).toBe(
          `${output} belongs to the ledger keys.db, which would be lost. Name another file with --output.`,
        )
        expect(entries()).toEqual(before)
      })
    }

    test('also where --db names the ledger by a link', async () => {
      mkdirSync('elsewhere')
      symlinkSync('../keys.db', 'elsewhere/link.db')
      const before = fileState('keys.db')
      for (const output of ['keys.db', 'keys.db-lock', 'elsewhere/link.db']) {
        const { exitCode } = await room.run(ExportKeys, '--db', 'elsewhere/link.db', '--output', output)
        expect(exitCode).toBe(2)
      }
      expect(fileState('keys.db')).toEqual(before)
    })
  })

  test('at which there is something else than a file is refused, and that stays', async () => {
    mkdirSync('folder')
    execFileSync('mkfifo', ['pipe'])
    symlinkSync('pipe', 'to-pipe')
    symlinkSync('nowhere', 'dangling')
    const before = entries()
    const says = async (output: string) => {
      const { stderr, exitCode } = await room.run(ExportKeys, '--output', output)
      expect(exitCode).toBe(2)
      return stderr
    }
    const rest = 'and is not replaced by a file. Name another path.\n'
    expect(await says('folder')).toBe(`Error: folder is a folder, ${rest}`)
    expect(await says('pipe')).toBe(`Error: pipe is a pipe, ${rest}`)
    expect(await says('to-pipe')).toBe(`Error: to-pipe is a pipe, ${rest}`)
    expect(await says('dangling')).toBe(`Error: dangling is a link that cannot be followed, ${rest}`)
    expect(entries()).toEqual(before)
  })

  test('in a folder that is not there is said in words, and nothing is marked as handed out', async () => {
    const { stderr, exitCode } = await room.run(ExportKeys, '--output', 'no-such-folder/handout.csv')
    expect(exitCode).toBe(1)
    expect(stderr).toContain(
      'Error: handout.csv cannot be written in no-such-folder (the folder does not exist).',
    )
  })
})

test('two exports in one second are two files', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 1, 19, 20, 52, 27) })
  await room.ok(ExportKeys)
  await room.ok(ExportKeys)
  vi.useRealTimers()
  expect(names().filter((name) => name.startsWith('api_keys'))).toEqual([
    'api_keys_20260219_205227-2.csv',
    'api_keys_20260219_205227.csv',
  ])
})

test('a key that is gone from OpenRouter is not exported', async () => {
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', room.sandbox.managementKey)
  const gone = keyOf(ada)
  room.sandbox.state.deleteKey(gone?.hash ?? '')
  await room.ok(Check)
  await room.ok(ExportKeys)
  expect(readCsv(only(/^api_keys_/)).map((row) => row.email)).toEqual([bilal.email, chiara.email])
})

test('a student with two keys has two rows, the older first', async () => {
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', room.sandbox.managementKey)
  room.giveKey(ada, { name: keyNameOf(ada, '20200101'), created_at: new Date('2020-01-01') })
  writeRoster([ada, bilal, chiara])
  await room.ok(Check)
  await room.ok(ExportKeys)
  const adas = readCsv(only(/^api_keys_/)).filter((row) => row.email === ada.email)
  expect(adas.map((row) => row.api_key)).toEqual([SECRETLESS, keyOf(ada)?.secret])
})

test('nobody is handed the key of somebody who had their address before', async () => {
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', room.sandbox.managementKey)
  const newcomer = student(7, { email: ada.email })
  writeRoster([newcomer, bilal, chiara])
  const adas = keyOf(ada)
  // Somebody with the same address may be the same person: that is asked about.
  await room.ok(Provision, '--yes')
  rmSync(only(/^api_keys_/))
  await room.ok(ExportKeys)
  const rows = readCsv(only(/^api_keys_/))
  expect(rows.find((row) => row.api_key === adas?.secret)).toMatchObject({
    mq_id: ada.mq_id,
    first_name: 'Ada',
  })
  expect(rows.filter((row) => row.email === ada.email).map((row) => [row.mq_id, row.api_key])).toEqual([
    [newcomer.mq_id, keyOf(newcomer)?.secret],
  ])
})

test('a limit that is no amount is written as it stands, and check puts it right', async () => {
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', room.sandbox.managementKey)
  execute('keys.db', `UPDATE key SET credit_limit = 'lots' WHERE email = '${ada.email}'`)
  execute('keys.db', `UPDATE key SET credit_limit = 'unlimited' WHERE email = '${bilal.email}'`)
  await room.ok(ExportKeys, '--output', 'a.csv')
  expect(readCsv('a.csv').map((row) => row.limit)).toEqual(['lots', 'unlimited', 'unlimited'])
  await room.ok(ExportKeys, '--output', 'a.json', '--format', 'json')
  const rows = JSON.parse(readFileSync('a.json', 'utf8'))
  expect(rows.map((row: { limit: unknown }) => row.limit)).toEqual(['lots', null, null])
  writeRoster([ada, bilal, chiara])
  const { json } = await room.ok(Check, '--json')
  expect(json.drift).toMatchObject([
    { action: 'observed_limit', oldValue: 'lots', newValue: '3.00' },
    { action: 'observed_limit', oldValue: 'unlimited', newValue: '3.00' },
  ])
  await room.ok(ExportKeys, '--output', 'b.csv')
  expect(readCsv('b.csv').map((row) => row.limit)).toEqual(['3.00', '3.00', 'unlimited'])
})

test('an empty ledger gives a file with its header, and says that there are none', async () => {
  await room.ok(InitDb, '--db', 'empty.db')
  const { stdout } = await room.ok(ExportKeys, '--db', 'empty.db')
  expect(stdout).toContain('0 keys written to')
  expect(readCsv(only(/^api_keys_/))).toEqual([])
})

test('without a ledger names init-db', async () => {
  rmSync('keys.db')
  const { stderr, exitCode } = await room.run(ExportKeys)
  expect(exitCode).toBe(2)
  expect(stderr).toContain('Error: There is no ledger at keys.db. Run class-keys init-db to create it.')
})

test('runs beside a provision that holds the ledger', async () => {
  const lock = takeRunLock('keys.db', 'provision', new Date())
  await room.ok(ExportKeys)
  lock.release()
})

test('changes nothing but which file holds the secrets', async () => {
  const before = fileState('limits.csv')
  const rows = (table: string) => query('keys.db', `SELECT * FROM ${table}`)
  const tables = ['student', 'key', 'usage', 'changelog', 'creation', 'key_state']
  const kept = tables.map(rows)
  // As after a run that was broken off between a secret and its file.
  execute('keys.db', 'UPDATE secret SET handed_out_in = NULL')
  await room.ok(ExportKeys)
  expect(tables.map(rows)).toEqual(kept)
  const file = only(/^api_keys_/)
  expect(rows('secret').map((row) => row.handed_out_in)).toEqual([file, file])
  expect(fileState('limits.csv')).toEqual(before)
})
