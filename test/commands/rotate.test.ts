import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import Update from '../../src/commands/update.js'
import { OpenRouter } from '../../src/lib/openrouter/client.js'
import type { SandboxKey } from '../../src/lib/sandbox/state.js'
import { useClassroom } from '../support/classroom.js'
import { folderState, names } from '../support/folder.js'
import { editLimits, type RosterLine, readCsv, student, students, writeRoster } from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]
const NOON = new Date(2026, 2, 2, 12)

/** Sets the clock to so many days after the first day of a test. */
const itIsDay = (day: number) => vi.setSystemTime(new Date(2026, 2, 2 + day, 12))

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 2, 2, 11) })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A class that has its keys, whose secrets have been handed out and thrown away. */
async function ready(people: readonly RosterLine[] = [ada, bilal, chiara], ...provision: string[]) {
  await room.ok(InitDb)
  writeRoster(people)
  await room.ok(Provision, ...provision)
  for (const name of names().filter((each) => /^(api_keys|snapshot)_/.test(each))) rmSync(name)
  room.sandbox.state.requests.length = 0
  vi.setSystemTime(NOON)
}

/** The keys of a student, the oldest first. */
const keysOf = ({ mq_id }: RosterLine): SandboxKey[] =>
  room.sandbox.state
    .keys()
    .filter(({ name }) => name.endsWith(`_${mq_id}`))
    .reverse()
const enabled = (of: RosterLine) => keysOf(of).map(({ disabled }) => !disabled)
const [POST, PATCH, DELETE] = ['POST', 'PATCH', 'DELETE'] as const
const creations = () => room.requests(POST).filter(({ path }) => path === '/keys')
const files = (pattern: RegExp) => names().filter((name) => pattern.test(name))
const handedOut = () => files(/^api_keys_/).flatMap((name) => readCsv(name))
/** What the changelog says of keys, the oldest first, without how they were first made. */
const logged = () =>
  query('keys.db', 'SELECT action, key_hash, old_value, new_value FROM changelog ORDER BY id').slice(
    readCsv('roster.csv').length,
  )
const openRotations = () =>
  query('keys.db', 'SELECT old_hash FROM rotation WHERE closed_at IS NULL OR retired_at IS NULL').length
const outcomes = ({ students: all }: { students: { email: string; outcome: string }[] }) =>
  Object.fromEntries(all.map(({ email, outcome }) => [email, outcome]))

