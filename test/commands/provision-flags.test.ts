import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import History from '../../src/commands/history.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import { useClassroom } from '../support/classroom.js'
import { names } from '../support/folder.js'
import { type RosterLine, student, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const creations = () => room.requests('POST').filter(({ path }) => path === '/keys')
const sent = () => creations().map(({ body }) => body as Record<string, unknown>)
const hashOf = ({ mq_id }: RosterLine) =>
  room.sandbox.state.keys().find(({ name }) => name.endsWith(`_${mq_id}`))?.hash ?? ''
/** Lets the machine stand in Sydney, at ten in the morning of a day. */
function standInSydney(day: string) {
  vi.stubEnv('TZ', 'Australia/Sydney')
  vi.useFakeTimers({ now: new Date(`${day}T10:00:00`), toFake: ['Date'] })
}

describe('--expires', () => {
  test.each([
    // Summer time ends at three in the morning of the fifth of April…
    ['2026-04-04', '2026-04-04T12:59:59Z'],
    ['2026-04-05', '2026-04-05T13:59:59Z'],
    // …and begins at two in the morning of the fourth of October.
    ['2026-10-03', '2026-10-03T13:59:59Z'],
    ['2026-10-04', '2026-10-04T12:59:59Z'],
    ['2026-11-30 17:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30T17:00:00Z', '2026-11-30T17:00:00Z'],
  ])('%s in Sydney is sent as %s', async (asked, utc) => {
    standInSydney('2026-03-02')
    const { json } = await room.ok(Provision, '--expires', asked, '--json')
    expect(sent().map(({ expires_at }) => expires_at)).toEqual([utc, utc])
    expect(json.plan.changes).toMatchObject([{ expiresAt: utc }, { expiresAt: utc }])
    expect(query('keys.db', 'SELECT DISTINCT expires_at FROM key_state')).toHaveLength(1)
    for (const { expires_at } of room.sandbox.state.keys())
      expect(Date.parse(expires_at ?? '')).toBe(Date.parse(utc))
  })

  test('is shown in the plan as a clock on the wall shows it', async () => {
    standInSydney('2026-03-02')
    const { stdout } = await room.ok(Provision, '--expires', '2026-11-30', '--dry-run')
    expect(stdout).toMatch(/^ADDRESS .* EXPIRES$/m)
    expect(stdout).toMatch(/\$3\.00 +2026-11-30 23:59$/m)
  })

  test.each([
    ['2026-03-01', '2026-03-01T12:59:59Z'],
    ['2026-03-02 09:59', '2026-03-01T22:59:00Z'],
    ['2026-03-02 10:00', '2026-03-01T23:00:00Z'],
  ])('%s is over already: nothing is made', async (asked, utc) => {
    standInSydney('2026-03-02')
    const { exitCode, stderr } = await room.run(Provision, '--expires', asked)
    expect([exitCode, creations()]).toEqual([2, []])
    expect(stderr).toContain(`Error: --expires is over already (${utc}). Name a day to come.\n`)
    const { json } = await room.run(Provision, '--expires', asked, '--json')
    expect(json.error).toMatchObject({ code: 'expiry_past', exitCode: 2 })
  })

  test('today is not over yet', async () => {
    standInSydney('2026-03-02')
    await room.ok(Provision, '--expires', '2026-03-02')
    expect(sent().map(({ expires_at }) => expires_at)).toEqual(Array(2).fill('2026-03-02T12:59:59Z'))
  })

  test.each(['30.11.2026', '2026-02-30', 'soon'])('%s is no day', async (asked) => {
    const { exitCode, stderr } = await room.run(Provision, '--expires', asked)
    expect([exitCode, room.requests()]).toEqual([2, []])
    expect(stderr).toContain(`${asked} is not a day such as 2026-11-30`)
  })

  test('is not sent where nobody asks for it', async () => {
    await room.ok(Provision)
    expect(sent().some((body) => 'expires_at' in body)).toBe(false)
  })
})

describe('the column expires_at of the roster', () => {
  const roster = (...days: string[]) =>
    writeFileSync(
      'roster.csv',
      `first_name,last_name,email,mq_id,budget,limit_reset,expires_at\n${[ada, bilal, chiara]
        .slice(0, days.length)
        .map(
          (each, i) =>
            `${[each.first_name, each.last_name, each.email, each.mq_id].join(',')},3,,${days[i]}\n`,
        )
        .join('')}`,
    )

  test('is for each student; an empty cell is never, and --expires is for everybody', async () => {
    standInSydney('2026-03-02')
    roster('2026-06-30', '')
    const { stdout } = await room.ok(Provision, '--dry-run')
    expect(stdout).toMatch(/\$3\.00 +2026-06-30 23:59$/m)
    expect(stdout).toMatch(/\$3\.00 +never$/m)
    await room.ok(Provision)
    expect(sent().map(({ expires_at }) => expires_at)).toEqual(['2026-06-30T13:59:59Z', undefined])
    roster('2026-06-30', '', '2026-06-30')
    await room.ok(Provision, '--expires', '2026-11-30')
    expect(sent().at(-1)).toMatchObject({ expires_at: '2026-11-30T12:59:59Z' })
  })

  test('that is over stops the run, with the flag that helps; not of a student who has a key', async () => {
    standInSydney('2026-03-02')
    roster('2026-03-01', '2026-03-01')
    room.giveKey(ada)
    const { exitCode, stderr } = await room.run(Provision)
    expect([exitCode, creations()]).toEqual([2, []])
    expect(stderr).toContain(
      `Error: roster.csv has one problem. Nothing was created. Fill them in, or give everybody the same with --expires.\n  line 3, expires_at: is over already: Bilal Quill2 (${bilal.email})\n`,
    )
    await room.ok(Provision, '--expires', '2026-11-30')
    expect(sent()).toHaveLength(1)
  })

  test('a student whose key has expired gets a new one, and the old one stays', async () => {
    standInSydney('2026-03-02')
    await room.ok(Provision, '--expires', '2026-03-10')
    vi.setSystemTime(new Date('2026-03-10T23:59:58'))
    expect((await room.ok(Provision, '--json')).json.counts).toEqual({ 'already had one': 2 })
    vi.setSystemTime(new Date('2026-03-10T23:59:59'))
    const { json } = await room.ok(Provision, '--expires', '2026-06-30', '--json')
    expect(json.counts).toEqual({ created: 2 })
    expect(room.sandbox.state.keys()).toHaveLength(4)
    // What has expired cannot be spent any more.
    expect(json.plan.spending).toEqual([{ reset: null, limit: 6 }])
    expect((await room.ok(Provision, '--json')).json.counts).toEqual({ 'already had one': 2 })
  })
})

describe('--guardrail', () => {
  const guardrailOf = (of: RosterLine) => room.sandbox.state.guardrailOf(hashOf(of))
  const assignments = () => room.requests('POST').filter(({ path }) => path.startsWith('/guardrails/'))
  const ASSIGN = { method: 'POST', path: /assignments\/keys$/ } as const
  let small = ''
  beforeEach(() => {
    small = room.sandbox.state.addGuardrail({ name: 'Small models' }).id
  })

  test.each(['its name', 'its name, whatever the case', 'its id'])('is found by %s', async (how) => {
    const words = { 'its name': 'Small models', 'its id': small }[how] ?? 'SMALL MODELS'
    const { stdout, stderr } = await room.ok(Provision, '--guardrail', words)
    expect([guardrailOf(ada), guardrailOf(bilal)]).toEqual([small, small])
    expect(stdout).toContain('Plan: 2 keys to make, with the guardrail Small models;')
    expect(stderr).toMatch(/^Assign the guardrails: 2$/m)
  })

  test('is assigned to all new keys at once, and to nobody else; the changelog has it', async () => {
    room.giveKey(ada)
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision, '--guardrail', 'Small models')
    expect(assignments().map(({ body }) => body)).toEqual([{ key_hashes: [hashOf(bilal), hashOf(chiara)] }])
    expect(guardrailOf(ada)).toBeUndefined()
    const { stdout } = await room.ok(History, bilal.email)
    expect(stdout).toContain('Small models')
  })

  test('that does not exist stops the run, and those that do are named', async () => {
    const { exitCode, stderr } = await room.run(Provision, '--guardrail', 'Large models')
    expect([exitCode, creations()]).toEqual([2, []])
    expect(stderr).toContain('Error: There is no guardrail Large models. There are: Small models.\n')
    const { json } = await room.run(Provision, '--guardrail', 'Large models', '--json')
    expect(json.error.code).toBe('no_such_guardrail')
  })

  test('where there are none says so', async () => {
    room.replaceSandbox({})
    const { stderr } = await room.run(Provision, '--guardrail', 'Small models')
    expect(stderr).toContain('There is no guardrail Small models. There are none in this workspace.\n')
  })

  test('of which there are two is refused with their ids, and can be named by id', async () => {
    const { id } = room.sandbox.state.addGuardrail({ name: 'small models' })
    const { exitCode, stderr } = await room.run(Provision, '--guardrail', 'Small models')
    expect([exitCode, creations()]).toEqual([2, []])
    expect(stderr).toContain(
      `Error: 2 guardrails are called Small models: name one by its id: ${small}, ${id}.\n`,
    )
    await room.ok(Provision, '--guardrail', id)
    expect(guardrailOf(ada)).toBe(id)
  })

  describe('that could not be assigned', () => {
    async function failed(effect: Parameters<typeof room.sandbox.faults.add>[0]['effect']) {
      room.sandbox.faults.add({ ...ASSIGN, effect })
      const ran = await room.run(Provision, '--guardrail', 'Small models', '--json')
      room.sandbox.faults.clear()
      return ran
    }

    test('leaves its students failed, exit 3, with their secrets in the file', async () => {
      const { json, exitCode } = await failed({ kind: 'error', status: 400, message: 'not now' })
      expect([exitCode, json.counts]).toEqual([3, { failed: 2 }])
      expect(json.students[0].reason).toMatch(
        /^there is a key, but not its guardrail Small models: .*not now/,
      )
      expect(json.files.apiKeys).toMatch(/^api_keys_/)
      expect(creations()).toHaveLength(2)
    })

    test.each([['--guardrail', 'Small models'], []])(
      'is made up for by the next run, with %j',
      async (...flags) => {
        await failed({ kind: 'error', status: 400 })
        const { json } = await room.ok(Provision, ...flags, '--json')
        expect(json.plan.changes).toMatchObject([
          { kind: 'assign-guardrail', email: ada.email, hash: hashOf(ada), guardrail: { id: small } },
          { kind: 'assign-guardrail', email: bilal.email },
        ])
        expect(json.counts).toEqual({ updated: 2 })
        expect([guardrailOf(ada), guardrailOf(bilal)]).toEqual([small, small])
        expect(creations()).toHaveLength(2)
        const again = await room.ok(Provision, ...flags, '--json')
        expect(again.json.plan.changes).toEqual([])
      },
    )

    test('is told to a person, in the plan and in the end', async () => {
      await failed({ kind: 'error', status: 400 })
      const { stdout } = await room.ok(Provision)
      expect(stdout).toContain('will get the guardrail Small models.\n')
      expect(stdout).toContain('\nEarlier keys set right: 2\n')
    })

    test('since it is gone can be replaced by another one', async () => {
      const other = room.sandbox.state.addGuardrail({ name: 'Other models' }).id
      await failed({ kind: 'error', status: 404 })
      room.sandbox.faults.add({
        ...ASSIGN,
        path: new RegExp(`${small}/assignments/keys$`),
        effect: { kind: 'error', status: 404 },
      })
      const still = await room.run(Provision, '--json')
      expect([still.exitCode, still.json.counts]).toEqual([3, { failed: 2 }])
      expect(still.json.students[0].reason).toBe(
        'there is a key, but not its guardrail Small models: it is gone from OpenRouter. class-keys provision --guardrail gives these keys another one',
      )
      const { json } = await room.ok(Provision, '--guardrail', 'Other models', '--json')
      expect(json.counts).toEqual({ updated: 2 })
      expect([guardrailOf(ada), guardrailOf(bilal)]).toEqual([other, other])
      expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
    })

    test('to some: OpenRouter’s count is compared, and it is asked which', async () => {
      // Bilal's key is deleted by somebody between its creation and the assignment.
      room.sandbox.faults.add({
        ...ASSIGN,
        effect: { kind: 'before', run: () => void room.sandbox.state.deleteKey(hashOf(bilal)) },
      })
      const { json, exitCode } = await room.run(Provision, '--guardrail', 'Small models', '--json')
      expect([exitCode, json.counts]).toEqual([3, { created: 1, failed: 1 }])
      expect(json.students[1].reason).toBe(
        'there is a key, but not its guardrail Small models: OpenRouter has assigned 1 of 2',
      )
      expect(guardrailOf(ada)).toBe(small)
    })

    test.each([0, 1, 3])(
      'a count of %i of two, and no word about which: nobody counts as done',
      async (count) => {
        room.sandbox.faults.add({
          method: 'GET',
          path: /assignments\/keys$/,
          effect: { kind: 'error', status: 404 },
        })
        const { json, exitCode } = await failed({ kind: 'wrong-shape', body: { assigned_count: count } })
        expect([exitCode, json.counts]).toEqual([3, { failed: 2 }])
        expect(json.students[0].reason).toContain(
          `OpenRouter has assigned ${count} of 2, and does not say which`,
        )
        expect((await room.ok(Provision, '--json')).json.counts).toEqual({ updated: 2 })
      },
    )

    test('to students who are not on the roster any more is left alone', async () => {
      await failed({ kind: 'error', status: 400 })
      writeRoster([ada])
      const { json } = await room.ok(Provision, '--json')
      expect(json.plan.changes).toMatchObject([{ email: ada.email }])
      expect([guardrailOf(ada), guardrailOf(bilal)]).toEqual([small, undefined])
    })

    test('before the run was interrupted is made up for as well', async () => {
      room.sandbox.faults.add({
        method: 'POST',
        path: /^\/keys$/,
        nth: 2,
        effect: { kind: 'before', run: () => void process.emit('SIGTERM', 'SIGTERM') },
      })
      const { exitCode, json } = await room.run(Provision, '--guardrail', 'Small models', '--json')
      room.sandbox.faults.clear()
      expect(exitCode).toBe(143)
      expect(json.students[0].reason).toBe('interrupted before it was assigned')
      expect(assignments()).toEqual([])
      await room.ok(Provision)
      expect([guardrailOf(ada), guardrailOf(bilal)]).toEqual([small, small])
    })
  })

  test('new students get the one that is named now, and others the one they were made for', async () => {
    const other = room.sandbox.state.addGuardrail({ name: 'Other models' }).id
    await room.ok(Provision, '--guardrail', 'Small models')
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision, '--guardrail', 'Other models')
    expect([guardrailOf(ada), guardrailOf(chiara)]).toEqual([small, other])
  })
})

