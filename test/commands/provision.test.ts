import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Update from '../../src/commands/update.js'
import { openLedger } from '../../src/db/open.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import { useClassroom } from '../support/classroom.js'
import { folderState, modeOf, names, only } from '../support/folder.js'
import { hurry } from '../support/hurry.js'
import { requestOf } from '../support/model.js'
import {
  editLimits,
  headerOf,
  keyNameOf,
  LIMITS_HEADER,
  readCsv,
  student,
  students,
  writeLimits,
  writeRoster,
} from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara, dov] = [student(1), student(2), student(3), student(4)]
const posts = () => room.requests('POST').map((request) => request.body)
const writes = () => room.requests().filter((request) => request.method !== 'GET')

/** The local date as key names and file names have it. */
function today(): string {
  const now = new Date()
  const two = (n: number) => String(n).padStart(2, '0')
  return `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
}

/** A ledger and a roster. */
async function ready(roster = [ada, bilal]) {
  await room.ok(InitDb)
  writeRoster(roster)
}

describe('a key for each student who has none', () => {
  test('has the name, the limit and the reset period of the roster', async () => {
    await ready([
      ada,
      { ...bilal, budget: '$2.50', limit_reset: 'Weekly' },
      { ...chiara, budget: '0', limit_reset: 'DAILY' },
    ])
    await room.ok(Provision)
    expect(posts()).toEqual([
      { name: keyNameOf(ada, today()), limit: 3, limit_reset: null },
      { name: keyNameOf(bilal, today()), limit: 2.5, limit_reset: 'weekly' },
      { name: keyNameOf(chiara, today()), limit: 0, limit_reset: 'daily' },
    ])
    expect(room.sandbox.state.keys()).toHaveLength(3)
  })

  test('is made neither where there is an enabled key nor where there is a disabled one', async () => {
    await ready([ada, bilal, chiara])
    room.giveKey(ada)
    room.giveKey(bilal, { disabled: true })
    const { json } = await room.ok(Provision, '--json')
    expect(posts()).toEqual([expect.objectContaining({ name: keyNameOf(chiara, today()) })])
    expect(json.counts).toEqual({ created: 1, 'already had one': 2 })
    expect(json.keyHolders).toMatchObject([
      { mqId: ada.mq_id, secretHere: false },
      { mqId: bilal.mq_id, secretHere: false },
    ])
  })

  test('is found among more than 250 keys, wherever in the list it is', async () => {
    await ready(students(260))
    const many = students(259)
    for (const each of many) room.giveKey(each, { disabled: Number(each.mq_id) % 7 === 0 })
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 1, 'already had one': 259 })
    expect(posts()).toHaveLength(1)
  })

  test('is made once, however often the command runs', async () => {
    await ready()
    await room.ok(Provision)
    const { stdout } = await room.ok(Provision)
    expect(posts()).toHaveLength(2)
    expect(stdout).toMatch(
      /^Plan: 0 keys to make; 2 students already have one\.\n.*\n\nCreated: 0\nAlready had one: 2\n/,
    )
    expect(stdout).not.toContain('API keys:')
    expect(names().filter((name) => name.startsWith('api_keys'))).toHaveLength(1)
    expect(query('keys.db', "SELECT count(*) AS n FROM changelog WHERE action = 'provisioned'")).toEqual([
      { n: 2 },
    ])
  })

  test('is made once for a student who has changed address and case of the MQ ID', async () => {
    const lower = student(1, { mq_id: 'mq48a' })
    await ready([lower])
    await room.ok(Provision)
    writeRoster([{ ...lower, mq_id: 'MQ48A', email: 'new@x.edu' }])
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ 'already had one': 1 })
    expect(posts()).toHaveLength(1)
  })

  test('is not made for a placeholder address, which is reported', async () => {
    const unknown = student(2, { email: 'bilal@FIXME.mq.edu.au', budget: '' })
    await ready([ada, unknown])
    const { stdout } = await room.ok(Provision)
    expect(stdout).toContain(
      'Bilal Quill2: bilal@FIXME.mq.edu.au is a placeholder, so no key is made. Fill in the address, then run provision again.',
    )
    expect(posts()).toHaveLength(1)
    const { json } = await room.ok(Provision, '--json')
    expect(json.placeholders).toEqual([
      { email: 'bilal@FIXME.mq.edu.au', name: 'Bilal Quill2', mqId: unknown.mq_id },
    ])
    expect(json.students).toHaveLength(1)
  })

  test('names of every kind of person come through as they are', async () => {
    const people = [
      student(1, { first_name: 'Zoë', last_name: "O'Dell" }),
      student(2, { first_name: 'Anna-Lena', last_name: 'van der Berg, Jr.' }),
      student(3, { first_name: '美咲', last_name: '-' }),
      student(4, { first_name: 'a_b', last_name: 'c_d' }),
    ]
    await ready(people)
    await room.ok(Provision)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ keys: 4, matched: 4, orphaned: 0, keyless: 0 })
    const handedOut = readCsv(only(/^api_keys_/))
    expect(handedOut.map((row) => [row.first_name, row.last_name])).toEqual(
      people.map((each) => [
        each.first_name,
        each.last_name === '-' ? expect.stringContaining('-') : each.last_name,
      ]),
    )
  })
})

describe('--limit', () => {
  test('overrides every budget, also one that is missing', async () => {
    await ready([ada, { ...bilal, budget: '' }])
    await room.ok(Provision, '--limit', '1.25')
    expect(posts()).toMatchObject([{ limit: 1.25 }, { limit: 1.25 }])
    expect(readCsv(only(/^api_keys_/)).map((row) => row.budget)).toEqual(['1.25', '1.25'])
  })

  test('of zero is a limit of zero', async () => {
    await ready([{ ...ada, budget: '' }])
    await room.ok(Provision, '--limit', '0')
    expect(posts()).toMatchObject([{ limit: 0 }])
  })

  test('that is no amount is wrong usage, and nothing is sent', async () => {
    await ready()
    for (const wrong of ['lots', '-1', '1,5', '1e3', '']) {
      const { exitCode, stderr } = await room.run(Provision, `--limit=${wrong}`)
      expect(exitCode, wrong).toBe(2)
      expect(stderr).not.toMatch(/\n\s+at /)
    }
    expect(room.requests()).toEqual([])
  })
})

describe('a student without a budget', () => {
  test('stops the run with all such students named, and nothing is created', async () => {
    await ready([ada, { ...bilal, budget: '' }, chiara, { ...dov, budget: ' ' }])
    const { stderr, stdout, exitCode } = await room.run(Provision)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(
      'Error: roster.csv has 2 problems. Nothing was created. Fill them in, or give everybody the same with --limit.',
    )
    expect(stderr).toContain(`  line 3, budget: is empty: Bilal Quill2 (${bilal.email})`)
    expect(stderr).toContain(`  line 5, budget: is empty: Dov Quill4 (${dov.email})`)
    expect(writes()).toEqual([])
    expect(names().filter((name) => /^(api_keys|limits|snapshot)/.test(name))).toEqual([])
  })

  test('is told to a script with line and column', async () => {
    await ready([ada, { ...bilal, budget: '' }])
    const { json } = await room.run(Provision, '--json')
    expect(json.error).toMatchObject({ code: 'bad_file', exitCode: 2, file: 'roster.csv' })
    expect(json.error.problems).toEqual([
      { line: 3, column: 'budget', message: `is empty: Bilal Quill2 (${bilal.email})` },
    ])
  })

  test('is no matter where they have a key already', async () => {
    await ready([ada, { ...bilal, budget: '' }])
    room.giveKey(bilal)
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 1, 'already had one': 1 })
  })

  test('stops a dry run too', async () => {
    await ready([{ ...bilal, budget: '' }])
    expect((await room.run(Provision, '--dry-run')).exitCode).toBe(2)
  })
})

describe('--dry-run', () => {
  test('leaves a journal beside the ledger as it is, which a writer that was killed has left', async () => {
    await room.ok(InitDb)
    writeRoster(students(2))
    const sqlite = new Database('keys.db')
    sqlite.pragma('cache_size = 2')
    sqlite.exec('BEGIN; CREATE TABLE half_done (x); UPDATE schema_version SET version = 9')
    for (let i = 0; i < 20; i++) sqlite.exec('INSERT INTO half_done VALUES (hex(randomblob(2000)))')
    copyFileSync('keys.db', 'killed.db')
    copyFileSync('keys.db-journal', 'killed.db-journal')
    sqlite.exec('ROLLBACK')
    sqlite.close()
    const before = folderState()
    const { stdout } = await room.ok(Provision, '--dry-run', '--db', 'killed.db')
    expect(stdout).toContain('This was a dry run: nothing was sent, and nothing was written.')
    expect(folderState()).toEqual(before)
  })

  test('shows each name, limit and reset, and what the class could then spend', async () => {
    await ready([
      ada,
      { ...bilal, budget: '2.5', limit_reset: 'monthly' },
      { ...chiara, limit_reset: 'monthly' },
      dov,
    ])
    room.giveKey(dov, { limit: 10 })
    const { stdout } = await room.ok(Provision, '--dry-run')
    const [header, ...lines] = stdout.split('\n')
    expect(header).toMatch(/^ADDRESS +KEY NAME +LIMIT +RESET$/)
    expect(lines.slice(0, 3).map((line) => line.split(/ {2,}/))).toEqual([
      [ada.email, keyNameOf(ada, today()), '$3.00'],
      [bilal.email, keyNameOf(bilal, today()), '$2.50', 'monthly'],
      [chiara.email, keyNameOf(chiara, today()), '$3.00', 'monthly'],
    ])
    expect(stdout).toContain('\nPlan: 3 keys to make; 1 student already has one.\n')
    expect(stdout).toContain(
      '\n1 student has a key whose secret is not in this ledger; it was made elsewhere',
    )
    expect(stdout).toMatch(
      /\nThe class could then spend \$5\.50 a month and \$13\.00 once; the account has \$1000\.00 left\.\n/,
    )
    expect(stdout).toMatch(/\nThis was a dry run: nothing was sent, and nothing was written\.\n$/)
  })

  test('gives the plan as data', async () => {
    await ready([ada, student(2, { email: 'b@FIXME.mq.edu.au' })])
    const { json } = await room.ok(Provision, '--dry-run', '--json')
    expect(json).toMatchObject({
      version: 1,
      command: 'provision',
      changes: [
        {
          kind: 'create',
          email: ada.email,
          name: 'Ada Quill1',
          mqId: ada.mq_id,
          keyName: keyNameOf(ada, today()),
          limit: 3,
          limitReset: null,
        },
      ],
      keyHolders: [],
      leftAlone: [],
      absent: [],
      undone: [],
      placeholders: [expect.objectContaining({ email: 'b@FIXME.mq.edu.au' })],
      spending: [{ reset: null, limit: 3 }],
    })
  })

  test('leaves out of the total what a disabled key or another class may spend, and says where there is no limit', async () => {
    await ready([ada, bilal, chiara])
    room.giveKey(bilal, { limit: 50, disabled: true })
    room.giveKey(dov, { limit: 70 })
    expect((await room.ok(Provision, '--dry-run')).stdout).toContain('could then spend $6.00 ')
    room.giveKey(bilal, { limit: null })
    expect((await room.ok(Provision, '--dry-run')).stdout).toContain('could then spend without limit')
  })

  test('writes nothing anywhere, and sends nothing but reading', async () => {
    await ready([ada, bilal, student(3, { email: 'x@FIXME.mq.edu.au' })])
    room.giveKey(bilal)
    writeLimits([{ email: bilal.email, target_limit: '9' }])
    const before = folderState()
    for (const flags of [[], ['--json'], ['--limit', '4']]) await room.ok(Provision, '--dry-run', ...flags)
    expect(folderState()).toEqual(before)
    expect(writes()).toEqual([])
  })

  test('writes nothing where a creation is in doubt either, and shows what would be healed', async () => {
    hurry()
    await ready([ada])
    const ledger = await openLedger('keys.db')
    const person = { firstName: 'Ada', lastName: 'Quill1', email: ada.email, mqId: ada.mq_id }
    await ledger.intend([requestOf(person, { keyName: keyNameOf(ada, today()) })], new Date())
    await ledger.close()
    const lost = room.giveKey(ada, { name: keyNameOf(ada, today()) })
    const before = folderState()
    const { stdout } = await room.ok(Provision, '--dry-run')
    expect(stdout).toContain(
      `Ada Quill1 (${ada.email}): the lost key ${lost.name} will be deleted; nobody has its secret.`,
    )
    expect(stdout).toContain('\nPlan: 1 key to make;')
    expect(folderState()).toEqual(before)
    expect(writes()).toEqual([])
  })

  test('goes beside a run that holds the ledger', async () => {
    await ready()
    const lock = takeRunLock('keys.db', 'provision', new Date())
    await room.ok(Provision, '--dry-run')
    lock.release()
  })

  test('writes nothing where it fails', async () => {
    await ready()
    room.sandbox.faults.add({ effect: { kind: 'error', status: 401 } })
    const before = folderState()
    expect((await room.run(Provision, '--dry-run')).exitCode).toBe(1)
    expect(folderState()).toEqual(before)
  })
})

describe('afterwards', () => {
  test('api_keys_TIMESTAMP.csv holds the secrets, for the owner alone', async () => {
    await ready([ada, { ...bilal, budget: '2.5', limit_reset: 'weekly' }])
    await room.ok(Provision)
    const file = only(/^api_keys_\d{8}_\d{6}\.csv$/)
    expect(file).toContain(`api_keys_${today()}_`)
    expect(modeOf(file)).toBe('600')
    expect(headerOf(file)).toBe('first_name,last_name,email,mq_id,api_key,key_name,budget,limit_reset')
    const secretOf = (of: typeof ada) =>
      room.sandbox.state.keys().find((key) => key.name === keyNameOf(of, today()))?.secret
    expect(readCsv(file).map(Object.values)).toEqual([
      ['Ada', 'Quill1', ada.email, ada.mq_id, secretOf(ada), keyNameOf(ada, today()), '3.00', ''],
      [
        'Bilal',
        'Quill2',
        bilal.email,
        bilal.mq_id,
        secretOf(bilal),
        keyNameOf(bilal, today()),
        '2.50',
        'weekly',
      ],
    ])
  })

  test('limits.csv has a row for each key of the class, sorted by address', async () => {
    await ready([dov, bilal, ada])
    room.giveKey(bilal, { limit: null, disabled: true })
    await room.ok(Provision)
    expect(headerOf('limits.csv')).toMatch(
      new RegExp(`^${LIMITS_HEADER}(,target_limit_reset,actual_limit_reset)?$`),
    )
    const hashOf = (of: typeof ada) =>
      room.sandbox.state.keys().find((key) => key.name.endsWith(`_${of.mq_id}`))?.hash
    expect(readCsv('limits.csv').map((row) => LIMITS_HEADER.split(',').map((column) => row[column]))).toEqual(
      [
        [ada.email, 'Ada Quill1', ada.mq_id, '', '3.00', '', 'false', keyNameOf(ada, today()), hashOf(ada)],
        [
          bilal.email,
          'Bilal Quill2',
          bilal.mq_id,
          '',
          'unlimited',
          '',
          'true',
          keyNameOf(bilal),
          hashOf(bilal),
        ],
        [dov.email, 'Dov Quill4', dov.mq_id, '', '3.00', '', 'false', keyNameOf(dov, today()), hashOf(dov)],
      ],
    )
  })

  test('limits.csv keeps the targets and the columns that the instructor has written', async () => {
    await ready([ada, bilal])
    const adas = room.giveKey(ada)
    writeLimits(
      [
        {
          email: ada.email,
          target_limit: '7.0',
          target_disabled: 'No',
          hash: adas.hash,
          Note: 'asked twice',
        },
      ],
      [...LIMITS_HEADER.split(','), 'Note'],
    )
    await room.ok(Provision)
    expect(headerOf('limits.csv')).toMatch(
      new RegExp(`^${LIMITS_HEADER}(,target_limit_reset,actual_limit_reset)?,Note$`),
    )
    expect(readCsv('limits.csv')).toMatchObject([
      {
        email: ada.email,
        target_limit: '7.0',
        actual_limit: '3.00',
        target_disabled: 'No',
        Note: 'asked twice',
      },
      { email: bilal.email, target_limit: '', Note: '' },
    ])
  })

  test('the snapshot has the new keys too', async () => {
    await ready()
    await room.ok(Provision)
    expect(readCsv(only(/^snapshot_/)).map((row) => [row.email, row.limit])).toEqual([
      [ada.email, '3.00'],
      [bilal.email, '3.00'],
    ])
  })

  test('the ledger has students, keys, secrets, and one changelog row a key', async () => {
    await ready()
    await room.ok(Provision)
    const sandboxKeys = new Map(room.sandbox.state.keys().map((key) => [key.hash, key]))
    const rows = query(
      'keys.db',
      'SELECT k.*, x.secret FROM key k JOIN secret x USING (key_hash) ORDER BY email',
    )
    expect(rows.map((row) => row.email)).toEqual([ada.email, bilal.email])
    for (const row of rows) expect(row.secret).toBe(sandboxKeys.get(String(row.key_hash))?.secret)
    expect(query('keys.db', 'SELECT action, old_value, new_value FROM changelog').map(Object.values)).toEqual(
      [
        ['provisioned', null, '3.00'],
        ['provisioned', null, '3.00'],
      ],
    )
    expect(query('keys.db', 'SELECT DISTINCT state FROM creation')).toEqual([{ state: 'done' }])
    expect(query('keys.db', 'SELECT handed_out_in FROM secret LIMIT 1')).toEqual([
      { handed_out_in: only(/^api_keys_/) },
    ])
    expect(modeOf('keys.db')).toBe('600')
  })

  test('the summary says where everything is and to handle it with care', async () => {
    await ready()
    const { stdout, stderr } = await room.ok(Provision)
    const [apiKeys, snapshot] = [only(/^api_keys_/), only(/^snapshot_/)]
    const [plan, summary] = stdout.split(/(?<=\n\n)(?=Created: )/)
    expect(plan?.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['ADDRESS', 'KEY NAME', 'LIMIT', 'RESET'],
      [ada.email, keyNameOf(ada, today()), '$3.00'],
      [bilal.email, keyNameOf(bilal, today()), '$3.00'],
      ['Plan: 2 keys to make; 0 students already have one.'],
      ['The class could then spend $6.00 once; the account has $1000.00 left.'],
      [''],
      [''],
    ])
    expect(summary).toBe(
      [
        'Created: 2',
        'Already had one: 0',
        '',
        `API keys: ${apiKeys}`,
        'It holds the secrets: hand each student their own, then delete the file. class-keys export-keys can write it again.',
        'Limits: limits.csv',
        `Snapshot: ${snapshot}`,
        '',
      ].join('\n'),
    )
    expect(stderr).toBe(
      [
        'Read the roster: 2 students',
        'Open the ledger: keys.db',
        'Fetch the keys: 0',
        'Plan: 2 changes',
        'Make the keys: 2',
        `Write the API keys: ${apiKeys}`,
        `Write the limits and the snapshot: limits.csv, ${snapshot}`,
        '',
      ].join('\n'),
    )
  })

  test('--json tells of each student, and holds no secret', async () => {
    await ready()
    room.giveKey(bilal)
    const { json, stderr } = await room.ok(Provision, '--json')
    expect(stderr).toBe('')
    const hashOf = (of: typeof ada) =>
      room.sandbox.state.keys().find((key) => key.name.endsWith(`_${of.mq_id}`))?.hash
    expect(json.students).toMatchObject([
      {
        email: ada.email,
        name: 'Ada Quill1',
        mqId: ada.mq_id,
        keyName: keyNameOf(ada, today()),
        hash: hashOf(ada),
        outcome: 'created',
      },
      {
        email: bilal.email,
        name: 'Bilal Quill2',
        mqId: bilal.mq_id,
        hash: hashOf(bilal),
        outcome: 'already had one',
      },
    ])
    expect(json).toMatchObject({
      recovered: 0,
      deleted: [],
      leftAlone: [],
      files: { apiKeys: only(/^api_keys_/), limits: 'limits.csv', snapshot: only(/^snapshot_/) },
    })
    expect(json).not.toHaveProperty('stopped')
  })

  test('nothing is left behind but the files that are named', async () => {
    await ready()
    await room.ok(Provision)
    const known = ['keys.db', 'limits.csv', 'roster.csv', only(/^api_keys_/), only(/^snapshot_/)]
    expect(names().filter((name) => !known.includes(name) && name !== 'keys.db-lock')).toEqual([])
  })

  test('--limits and CLASS_KEYS_LIMITS name the limits file', async () => {
    await ready()
    vi.stubEnv('CLASS_KEYS_LIMITS', 'from-environment.csv')
    await room.ok(Provision)
    await room.ok(Provision, '--limits', 'flag.csv')
    expect(names().filter((name) => !/^(keys|roster|api_keys|snapshot)/.test(name))).toEqual([
      'flag.csv',
      'from-environment.csv',
    ])
  })
})

describe('files that are wrong stop the run before anything is sent', () => {
  test('a roster: every problem at once, with line, column and value', async () => {
    await room.ok(InitDb)
    writeFileSync(
      'roster.csv',
      [
        'First Name,Last Name,Email,MQ ID,Budget,Limit Reset',
        'Ada,Quill,ada@x.edu,4820-0001,3,',
        'Bilal,Marsh,not-an-address,48200002,lots,fortnightly',
        ',Okafor,chiara@x.edu,48200003,-1,',
        'Dov,Lind,ADA@x.edu,48200003,3,',
      ].join('\n'),
    )
    const before = folderState()
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(2)
    expect(
      json.error.problems.map((p: { line: number; column: string; value?: string }) => [
        p.line,
        p.column,
        p.value,
      ]),
    ).toEqual([
      [2, 'mq_id', '4820-0001'],
      [3, 'email', 'not-an-address'],
      [3, 'budget', 'lots'],
      [3, 'limit_reset', 'fortnightly'],
      [4, 'first_name', undefined],
      [4, 'budget', '-1'],
      [5, 'mq_id', '48200003'],
      [5, 'email', 'ADA@x.edu'],
    ])
    const { stderr } = await room.run(Provision)
    expect(stderr).toContain('Error: roster.csv has 8 problems. Nothing was sent to OpenRouter.')
    expect(stderr).toContain('  line 5, email, "ADA@x.edu": another student has this address (line 2)')
    expect(room.requests()).toEqual([])
    expect(folderState()).toEqual(before)
  })

  test('a roster that is missing, empty, or without its columns', async () => {
    await room.ok(InitDb)
    const missing = await room.run(Provision)
    expect([missing.exitCode, missing.stderr]).toEqual([
      2,
      expect.stringContaining('There is no roster at roster.csv. Name it with --roster'),
    ])
    writeFileSync('roster.csv', '')
    expect((await room.run(Provision)).stderr).toContain('the file is empty')
    writeFileSync('roster.csv', 'first_name,last_name,email,mq_id,budget,limit_reset\n')
    expect((await room.run(Provision)).stderr).toContain('has no students')
    writeFileSync('roster.csv', 'name,email\nAda,ada@x.edu\n')
    const { json } = await room.run(Provision, '--json')
    expect(json.error.problems.map((p: { column: string }) => p.column)).toEqual([
      'first_name',
      'last_name',
      'mq_id',
    ])
    expect(room.requests()).toEqual([])
  })

  test('limits.csv, which the run would have to write anew', async () => {
    await ready()
    writeLimits([
      { email: ada.email, target_limit: 'lots', target_disabled: 'perhaps' },
      { email: bilal.email, target_limit: '-2' },
    ])
    const before = folderState()
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(2)
    expect(json.error.file).toBe('limits.csv')
    expect(json.error.problems.map((p: { value: string }) => p.value)).toEqual(['lots', 'perhaps', '-2'])
    expect(posts()).toEqual([])
    expect(folderState()).toEqual(before)
  })
})

describe('some students fail', () => {
  test.each([400, 403])(
    'one is refused with %i: the others get theirs, and the exit code is 3',
    async (status) => {
      await ready(students(20))
      const refused = student(12)
      room.sandbox.faults.add({
        method: 'POST',
        body: new RegExp(refused.mq_id),
        effect: { kind: 'error', status, message: 'This one cannot be' },
      })
      const { stdout, stderr, exitCode } = await room.run(Provision)
      expect(exitCode).toBe(3)
      expect(stdout).toMatch(/\n\nCreated: 19\nAlready had one: 0\nFailed: 1\n/)
      expect(stdout).toMatch(
        new RegExp(`  ${refused.first_name} Quill12 \\(.*\\): failed: .*${status}: This one cannot be`),
      )
      expect(stderr).toContain('19 of 20 students are done; run the same command again to go on.')
      expect(posts()).toHaveLength(20)
      expect(readCsv(only(/^api_keys_/))).toHaveLength(19)
      expect(readCsv('limits.csv')).toHaveLength(19)
      expect(query('keys.db', "SELECT mq_id FROM creation WHERE state = 'refused'")).toEqual([
        { mq_id: refused.mq_id },
      ])

      room.sandbox.faults.clear()
      expect((await room.ok(Provision, '--json')).json.counts).toEqual({ created: 1, 'already had one': 19 })
    },
  )

  test('the first is refused with 403 while others beside it are still under way: the rest goes on', async () => {
    await ready(students(30))
    // The refusal comes before any answer to the others, so that it looks like everybody's.
    room.sandbox.faults.add({
      method: 'POST',
      body: new RegExp(ada.mq_id),
      effect: { kind: 'error', status: 403 },
    })
    room.sandbox.faults.add({ method: 'POST', nth: [2, 3, 4, 5, 6, 7, 8], effect: { kind: 'slow', ms: 150 } })
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ created: 29, failed: 1 })
    expect(posts()).toHaveLength(30)
  })

  test('--json tells why, for whom', async () => {
    await ready()
    room.sandbox.faults.add({
      method: 'POST',
      body: new RegExp(bilal.mq_id),
      effect: { kind: 'error', status: 400, message: 'No more keys for Bilal' },
    })
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ created: 1, failed: 1 })
    expect(json.students[1]).toMatchObject({
      mqId: bilal.mq_id,
      outcome: 'failed',
      reason: 'OpenRouter refused (400: No more keys for Bilal).',
    })
    expect(json).not.toHaveProperty('stopped')
  })

  test('a key that seems to be another one counts as failed, its secret is kept, and it is not made twice', async () => {
    await ready()
    room.sandbox.faults.add({
      method: 'POST',
      body: new RegExp(bilal.mq_id),
      effect: {
        kind: 'wrong-shape',
        body: {
          data: { ...room.giveKey(dov, { limit: 99 }), secret: undefined },
          key: 'sk-or-v1-made-up-for-this-test',
        },
      },
    })
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(3)
    expect(json.students[1]).toMatchObject({
      outcome: 'failed',
      reason: `a key was made, but OpenRouter calls it ${keyNameOf(dov)}: its student cannot be told from that`,
    })
    expect(query('keys.db', 'SELECT count(*) AS n FROM secret')).toEqual([{ n: 2 }])
  })
})

describe('everybody fails', () => {
  test('403 for all: it stops after the requests under way, exit 1, and no key file', async () => {
    await ready(students(60))
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'error', status: 403 } })
    const { stdout, stderr, exitCode } = await room.run(Provision)
    expect(exitCode).toBe(1)
    expect(posts().length).toBeLessThanOrEqual(8)
    expect(stderr).toMatch(/Error: OpenRouter refused \(403/)
    expect(stdout).toMatch(/Not tried: 5\d\n/)
    expect(names().filter((name) => /^(api_keys|snapshot|limits)/.test(name))).toEqual([])
    room.sandbox.faults.clear()
    await room.ok(Provision)
    expect(room.sandbox.state.keys()).toHaveLength(60)
  })

  test('401 in the midst: it stops, writes what it has, and --json says why', async () => {
    await ready(students(40))
    room.sandbox.faults.add({
      method: 'POST',
      while: () => posts().length > 20,
      effect: { kind: 'error', status: 401 },
    })
    const { json, exitCode } = await room.run(Provision, '--json')
    expect(exitCode).toBe(1)
    expect(json.stopped).toMatchObject({ code: 'unauthorized' })
    expect(json.counts.created).toBe(20)
    expect(json.counts['not tried']).toBeGreaterThanOrEqual(12)
    expect(readCsv(only(/^api_keys_/))).toHaveLength(20)
    expect(json.files).toEqual({ apiKeys: only(/^api_keys_/) })
    // What the instructor has is not written anew after an error.
    expect(names()).not.toContain('limits.csv')
  })

  test('with one request at a time, 403 on the first is everybody’s, and one request is all it takes', async () => {
    await ready(students(10))
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'error', status: 403 } })
    const { exitCode } = await room.run(Provision, '--concurrency', '1')
    expect([exitCode, posts().length]).toEqual([1, 1])
  })
})

describe('one run at a time', () => {
  test('a second one says that another holds the ledger and since when, and sends nothing', async () => {
    await ready()
    const lock = takeRunLock('keys.db', 'update', new Date(2026, 1, 19, 20, 52, 27))
    const { stderr, exitCode } = await room.run(Provision)
    lock.release()
    expect(exitCode).toBe(1)
    expect(stderr).toContain('Error: keys.db is in use: class-keys update (process')
    expect(stderr).toContain('has been at work since 2026-02-19 20:52:27. Wait until it has ended.')
    expect(room.requests()).toEqual([])
    await room.ok(Provision)
  })

  test('the ledger is free again after a run that failed', async () => {
    await ready([{ ...ada, budget: '' }])
    expect((await room.run(Provision)).exitCode).toBe(2)
    room.sandbox.faults.add({ method: 'POST', times: 1, effect: { kind: 'error', status: 401 } })
    writeRoster([ada])
    expect((await room.run(Provision)).exitCode).toBe(1)
    await room.ok(Provision)
  })
})

describe('secrets of an earlier, broken run', () => {
  test('that no file ever held are said to be there, and written too', async () => {
    await ready([ada])
    await room.ok(Provision)
    // As a crash between the commit of the secret and the writing of the file leaves it.
    const { execute } = await import('../support/sqlite.js')
    execute('keys.db', 'UPDATE secret SET handed_out_in = NULL')
    rmSync(only(/^api_keys_/))
    writeRoster([ada, bilal])
    const { stdout } = await room.ok(Provision)
    expect(stdout).toContain(
      '1 key of an earlier, unfinished run had never been written to a file; the file below has them too.',
    )
    expect(readCsv(only(/^api_keys_/)).map((row) => row.email)).toEqual([ada.email, bilal.email])
  })
})

describe('nothing is made where it could not be kept', () => {
  test('a folder that takes no files is found out before the first key is asked for', async () => {
    await ready()
    const here = process.cwd()
    mkdirSync('gone')
    process.chdir('gone')
    rmSync(`${here}/gone`, { recursive: true })
    vi.spyOn(process, 'cwd').mockReturnValue(`${here}/gone`)
    const { exitCode, stderr } = await room.run(
      Provision,
      '--db',
      `${here}/keys.db`,
      '--roster',
      `${here}/roster.csv`,
    )
    vi.restoreAllMocks()
    process.chdir(here)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/cannot be written in \. \(the folder does not exist\)/)
    expect(posts()).toEqual([])
  })

  test('a ledger that takes no secret stops the run, and the key it was for is healed by the next one', async () => {
    hurry()
    await ready(students(30))
    const { execute } = await import('../support/sqlite.js')
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE INSERT ON secret BEGIN SELECT RAISE(ABORT, 'disk I/O'); END",
    )
    const { exitCode } = await room.run(Provision)
    expect(exitCode).toBe(1)
    expect(posts().length).toBeLessThanOrEqual(8)
    execute('keys.db', 'DROP TRIGGER stop')
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts.healed).toBeGreaterThan(0)
    expect(room.sandbox.state.keys().filter((key) => !key.disabled)).toHaveLength(30)
    expect(new Set(readCsv(only(/^api_keys_/)).map((row) => row.api_key))).toEqual(
      new Set(room.sandbox.state.keys().map((key) => key.secret)),
    )
  })
})

test('a file that could be run as a formula by a spreadsheet is defused, and comes back unchanged', async () => {
  const formula = student(1, { first_name: '=1+1', last_name: '@SUM(A1)' })
  await ready([formula])
  await room.ok(Provision)
  expect(readFileSync(only(/^api_keys_/), 'utf8')).toMatch(/^"?'=1\+1"?,"?'@SUM\(A1\)"?,/m)
  const first = readFileSync('limits.csv', 'utf8')
  expect(first).toContain("'=1+1 @SUM(A1)")
  editLimits({ [formula.email]: { target_limit: '3' } })
  await room.ok(Update)
  const [row] = readCsv('limits.csv')
  expect(row?.name).toBe("'=1+1 @SUM(A1)")
  await room.ok(Provision)
  expect(readCsv('limits.csv')[0]?.name).toBe("'=1+1 @SUM(A1)")
})

test('--concurrency is kept within its bounds', async () => {
  await ready()
  for (const wrong of ['0', '65', '-1', 'many'])
    expect((await room.run(Provision, `--concurrency=${wrong}`)).exitCode, wrong).toBe(2)
  expect(room.requests()).toEqual([])
})