describe('one student', () => {
  test('gets a new key with what was left, and the old one is disabled', async () => {
    await ready()
    const [old] = keysOf(ada)
    room.sandbox.state.addUsage(old?.hash ?? '', 1.1)
    const { stdout } = await room.ok(Rotate, ada.email, '--yes')
    const [, fresh] = keysOf(ada)
    expect(enabled(ada)).toEqual([false, true])
    expect(fresh).toMatchObject({ limit: 1.9, limit_reset: null, name: `20260302_Ada Quill1_${ada.mq_id}` })
    expect([enabled(bilal), enabled(chiara)]).toEqual([[true], [true]])
    expect(stdout).toContain('Plan: 1 key to make, 1 old key to retire.')
    expect(stdout).toContain('Rotated: 1\n')

    const [apiKeys = ''] = files(/^api_keys_/)
    expect(readCsv(apiKeys)).toEqual([
      {
        first_name: 'Ada',
        last_name: 'Quill1',
        email: ada.email,
        mq_id: ada.mq_id,
        api_key: fresh?.secret,
        key_name: fresh?.name,
        budget: '1.90',
        limit_reset: '',
      },
    ])
    const rows = readCsv('limits.csv').filter(({ email }) => email === ada.email)
    expect(
      rows.map(({ hash, actual_disabled, actual_limit }) => [hash, actual_disabled, actual_limit]),
    ).toEqual([
      [old?.hash, 'true', '3.00'],
      [fresh?.hash, 'false', '1.90'],
    ])
    const snapshot = readCsv(files(/^snapshot_/)[0] ?? '')
    expect(snapshot.filter(({ email }) => email === ada.email).map(({ disabled }) => disabled)).toEqual([
      'true',
      'false',
    ])
    expect(openRotations()).toBe(0)
  })

  test('each step stands in the changelog once, in its order', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--yes')
    const [old, fresh] = keysOf(ada).map(({ hash }) => hash)
    expect(logged()).toEqual([
      { action: 'provisioned', key_hash: fresh, old_value: null, new_value: '3.00' },
      { action: 'replaced', key_hash: old, old_value: null, new_value: fresh },
      { action: 'update_disabled', key_hash: old, old_value: 'false', new_value: 'true' },
    ])
    await room.ok(Check)
    expect(logged()).toHaveLength(3)
  })

  test.each(['--delete-old', ''])(
    '%s: the secret is in a file before the old key is touched',
    async (flag) => {
      await ready([ada])
      const seen: unknown[] = []
      const look = () => {
        const secrets = handedOut().map(({ api_key }) => api_key)
        seen.push([secrets, enabled(ada), openRotations(), files(/^snapshot_/)])
      }
      room.sandbox.faults.add({ method: [PATCH, DELETE], effect: { kind: 'before', run: look } })
      await room.ok(Rotate, ada.email, '--yes', ...(flag ? [flag] : []))
      // What remains unsaid until then: that the run is over.
      expect(seen).toEqual([[[keysOf(ada).at(-1)?.secret], [true, true], 1, []]])
      expect(
        room
          .requests()
          .map(({ method }) => method)
          .filter((method) => method !== 'GET'),
      ).toEqual([POST, flag ? DELETE : PATCH])
    },
  )

  test('--delete-old deletes it, what it had spent is known, and the changelog says so once', async () => {
    await ready()
    const [old] = keysOf(ada)
    room.sandbox.state.addUsage(old?.hash ?? '', 1.25)
    const { stdout } = await room.ok(Rotate, ada.email, '--delete-old', '--yes')
    expect(stdout).toContain('This plan deletes 1 key for good: it needs a yes, or --yes.')
    expect(keysOf(ada).map(({ limit }) => limit)).toEqual([1.75])
    expect(query('keys.db', 'SELECT usage FROM usage WHERE key_hash = ?', old?.hash)).toEqual([
      { usage: 1.25 },
    ])
    expect(logged().map(({ action }) => action)).toEqual(['provisioned', 'replaced', 'deleted'])
    const { json } = await room.ok(Check, '--json')
    expect([json.drift, json.duplicates, json.counts.matched]).toEqual([[], [], 3])
  })

  test.each<[string, Partial<RosterLine>, number, object]>([
    ['unlimited stays unlimited', { budget: 'unlimited' }, 7, { limit: null }],
    ['zero stays zero', { budget: '0' }, 0, { limit: 0 }],
    ['a limit that refills is whole', { limit_reset: 'weekly' }, 2, { limit: 3, limit_reset: 'weekly' }],
    ['nothing is left', {}, 3.5, { limit: 0, limit_reset: null }],
  ])('%s', async (_, over, spent, expected) => {
    const { budget = '3', ...rest } = over
    await ready([{ ...ada, ...rest, budget: budget === 'unlimited' ? '3' : budget }])
    const [old] = keysOf(ada)
    if (budget === 'unlimited') room.sandbox.state.editKey(old?.hash ?? '', { limit: null })
    if (spent > 0) room.sandbox.state.addUsage(old?.hash ?? '', spent)
    await room.ok(Rotate, ada.email, '--yes')
    expect(keysOf(ada)[1]).toMatchObject(expected)
  })

  test('expires as the old one would have, or as --expires says', async () => {
    await ready([ada, bilal], '--expires', '2026-06-30T10:00:00Z')
    await room.ok(Rotate, ada.email, '--yes')
    await room.ok(Rotate, bilal.email, '--yes', '--expires', '2026-11-30T10:00:00Z')
    const expiries = [ada, bilal].map((each) => Date.parse(keysOf(each)[1]?.expires_at ?? ''))
    expect(expiries).toEqual([Date.UTC(2026, 5, 30, 10), Date.UTC(2026, 10, 30, 10)])
  })

  test('--expires that is over already is refused, since the new key would be none', async () => {
    await ready()
    const { stderr, exitCode } = await room.run(Rotate, ada.email, '--yes', '--expires', '2026-03-01')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('--expires is over already')
    expect(creations()).toEqual([])
  })

  test('who is named has a disabled key: it is replaced all the same, and stays disabled', async () => {
    await ready()
    const [old] = keysOf(ada)
    editLimits({ [ada.email]: { target_disabled: 'true' } })
    await room.ok(Update, '--yes')
    room.sandbox.state.requests.length = 0
    const { stdout } = await room.ok(Rotate, 'quill1', '--yes')
    expect(stdout).toContain('disabled already')
    expect([enabled(ada), room.requests(PATCH)]).toEqual([[false, true], []])
    expect(readCsv('limits.csv').find(({ hash }) => hash === old?.hash)?.target_disabled).toBe('')
    // Neither does update bring it back, nor does it disable the new one.
    await room.ok(Update)
    expect(enabled(ada)).toEqual([false, true])
    expect(openRotations()).toBe(0)
  })

  test('who is off the roster, but known to the ledger, and is said to be so', async () => {
    await ready()
    writeRoster([bilal])
    const { stdout } = await room.ok(Rotate, ada.mq_id, '--yes')
    expect(stdout).toContain(`Ada Quill1 (${ada.email}) is not on the roster.`)
    expect(enabled(ada)).toEqual([false, true])
    expect(handedOut().map(({ email }) => email)).toEqual([ada.email])
  })

  test('without a roster, the class is who the ledger knows', async () => {
    await ready()
    rmSync('roster.csv')
    const { stdout, stderr } = await room.ok(Rotate, ada.email, '--yes')
    expect(stderr + stdout).toContain('no roster.csv; 3 students in the ledger')
    expect(stdout).not.toContain('is not on the roster')
    expect(enabled(ada)).toEqual([false, true])
  })
})

