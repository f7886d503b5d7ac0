import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type Classroom,
  csvRows,
  MANAGEMENT_KEY,
  openClassroom,
  pupils,
  removeFolders,
} from './support/classroom.js'
import { type Ended, everythingPrinted } from './support/program.js'

/*
 * A term, from the first command to the last, as a person would type it: each test goes on where the one before
 * has ended. In the last one everything that was printed and written is searched for secrets.
 */

// Generous, for machines that do much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const CLASS = pupils(5)
const [ADA, BRUNO, CHIARA] = CLASS.map(({ email }) => email)
/** Sydney's date, in which the program runs whatever the machine's time zone is. */
const today = () =>
  new Date().toLocaleDateString('sv-SE', { timeZone: 'Australia/Sydney' }).replaceAll('-', '')

let room: Classroom
beforeAll(async () => {
  room = await openClassroom(CLASS, { keys: 110 })
})
afterAll(async () => {
  await room.close()
  removeFolders()
})

/** A run that does what it was asked for: its answer on stdout, how far it is on stderr, nothing for terminals alone. */
async function well(...args: string[]): Promise<Ended> {
  const ended = await room.run(args)
  if (ended.code !== 0) throw new Error(`${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`)
  for (const control of ['\u001b', '\r']) expect(ended.stdout + ended.stderr).not.toContain(control)
  return ended
}

const filesLike = (pattern: RegExp) => room.files().filter((name) => pattern.test(name))
const keyOf = (email: string | undefined) => {
  const person = CLASS.find((each) => each.email === email)
  return room.sandbox.state.keys().find((key) => key.name.endsWith(`_${person?.mqId}`))
}
const mode = (name: string) => statSync(join(room.folder, name)).mode & 0o777