describe('--class-budget', () => {
  async function refused(budget: string, words: string) {
    const before = names().filter((name) => /^(snapshot|api_keys)_/.test(name))
    const { exitCode, stderr } = await room.run(Provision, '--class-budget', budget)
    expect([exitCode, creations()]).toEqual([4, []])
    expect(stderr).toContain(`Error: The class could then spend ${words}, and its budget is `)
    expect(stderr).toContain(
      'Nothing was changed. Lower the budgets of the roster, or raise --class-budget.\n',
    )
    expect(names().filter((name) => /^(snapshot|api_keys)_/.test(name))).toEqual(before)
    const { json } = await room.run(Provision, '--class-budget', budget, '--json')
    expect(json.error).toMatchObject({ code: 'over_class_budget', exitCode: 4 })
  }

  test('is what the limits may come to, and not a cent less', async () => {
    await refused('5.99', '$6.00')
    await room.ok(Provision, '--class-budget', '6')
    expect(creations()).toHaveLength(2)
  })

  test('counts limits once, whatever their period', async () => {
    writeRoster([{ ...ada, limit_reset: 'weekly' }, bilal])
    await refused('5', '$6.00')
  })

  test('counts the keys that are there already, those of students who have left too, unless they are disabled', async () => {
    await room.ok(Provision)
    room.sandbox.state.requests.length = 0
    writeRoster([ada, chiara])
    await refused('8.99', '$9.00')
    await room.ok(Offboard, '--yes')
    const { json } = await room.ok(Provision, '--class-budget', '6', '--json')
    expect(json.plan.spending).toEqual([{ reset: null, limit: 6 }])
  })

  test('counts the key of a student who is back', async () => {
    await room.ok(Provision)
    writeRoster([ada])
    await room.ok(Offboard, '--yes')
    writeRoster([ada, bilal])
    room.sandbox.state.requests.length = 0
    await refused('5', '$6.00')
  })

  test('is over where a key has no limit', async () => {
    room.giveKey(ada, { limit: null })
    await refused('1000000', 'without limit')
  })

  test('does not count keys of other classes', async () => {
    room.giveKey(student(8), { limit: 500 })
    await room.ok(Check)
    await room.ok(Provision, '--class-budget', '6')
  })

  test('is looked at by a dry run too', async () => {
    expect((await room.run(Provision, '--class-budget', '5', '--dry-run')).exitCode).toBe(4)
  })
})