describe('several students', () => {
  test('by name, and nobody else', async () => {
    await ready()
    const { json } = await room.ok(Rotate, ada.email, chiara.mq_id, ada.mq_id, '--yes', '--json')
    expect(json.counts).toEqual({ rotated: 2 })
    expect([ada, bilal, chiara].map(enabled)).toEqual([[false, true], [true], [false, true]])
    expect(handedOut()).toHaveLength(2)
  })

  test('where one of them cannot be rotated, nothing is changed, and all reasons are told', async () => {
    await ready([ada, bilal])
    room.giveKey(bilal)
    writeRoster([ada, bilal, chiara])
    const { stderr, exitCode } = await room.run(Rotate, ada.email, bilal.email, chiara.email, '--yes')
    expect(exitCode).toBe(2)
    expect(stderr.replace(/\s+/g, ' ')).toContain(
      'Nothing was changed. Bilal Quill2: there is more than one key that works; disable all but one through limits.csv first; Chiara Quill3: there is no key to replace; class-keys provision makes one.',
    )
    expect(room.requests().filter(({ method }) => method !== 'GET')).toEqual([])
    expect(query('keys.db', 'SELECT * FROM rotation')).toEqual([])
  })

  test('--lost: those whose secret is not in the ledger', async () => {
    await ready([ada])
    room.giveKey(bilal)
    writeRoster([ada, bilal])
    const { json } = await room.ok(Rotate, '--lost', '--yes', '--json')
    expect(outcomes(json)).toEqual({ [bilal.email]: 'rotated' })
    expect(json.plan.skipped).toMatchObject([{ email: ada.email, why: 'the secret is in this ledger' }])
    expect([enabled(ada), enabled(bilal)]).toEqual([[true], [false, true]])
    // All secrets are here now: there is nothing to do, and nobody is asked.
    const { json: again } = await room.ok(Rotate, '--lost', '--json')
    expect([again.students, again.plan.changes]).toEqual([[], []])
  })

  test('--all: everybody who has a key, each with a secret in the file', async () => {
    await ready()
    const { json } = await room.ok(Rotate, '--all', '--yes', '--json')
    expect(json.counts).toEqual({ rotated: 3 })
    expect([ada, bilal, chiara].map(enabled)).toEqual([1, 2, 3].map(() => [false, true]))
    expect(new Set(handedOut().map(({ api_key }) => api_key))).toEqual(
      new Set([ada, bilal, chiara].map((each) => keysOf(each)[1]?.secret)),
    )
    expect(
      logged()
        .map(({ action }) => action)
        .sort(),
    ).toEqual([
      ...Array(3).fill('provisioned'),
      ...Array(3).fill('replaced'),
      ...Array(3).fill('update_disabled'),
    ])
  })

  test.each([
    [[]],
    [['--lost', 'quill1']],
    [['--all', 'quill1']],
    [['--all', '--lost']],
    [['--due', '--all']],
    [['--due', '--expires', '2026-11-30']],
    [['--due', '--keep-old', '3']],
    [['quill1', '--keep-old', '0']],
    [['quill1', '--keep-old', '366']],
    [['nobody at all']],
  ])('%j is not understood, and nothing is changed', async (argv) => {
    await ready()
    expect((await room.run(Rotate, ...argv, '--yes')).exitCode).toBe(2)
    expect(room.requests().filter(({ method }) => method !== 'GET')).toEqual([])
  })
})