describe('a term', () => {
  test('without a ledger each command names init-db', async () => {
    for (const command of ['check', 'provision', 'export-keys', 'refresh-limits-file']) {
      const { code, stdout, stderr } = await room.run([command])
      expect([command, code, stdout]).toEqual([command, 2, ''])
      expect(stderr).toMatch(/Error: There is no ledger at keys\.db\. Run class-keys init-db/)
    }
    expect(room.sandbox.state.requests).toEqual([])
    expect(room.files()).toEqual(['roster.csv'])
  })

  test('init-db makes the ledger, for its owner alone, and a second time changes nothing', async () => {
    const first = await well('init-db')
    expect(first.stdout).toMatch(/keys\.db created, at schema v2/)
    expect(room.files()).toEqual(['keys.db', 'roster.csv'])
    expect(mode('keys.db')).toBe(0o600)
    const bytes = readFileSync(join(room.folder, 'keys.db'))
    expect((await well('init-db')).stdout).toMatch(/already at schema v2/)
    expect(readFileSync(join(room.folder, 'keys.db')).equals(bytes)).toBe(true)
  })

  test('check finds nobody of the class', async () => {
    const { stdout, stderr } = await well('check')
    expect(stdout).toMatch(
      /^Keys in OpenRouter: 110\nMatched: 0\nOrphaned: 110\b.*\nStudents without a key: 5\n/,
    )
    expect(stderr).toMatch(/^Fetch the keys: 110$/m)
    expect(filesLike(/^snapshot_/)).toHaveLength(1)
  })

  test('provision --dry-run shows the plan and writes nothing', async () => {
    const before = room.files()
    const { stdout } = await well('provision', '--dry-run')
    for (const person of CLASS)
      expect(stdout).toContain(`${today()}_${person.first} ${person.last}_${person.mqId}`)
    expect(stdout).toContain('Plan: 5 keys to make;')
    expect(stdout).toMatch(/\$5\.00 +weekly/)
    expect(room.files()).toEqual(before)
    expect(room.sandbox.state.keys()).toHaveLength(110)
  })

  test('provision makes a key for each, and hands the secrets out in a file', async () => {
    const { stdout } = await well('provision')
    expect(stdout).toMatch(/Created: 5\nAlready had one: 0/)
    const [file = '', ...more] = filesLike(/^api_keys_\d{8}_\d{6}\.csv$/)
    expect(more).toEqual([])
    expect(stdout).toContain(`API keys: ${file}`)
    expect(stdout).toContain('It holds the secrets')
    expect(mode(file)).toBe(0o600)
    const rows = csvRows(room.read(file))
    expect(rows.map((row) => row.email)).toEqual(CLASS.map(({ email }) => email))
    for (const row of rows) {
      const key = keyOf(row.email)
      expect(row.api_key).toBe(key?.secret)
      expect([Number(row.budget), row.limit_reset]).toEqual([key?.limit, key?.limit_reset ?? ''])
    }
    expect(csvRows(room.read('limits.csv')).map((row) => row.email)).toEqual(
      CLASS.map(({ email }) => email).sort(),
    )
  })

  test('provision again makes nothing', async () => {
    const { stdout } = await well('provision')
    expect(stdout).toMatch(/Created: 0\nAlready had one: 5/)
    expect(filesLike(/^api_keys_/)).toHaveLength(1)
    expect(room.sandbox.state.requests.filter(({ method }) => method === 'POST')).toHaveLength(5)
  })

  test('update raises a limit and disables a student, and limits.csv then has the new actuals', async () => {
    const rows = room.read('limits.csv').split('\n')
    const edited = rows.map((row) => {
      const cells = row.split(',')
      if (cells[0] === ADA) cells[3] = '12.50'
      if (cells[0] === BRUNO) cells[5] = 'true'
      return cells.join(',')
    })
    room.write('limits.csv', edited.join('\n'))
    const dry = await well('update', '--dry-run')
    expect(dry.stdout).toContain('Plan: 2 keys to change;')
    expect(keyOf(ADA)?.limit).not.toBe(12.5)
    const { stdout } = await well('update')
    expect(stdout).toContain('→ $12.50')
    expect([keyOf(ADA)?.limit, keyOf(BRUNO)?.disabled]).toEqual([12.5, true])
    const after = csvRows(room.read('limits.csv'))
    expect(after.find(({ email }) => email === ADA)).toMatchObject({
      target_limit: '12.50',
      actual_limit: '12.50',
    })
    expect(after.find(({ email }) => email === BRUNO)).toMatchObject({ actual_disabled: 'true' })
  })

  test('a cell that cannot be read stops update before the first change, the file as it is', async () => {
    const before = room.read('limits.csv')
    const broken = before.replace('12.50', 'lots')
    room.write('limits.csv', broken)
    const asked = room.sandbox.state.requests.length
    const { code, stdout, stderr } = await room.run(['update'])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/limits\.csv has one problem.*\n +line \d+, target_limit, "lots":/)
    expect(room.read('limits.csv')).toBe(broken)
    expect(room.sandbox.state.requests.slice(asked).some(({ method }) => method === 'PATCH')).toBe(false)
    room.write('limits.csv', before)
  })

  test('refresh-limits-file shows what somebody did in the dashboard', async () => {
    room.sandbox.state.editKey(keyOf(ADA)?.hash ?? '', { limit: 1 })
    const { stdout } = await well('refresh-limits-file')
    expect(stdout).toMatch(/\$1\.00 → \$12\.50/)
    expect(stdout).toContain('class-keys update')
    expect(csvRows(room.read('limits.csv')).find(({ email }) => email === ADA)).toMatchObject({
      target_limit: '12.50',
      actual_limit: '1.00',
    })
  })

  test('check shows what was spent', async () => {
    room.sandbox.state.addUsage(keyOf(CHIARA)?.hash ?? '', 1.25)
    const { stdout } = await well('check')
    expect(stdout).toContain('Matched: 5')
    expect(stdout.split('\n').find((line) => line.startsWith(CHIARA ?? ''))).toContain('$1.25')
    expect(stdout.split('\n').find((line) => line.startsWith(BRUNO ?? ''))).toContain('disabled')
  })

  test.each(['csv', 'json'])(
    'export-keys writes every secret as %s, without a network and without a key',
    async (format) => {
      const file = `out.${format}`
      const env = { OPENROUTER_BASE_URL: 'http://127.0.0.1:1', OPENROUTER_PROVISIONING_KEY: '' }
      const { code, stdout } = await room.run(['export-keys', '--format', format, '--output', file], { env })
      expect([code, stdout]).toEqual([0, expect.stringContaining(`5 keys written to ${file}`)])
      expect(mode(file)).toBe(0o600)
      const rows = format === 'csv' ? csvRows(room.read(file)) : JSON.parse(room.read(file))
      expect(rows.map((row: { api_key: string }) => row.api_key).sort()).toEqual(
        CLASS.map(({ email }) => keyOf(email)?.secret).sort(),
      )
    },
  )

  test('nothing that was printed, and no file but the ledger and those made for it, holds a secret', () => {
    const secrets = [...room.sandbox.state.keys().map((key) => key.secret), MANAGEMENT_KEY]
    const printed = everythingPrinted.join('\n')
    expect(printed.length).toBeGreaterThan(10_000)
    expect(secrets.filter((secret) => printed.includes(secret))).toEqual([])
    const files = readdirSync(room.folder).filter((name) => !/^(keys\.db|api_keys_|out\.)/.test(name))
    expect(files.length).toBeGreaterThan(3)
    for (const name of files) {
      const text = readFileSync(join(room.folder, name), 'latin1')
      expect([name, secrets.filter((secret) => text.includes(secret))]).toEqual([name, []])
    }
    // The management key is nobody's to write down, not even in the ledger.
    for (const name of readdirSync(room.folder)) {
      expect([name, readFileSync(join(room.folder, name), 'latin1').includes(MANAGEMENT_KEY)]).toEqual([
        name,
        false,
      ])
      if (/^(keys\.db|api_keys_|out\.)/.test(name)) expect([name, mode(name)]).toEqual([name, 0o600])
    }
  })
})