describe('what the account has left', () => {
  const CREDITS = { path: /^\/credits$/ } as const
  const told = /The class could then spend \$6\.00 once; the account has (\$\S+) left\./

  test('stands beside what the class could spend', async () => {
    room.sandbox.state.setCredits(100)
    room.sandbox.state.addUsage(room.giveKey(student(8)).hash, 12.345)
    const { stdout } = await room.ok(Provision, '--dry-run')
    expect(told.exec(stdout)?.[1]).toBe('$87.66')
    expect((await room.ok(Provision, '--dry-run', '--json')).json.balance).toBeCloseTo(87.655)
  })

  test.each([
    ['an account that does not say', { kind: 'error', status: 404 }],
    ['a key that may not know', { kind: 'error', status: 403 }],
    ['a busy server', { kind: 'rate-limit', retryAfter: 60 }],
    ['a broken one', { kind: 'error', status: 500 }],
    ['nonsense', { kind: 'wrong-shape' }],
  ] as const)('%s stops nobody, and is not waited for', async (_, effect) => {
    room.sandbox.faults.add({ ...CREDITS, effect })
    const { stdout } = await room.ok(Provision)
    expect(stdout).toContain('The class could then spend $6.00 once.\n')
    expect(creations()).toHaveLength(2)
    expect(room.requests().filter(({ path }) => path === '/credits').length).toBeLessThanOrEqual(4)
  })

  test('is asked once where OpenRouter is too busy', async () => {
    room.sandbox.faults.add({ ...CREDITS, effect: { kind: 'rate-limit', retryAfter: 1 } })
    await room.ok(Provision)
    expect(room.requests().filter(({ path }) => path === '/credits')).toHaveLength(1)
  })

  test('is given up on after some seconds', async () => {
    const patience = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => {
      const soon = new AbortController()
      setTimeout(() => soon.abort(new DOMException('late', 'TimeoutError')), 20)
      return soon.signal
    })
    room.sandbox.faults.add({ ...CREDITS, effect: { kind: 'hang' } })
    const { json } = await room.ok(Provision, '--json')
    expect(json.plan.balance).toBeNull()
    expect(patience).toHaveBeenCalledWith(5000)
    expect(names().some((name) => name.startsWith('api_keys_'))).toBe(true)
  })
})