describe('old keys that are kept', () => {
  test('stay in use until their day, and --due retires them then', async () => {
    await ready([ada, bilal])
    const { stdout, json } = await (async () => ({
      ...(await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')),
      json: (await room.ok(Check, '--json')).json,
    }))()
    expect(stdout).toContain('kept until 2026-03-09 12:00')
    expect(stdout).toContain('Plan: 1 key to make, 0 old keys to retire.')
    expect([enabled(ada), handedOut().length]).toEqual([[true, true], 1])
    expect(json.replaced).toMatchObject([{ email: ada.email }])

    itIsDay(6)
    const early = await room.ok(Rotate, '--due', '--json')
    expect([early.json.students, early.json.plan.kept.length, early.json.plan.changes]).toEqual([[], 1, []])
    expect(enabled(ada)).toEqual([true, true])

    itIsDay(7)
    const due = await room.ok(Rotate, '--due', '--yes')
    expect(due.stdout).toContain('Plan: 0 keys to make, 1 old key to retire.')
    expect(due.stdout).toContain('Old keys disabled: 1\n')
    expect([enabled(ada), enabled(bilal), creations().length]).toEqual([[false, true], [true], 1])
    expect(logged().map(({ action }) => action)).toEqual(['provisioned', 'replaced', 'update_disabled'])
    expect(openRotations()).toBe(0)

    const { json: nothing } = await room.ok(Rotate, '--due', '--json')
    expect([nothing.students, nothing.plan.changes]).toEqual([[], []])
  })

  test('--due is asked about, retires those of the students who are named, and deletes where that was said', async () => {
    await ready([ada, bilal])
    await room.ok(Rotate, '--all', '--keep-old', '7', '--delete-old', '--yes')
    itIsDay(8)
    expect((await room.run(Rotate, '--due')).exitCode).toBe(4)
    const { json } = await room.ok(Rotate, '--due', bilal.email, '--yes', '--json')
    expect(outcomes(json)).toEqual({ [bilal.email]: 'deleted' })
    expect([enabled(ada), enabled(bilal)]).toEqual([[true, true], [true]])
    expect((await room.ok(Rotate, '--due', '--yes')).stdout).toContain('Old keys deleted: 1\n')
    expect([enabled(ada), openRotations()]).toEqual([[true], 0])
  })

  test('whose new key has leaked: one request more, and both are out of use', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')
    itIsDay(2)
    const { json } = await room.ok(Rotate, ada.email, '--yes', '--json')
    expect(outcomes(json)).toEqual({ [ada.email]: 'rotated' })
    expect([enabled(ada), openRotations()]).toEqual([[false, false, true], 0])
  })

  test('of which one cannot be disabled: the same words retire it, and make no other key', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')
    const [oldest] = keysOf(ada)
    itIsDay(2)
    const fault = room.sandbox.faults.add({
      method: PATCH,
      path: new RegExp(oldest?.hash ?? ''),
      effect: { kind: 'error', status: 400 },
    })
    const { exitCode, json } = await room.run(Rotate, ada.email, '--yes', '--json')
    expect([exitCode, outcomes(json), enabled(ada)]).toEqual([
      3,
      { [ada.email]: 'failed' },
      [true, false, true],
    ])
    fault.remove()
    const again = await room.ok(Rotate, ada.email, '--yes', '--json')
    expect([outcomes(again.json), again.json.plan.resumesSince]).toEqual([
      { [ada.email]: 'rotated' },
      new Date(2026, 2, 4, 12).toISOString(),
    ])
    expect([enabled(ada), openRotations()]).toEqual([[false, false, true], 0])
  })

  test('are out of use when the instructor has disabled them through limits.csv before', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')
    const rows = readFileSync('limits.csv', 'utf8').split('\n')
    const [oldest] = keysOf(ada)
    writeFileSync(
      'limits.csv',
      rows
        .map((row) => (row.includes(oldest?.hash ?? '') ? row.replace(',false,', 'true,false,') : row))
        .join('\n'),
    )
    // What limits.csv asks of a key that is kept is not forgotten when somebody else is rotated.
    await room.ok(Rotate, bilal.email, '--yes')
    expect(readCsv('limits.csv').find(({ hash }) => hash === oldest?.hash)?.target_disabled).toBe('true')
    await room.ok(Update, '--yes')
    expect(enabled(ada)).toEqual([false, true])
    itIsDay(9)
    const { json } = await room.ok(Rotate, '--due', '--json')
    expect([json.students, json.plan.retired.length, openRotations()]).toEqual([[], 1, 0])
  })

  test('stay where the new key was disabled meanwhile, and the run says what to do', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')
    room.sandbox.state.editKey(keysOf(ada)[1]?.hash ?? '', { disabled: true })
    itIsDay(8)
    const { stdout } = await room.ok(Rotate, '--due', '--yes')
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      `Ada Quill1 (${ada.email}): no new key, the newer key is disabled or has expired, and the old one is the last that works`,
    )
    expect(enabled(ada)).toEqual([true, false])
    await room.ok(Rotate, ada.email, '--yes')
    expect([enabled(ada), openRotations()]).toEqual([[false, false, true], 0])
  })
})

describe('before anything is changed', () => {
  test('limits.csv that cannot be read stops it, and nothing is asked of OpenRouter', async () => {
    await ready()
    editLimits({ [ada.email]: { target_limit: 'lots' } })
    const { stderr, exitCode } = await room.run(Rotate, ada.email, '--yes')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('lots')
    expect(room.requests()).toEqual([])
  })

  test('a yes is needed, where nobody can be asked: exit code 4', async () => {
    await ready()
    for (const argv of [[], ['--json'], ['--keep-old', '3'], ['--delete-old', '--force']]) {
      const { exitCode } = await room.run(Rotate, ada.email, ...argv)
      expect(exitCode, argv.join()).toBe(4)
    }
    expect(room.requests().filter(({ method }) => method !== 'GET')).toEqual([])
    expect(query('keys.db', 'SELECT * FROM rotation')).toEqual([])
  })

  test('a large part of a class wants --force, or a higher --max-change', async () => {
    const people = students(12)
    await ready(people)
    const { exitCode, stderr } = await room.run(Rotate, '--all', '--yes')
    expect(exitCode).toBe(4)
    expect(stderr.replace(/\s+/g, ' ')).toContain('disables, deletes or lowers 12 of 12 keys (100%)')
    expect(creations()).toEqual([])
    const four = people.slice(0, 4).map(({ email }) => email)
    expect((await room.run(Rotate, ...four, '--yes')).exitCode).toBe(4)
    await room.ok(Rotate, ...four.slice(1), '--yes')
    await room.ok(Rotate, ...four, '--yes', '--max-change', '50')
    await room.ok(Rotate, '--all', '--yes', '--force')
    expect(people.map((each) => enabled(each).filter(Boolean).length)).toEqual(people.map(() => 1))
  })

  test('--dry-run shows the plan, and writes nothing anywhere', async () => {
    await ready()
    const before = folderState()
    const { stdout } = await room.ok(Rotate, ada.email, '--dry-run')
    expect(stdout).toContain('This was a dry run')
    const { json } = await room.ok(Rotate, '--all', '--dry-run', '--json')
    expect(json).toMatchObject({ version: 1, command: 'rotate', safety: { hit: 3, total: 3 } })
    expect(json.changes.map(({ kind }: { kind: string }) => kind)).toEqual([
      ...Array(3).fill('create'),
      ...Array(3).fill('disable'),
    ])
    expect(folderState()).toEqual(before)
    expect(room.requests().filter(({ method }) => method !== 'GET')).toEqual([])
  })
})

describe('limits.csv', () => {
  test('what it asks of the old key and was not applied is taken out, and the plan says so', async () => {
    await ready()
    editLimits({ [ada.email]: { target_limit: '9' }, [bilal.email]: { target_limit: '8' } })
    const { stdout, json } = {
      ...(await room.ok(Rotate, ada.email, '--dry-run')),
      json: (await room.ok(Rotate, ada.email, '--yes', '--json')).json,
    }
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      `Ada Quill1 (${ada.email}): what limits.csv asks of the old key has not been applied, and is taken out of the file.`,
    )
    expect(json.plan.overtaken).toMatchObject([{ email: ada.email, limit: { from: 3, to: 9 } }])
    const targets = readCsv('limits.csv').map(({ email, target_limit }) => [email, target_limit])
    expect(targets).toEqual([
      [ada.email, ''],
      [ada.email, ''],
      [bilal.email, '8'],
      [chiara.email, ''],
    ])
    await room.ok(Update)
    expect([keysOf(ada)[1]?.limit, keysOf(bilal)[0]?.limit]).toEqual([3, 8])
  })

  test('keeps the targets of a student whose new key could not be made', async () => {
    await ready()
    editLimits({ [ada.email]: { target_limit: '9' } })
    room.sandbox.faults.add({ method: POST, body: /Ada/, effect: { kind: 'error', status: 400 } })
    expect((await room.run(Rotate, ada.email, bilal.email, '--yes')).exitCode).toBe(3)
    expect(readCsv('limits.csv').find(({ email }) => email === ada.email)?.target_limit).toBe('9')
  })
})

describe('guardrails', () => {
  const guarded = async () => {
    const { id } = room.sandbox.state.addGuardrail({ name: 'Small models' })
    await ready([ada, bilal], '--guardrail', 'Small models')
    return id
  }
  const ASSIGN = { method: POST, path: /assignments\/keys$/ }
  const guardrails = (of: RosterLine) => keysOf(of).map(({ hash }) => room.sandbox.state.guardrailOf(hash))

  test('of the old key are those of the new one, before the old one is out of use', async () => {
    const id = await guarded()
    await room.ok(Rotate, ada.email, '--yes')
    expect(guardrails(ada)).toEqual([id, id])
    const changes = room.requests().filter(({ method }) => method !== 'GET')
    expect(changes.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f-]{32,}/, 'ID')}`)).toEqual([
      'POST /keys',
      'POST /guardrails/ID/assignments/keys',
      'PATCH /keys/ID',
    ])
    expect(
      logged()
        .slice(2)
        .map(({ action, new_value }) => [action, new_value]),
    ).toEqual([
      ['provisioned', '3.00'],
      ['replaced', keysOf(ada)[1]?.hash],
      ['assign_guardrail', 'Small models'],
      ['update_disabled', 'true'],
    ])
  })

  test('that cannot be assigned: the old key stays in use, and the same words repair it', async () => {
    const id = await guarded()
    const fault = room.sandbox.faults.add({ ...ASSIGN, effect: { kind: 'error', status: 400 } })
    const { exitCode, json } = await room.run(Rotate, ada.email, '--yes', '--json')
    expect([exitCode, outcomes(json)]).toEqual([3, { [ada.email]: 'failed' }])
    expect(json.students[0].reason).toContain('there is a key, but not its guardrail Small models')
    expect([enabled(ada), openRotations(), handedOut().length]).toEqual([[true, true], 1, 1])
    fault.remove()
    const again = await room.ok(Rotate, ada.email, '--yes', '--json')
    expect(outcomes(again.json)).toEqual({ [ada.email]: 'rotated' })
    expect([enabled(ada), guardrails(ada), openRotations()]).toEqual([[false, true], [id, id], 0])
    expect(creations()).toHaveLength(1)
  })

  test('that is gone: provision gives the new key another one, and the same words go on', async () => {
    await guarded()
    const other = room.sandbox.state.addGuardrail({ name: 'Other models' })
    room.sandbox.faults.add({ ...ASSIGN, times: 1, effect: { kind: 'error', status: 404 } })
    const { exitCode, json } = await room.run(Rotate, ada.email, '--yes', '--json')
    expect(exitCode).toBe(3)
    expect(json.students[0].reason).toContain('class-keys provision --guardrail gives these keys another one')
    expect(enabled(ada)).toEqual([true, true])
    await room.ok(Provision, '--guardrail', 'Other models')
    expect(guardrails(ada)[1]).toBe(other.id)
    await room.ok(Rotate, ada.email, '--yes')
    expect([enabled(ada), openRotations(), creations().length]).toEqual([[false, true], 0, 1])
  })

  test('with --keep-old: a run whose guardrail failed is not over', async () => {
    const id = await guarded()
    const fault = room.sandbox.faults.add({ ...ASSIGN, effect: { kind: 'error', status: 400 } })
    expect((await room.run(Rotate, ada.email, '--keep-old', '7', '--yes')).exitCode).toBe(3)
    expect(query('keys.db', 'SELECT closed_at FROM rotation')).toEqual([{ closed_at: null }])
    itIsDay(8)
    // Neither is the old key retired by --due for a new one that may use what it should not.
    expect((await room.run(Rotate, '--due', '--yes')).exitCode).toBe(3)
    expect(enabled(ada)).toEqual([true, true])
    fault.remove()
    await room.ok(Rotate, '--due', '--yes')
    expect([enabled(ada), guardrails(ada), openRotations()]).toEqual([[false, true], [id, id], 0])
  })
})

describe('when it breaks off', () => {
  const stop = (on: string) =>
    execute('keys.db', `CREATE TRIGGER stop BEFORE ${on} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
  const goOn = () => execute('keys.db', 'DROP TRIGGER stop')

  test.each([
    ['a key is retired', "INSERT ON changelog WHEN NEW.action = 'update_disabled'"],
    ['that is written down', 'UPDATE ON rotation WHEN NEW.retired_at IS NOT NULL'],
    ['what is to be sent is written down', 'INSERT ON pending_change'],
    ['the file with the secrets is noted', 'UPDATE ON secret'],
    ['the rotations are closed', 'UPDATE ON rotation WHEN NEW.closed_at IS NOT NULL'],
  ])('the disk is full when %s: what was made is in a file, and the same words go on', async (_, on) => {
    await ready()
    stop(on)
    const { exitCode, stderr } = await room.run(Rotate, '--all', '--yes', '--concurrency', '1')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the disk is full')
    const made = [ada, bilal, chiara].map((each) => keysOf(each)[1]?.secret)
    expect(new Set(handedOut().map(({ api_key }) => api_key))).toEqual(new Set(made))
    expect(openRotations()).toBeGreaterThan(on.includes('closed_at') ? -1 : 0)
    goOn()
    const { json } = await room.ok(Rotate, '--all', '--yes', '--json')
    expect(json.plan.resumesSince).toBe(NOON.toISOString())
    expect([ada, bilal, chiara].map(enabled)).toEqual([1, 2, 3].map(() => [false, true]))
    expect([openRotations(), creations().length]).toEqual([0, 3])
    const disabled = logged().filter(({ action }) => action === 'update_disabled')
    expect(disabled).toHaveLength(3)
  })

  test('the first commit fails: nothing was asked for', async () => {
    await ready()
    stop('INSERT ON rotation')
    const { exitCode } = await room.run(Rotate, '--all', '--yes')
    expect([exitCode, creations()]).toEqual([1, []])
  })

  test('the folder takes no file: no old key is touched for a secret that nobody can read', async () => {
    await ready()
    execute('keys.db', "CREATE TRIGGER stop BEFORE UPDATE ON secret BEGIN SELECT RAISE(ABORT, 'no'); END")
    await room.run(Rotate, ada.email, '--yes')
    expect([enabled(ada), room.requests(PATCH)]).toEqual([[true, true], []])
    goOn()
    await room.ok(Rotate, ada.email, '--yes')
    expect(enabled(ada)).toEqual([false, true])
  })

  test('a signal: what was made is in a file, no old key is touched, and the same words go on', async () => {
    await ready()
    const fault = room.sandbox.faults.add({
      ...{ method: POST, nth: 2 },
      effect: { kind: 'before', run: () => void process.emit('SIGINT', 'SIGINT') },
    })
    const { exitCode, json } = await room.run(Rotate, '--all', '--yes', '--json', '--concurrency', '1')
    expect([exitCode, room.requests(PATCH)]).toEqual([130, []])
    expect(json.counts).toEqual({ 'not tried': 3 })
    expect(handedOut()).toHaveLength(2)
    fault.remove()
    const again = await room.ok(Rotate, '--all', '--yes')
    expect(again.stdout).toContain('This resumes the run that was begun on 2026-03-02 12:00 and interrupted.')
    expect([ada, bilal, chiara].map(enabled)).toEqual([1, 2, 3].map(() => [false, true]))
    expect(creations()).toHaveLength(3)
  })

  test('a new key that came out otherwise than asked for: the old one stays in use', async () => {
    await ready()
    const { createKey } = OpenRouter.prototype
    vi.spyOn(OpenRouter.prototype, 'createKey').mockImplementationOnce(async function (
      this: OpenRouter,
      wanted,
    ) {
      const made = await createKey.call(this, wanted)
      room.sandbox.state.editKey(made.hash, { name: 'Somebody' })
      return { ...made, key: made.key && { ...made.key, name: 'Somebody' } }
    })
    const { exitCode, json } = await room.run(Rotate, ada.email, '--yes', '--json')
    vi.restoreAllMocks()
    expect([exitCode, outcomes(json)]).toEqual([3, { [ada.email]: 'failed' }])
    expect([enabled(ada), handedOut().length, room.requests(PATCH)]).toEqual([[true], 1, []])
  })

  test('a new key with the limit of somebody else: the same words set it right before the old one goes', async () => {
    await ready()
    const fault = room.sandbox.faults.add({
      ...{ method: PATCH, body: /limit/ },
      effect: { kind: 'error', status: 400 },
    })
    const { createKey } = OpenRouter.prototype
    vi.spyOn(OpenRouter.prototype, 'createKey').mockImplementationOnce(async function (
      this: OpenRouter,
      wanted,
    ) {
      const made = await createKey.call(this, wanted)
      room.sandbox.state.editKey(made.hash, { limit: 50 })
      return { ...made, key: made.key && { ...made.key, limit: 50 } }
    })
    expect((await room.run(Rotate, ada.email, '--yes')).exitCode).toBe(3)
    vi.restoreAllMocks()
    expect((await room.run(Rotate, ada.email, '--yes')).exitCode).toBe(3)
    expect(enabled(ada)).toEqual([true, true])
    fault.remove()
    const { stdout } = await room.ok(Rotate, ada.email, '--yes')
    expect(stdout).toContain('was made with $50.00, and will get $3.00 as was asked for.\n')
    expect(keysOf(ada)).toMatchObject([{ disabled: true }, { disabled: false, limit: 3 }])
    expect(creations()).toHaveLength(1)
  })

  test('a new key that is refused: neither the leaked one nor the older one that is kept is touched', async () => {
    await ready()
    await room.ok(Rotate, ada.email, '--keep-old', '7', '--yes')
    itIsDay(2)
    const fault = room.sandbox.faults.add({ method: POST, effect: { kind: 'error', status: 400 } })
    const { exitCode, json } = await room.run(Rotate, ada.email, '--yes', '--json')
    expect([exitCode, outcomes(json), room.requests(PATCH)]).toEqual([3, { [ada.email]: 'failed' }, []])
    fault.remove()
    await room.ok(Rotate, ada.email, '--yes')
    expect([enabled(ada), openRotations()]).toEqual([[false, false, true], 0])
  })

  test('one is refused: the others are done, and whoever joined since gets one with the same words', async () => {
    await ready([ada, bilal])
    const fault = room.sandbox.faults.add({
      method: POST,
      body: /Ada/,
      effect: { kind: 'error', status: 400 },
    })
    const { exitCode, json } = await room.run(Rotate, '--all', '--yes', '--json')
    expect([exitCode, outcomes(json)]).toEqual([3, { [ada.email]: 'failed', [bilal.email]: 'rotated' }])
    expect([enabled(ada), enabled(bilal)]).toEqual([[true], [false, true]])
    fault.remove()
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision)
    const again = await room.ok(Rotate, '--all', '--yes', '--json')
    expect(outcomes(again.json)).toEqual({ [ada.email]: 'rotated', [chiara.email]: 'rotated' })
    expect([ada, bilal, chiara].map(enabled)).toEqual([1, 2, 3].map(() => [false, true]))
  })
})

describe('--json', () => {
  test('tells what became of each, where the files are, and no secret', async () => {
    await ready()
    const { json, stderr } = await room.ok(Rotate, ada.email, '--yes', '--json')
    expect(stderr).toBe('')
    expect(json).toMatchObject({
      students: [
        {
          email: ada.email,
          mqId: ada.mq_id,
          outcome: 'rotated',
          hash: keysOf(ada)[1]?.hash,
          keyName: keysOf(ada)[1]?.name,
        },
      ],
      counts: { rotated: 1 },
      deleted: [],
      drift: [],
      recovered: 0,
      files: { apiKeys: files(/^api_keys_/)[0], limits: 'limits.csv', snapshot: files(/^snapshot_/)[0] },
    })
    expect(json.stopped).toBeUndefined()
  })

  test('tells of an old key that could not be disabled', async () => {
    await ready()
    room.sandbox.faults.add({ method: PATCH, effect: { kind: 'error', status: 400 } })
    const { json, exitCode } = await room.run(Rotate, ada.email, '--yes', '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toMatchObject([
      { outcome: 'failed', reason: expect.stringMatching(/^the old key: /) },
    ])
    expect(json.files.apiKeys).toBeDefined()
  })

  test('tells of those whose earlier creation is in doubt', async () => {
    await ready()
    room.sandbox.faults.add({ method: POST, times: 1, effect: { kind: 'lose-answer' } })
    const lose = room.sandbox.faults.add({ method: DELETE, effect: { kind: 'error', status: 400 } })
    await room.run(Rotate, ada.email, '--yes')
    room.sandbox.state.addUsage(keysOf(ada)[1]?.hash ?? '', 0.5)
    lose.remove()
    const { json, exitCode } = await room.run(Rotate, ada.email, bilal.email, '--yes', '--json')
    expect(exitCode).toBe(3)
    expect(outcomes(json)).toEqual({ [ada.email]: 'in doubt', [bilal.email]: 'rotated' })
    expect([enabled(ada), enabled(bilal)]).toEqual([
      [true, true],
      [false, true],
    ])
  })
})
