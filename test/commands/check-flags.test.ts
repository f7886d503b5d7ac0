import { describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { useClassroom } from '../support/classroom.js'
import { keyNameOf, type RosterLine, student, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara, dov] = [student(1), student(2), student(3), student(4)]
const PAST = new Date('2026-01-31T12:59:59Z')
const FUTURE = new Date('2126-11-30T12:59:59Z')

/** A ledger, and a roster of some. */
async function roster(...lines: RosterLine[]) {
  await room.ok(InitDb)
  writeRoster(lines)
}

const ref = (of: RosterLine) => ({
  email: of.email,
  name: `${of.first_name} ${of.last_name}`,
  mqId: of.mq_id,
})

const observed = () =>
  query(
    'keys.db',
    "SELECT action, old_value, new_value FROM changelog WHERE action LIKE 'observed%' ORDER BY id",
  ).map(Object.values)

describe('a key of no student on the roster', () => {
  async function orphans() {
    await roster(ada, bilal)
    const left = room.giveKey(ada)
    room.giveKey(bilal)
    await room.ok(Check)
    writeRoster([bilal])
    const unknown = room.giveKey(chiara, { disabled: true })
    const foreign = room.sandbox.state.addKey({ name: 'thesis pipeline', usage: 4.5 })
    return { left, unknown, foreign }
  }

  test('is of a student who left, named like ours but unknown, or foreign', async () => {
    const { left, unknown, foreign } = await orphans()
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ keys: 4, matched: 1, orphaned: 3, left: 1, unknown: 1, foreign: 1 })
    const kinds = json.orphaned.map(({ hash, kind }: Record<string, string>) => [hash, kind])
    expect(new Map(kinds)).toEqual(
      new Map([
        [left.hash, 'left'],
        [unknown.hash, 'unknown'],
        [foreign.hash, 'foreign'],
      ]),
    )
  })

  test('is listed with its kind, and counted', async () => {
    await orphans()
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain(
      'Orphaned: 3 (1 of students who left, 1 named like ours but unknown, 1 foreign)\n',
    )
    const kind = (start: string) =>
      stdout
        .split('\n')
        .find((line) => line.startsWith(start))
        ?.split(/ {2,}/)
        .at(-1)
    expect(kind(keyNameOf(ada))).toBe('left the class')
    expect(kind(keyNameOf(chiara))).toBe('unknown, disabled')
    expect(kind('thesis pipeline')).toBe('foreign')
  })

  // A key does not become known by being seen: only one that was a student's here can have been left.
  test('stays unknown or foreign however often it is seen, and is never touched', async () => {
    await orphans()
    await room.ok(Check)
    await room.ok(Provision)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ left: 1, unknown: 1, foreign: 1 })
    expect(room.requests().filter(({ method }) => method !== 'GET')).toEqual([])
  })

  test('is no longer one when the student is back', async () => {
    const { left } = await orphans()
    await room.ok(Check)
    writeRoster([ada, bilal])
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ matched: 2, left: 0, keyless: 0 })
    expect(json.matched.map(({ hash }: { hash: string }) => hash)).toContain(left.hash)
  })

  // Somebody may rename a key in the dashboard; its student has not left for that.
  test('is not of a student who left where the student is still there and the key was renamed', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { name: 'renamed by hand' })
    const { json } = await room.ok(Check, '--json')
    expect(json.drift).toMatchObject([{ action: 'observed_name', hash }])
    expect(json.counts.left).toBe(0)
  })
})

describe('a key of a student on the roster', () => {
  test('is secretless where it was made elsewhere', async () => {
    await roster(ada, bilal)
    room.giveKey(bilal)
    await room.ok(Provision)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ matched: 2, secretless: 1 })
    expect(json.matched).toMatchObject([
      { email: ada.email, secretHere: true },
      { email: bilal.email, secretHere: false },
    ])
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain('1 key of the class has no secret in this ledger: it was made elsewhere.')
  })

  test('is a duplicate where the student has another that works: enabled, and not expired', async () => {
    await roster(ada, bilal, chiara)
    const two = [room.giveKey(ada), room.giveKey(ada, { name: keyNameOf(ada, '20260301') })]
    room.giveKey(bilal)
    room.giveKey(bilal, { expires_at: PAST })
    room.giveKey(chiara)
    room.giveKey(chiara, { disabled: true })
    const { json } = await room.ok(Check, '--json')
    expect(json.duplicates).toEqual([{ ...ref(ada), hashes: expect.any(Array) }])
    expect(new Set(json.duplicates[0].hashes)).toEqual(new Set(two.map(({ hash }) => hash)))
    expect(json.counts).toMatchObject({ matched: 6, expired: 1, keyless: 0 })
  })

  test('is expired once its time has come, and not before', async () => {
    await roster(ada, bilal)
    room.giveKey(ada, { expires_at: PAST })
    room.giveKey(bilal, { expires_at: FUTURE })
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ matched: 2, expired: 1, keyless: 1 })
    expect(json.matched).toMatchObject([
      { email: ada.email, expired: true, status: 'expired' },
      { email: bilal.email, expired: false, status: 'OK' },
    ])
    expect(json.keyless).toEqual([ref(ada)])
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain('Students without a key: 1\n')
    expect(stdout).toContain('1 key of the class has expired.\n')
  })

  test('that has expired is as none: provision makes another, once', async () => {
    await roster(ada, bilal)
    room.giveKey(ada, { expires_at: PAST })
    room.giveKey(ada, { expires_at: PAST, disabled: true })
    // A disabled key was disabled by somebody who meant it.
    room.giveKey(bilal, { disabled: true })
    await room.ok(Provision)
    await room.ok(Provision)
    expect(room.requests('POST').map(({ body }) => (body as { name: string }).name)).toEqual([
      expect.stringMatching(`_${ada.mq_id}$`),
    ])
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ matched: 4, expired: 2, keyless: 0, secretless: 3 })
    expect(json.duplicates).toEqual([])
  })

  test('is missing for the students that are named, those of the roster alone', async () => {
    await roster(ada, bilal, chiara)
    room.giveKey(bilal)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts.keyless).toBe(2)
    expect(json.keyless).toEqual([ref(ada), ref(chiara)])
  })
})

describe('what changed without this tool', () => {
  test('is shown once and recorded once', async () => {
    await roster(ada, bilal)
    const { hash } = room.giveKey(ada, { limit_reset: 'weekly' })
    const gone = room.giveKey(bilal)
    expect((await room.ok(Check, '--json')).json.drift).toEqual([])
    const name = keyNameOf(ada, '20260301')
    room.sandbox.state.editKey(hash, { limit: 20, disabled: true, limit_reset: 'daily', name })
    room.sandbox.state.deleteKey(gone.hash)
    const { json } = await room.ok(Check, '--json')
    const [before, was] = [keyNameOf(ada), keyNameOf(bilal)]
    const keyName = name
    expect(json.drift).toEqual([
      { action: 'observed_limit', hash, keyName, oldValue: '3.00', newValue: '20.00' },
      { action: 'observed_disabled', hash, keyName, oldValue: 'false', newValue: 'true' },
      { action: 'observed_name', hash, keyName, oldValue: before, newValue: name },
      { action: 'observed_limit_reset', hash, keyName, oldValue: 'weekly', newValue: 'daily' },
      { action: 'observed_gone', hash: gone.hash, keyName: was, oldValue: was, newValue: null },
    ])
    const recorded = observed()
    expect(recorded).toEqual(
      json.drift.map(({ action, oldValue, newValue }: Record<string, string>) => [
        action,
        oldValue,
        newValue,
      ]),
    )
    const again = await room.ok(Check, '--json')
    expect(again.json.drift).toEqual([])
    expect((await room.ok(Check)).stdout).not.toContain('Changed without class-keys')
    expect(observed()).toEqual(recorded)
  })

  test('is told in sentences', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { limit: null })
    const { stdout, stderr } = await room.ok(Check)
    expect(stdout).toContain(
      `Changed without class-keys: ${keyNameOf(ada)}: the limit was changed from $3.00 to unlimited.\n`,
    )
    expect(stderr).toContain('Update the ledger: 1 change from outside\n')
  })

  test('is also told of the key of a student who left', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    writeRoster([bilal])
    room.sandbox.state.editKey(hash, { disabled: true })
    expect((await room.ok(Check, '--json')).json.drift).toMatchObject([{ action: 'observed_disabled', hash }])
  })

  test('is not told of keys that were never ours, nor of what was spent', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    const foreign = room.sandbox.state.addKey({ name: 'thesis pipeline' })
    await room.ok(Check)
    room.sandbox.state.addUsage(hash, 1)
    room.sandbox.state.deleteKey(foreign.hash)
    expect((await room.ok(Check, '--json')).json.drift).toEqual([])
  })

  // Whoever is in the dashboard may name a key as they like; a terminal must not obey it.
  test('holds nothing that moves the cursor or changes the colour', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { name: `20260219_\u001b[2J\u0007Ada_${ada.mq_id}` })
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain('Changed without class-keys')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })
})

describe('--warn-at', () => {
  test('marks by what is left of this period, whatever was spent before', async () => {
    await roster(ada, bilal)
    const refilled = room.giveKey(ada, { limit: 10, limit_reset: 'monthly' })
    room.sandbox.state.addUsage(refilled.hash, 50, new Date('2020-01-01'))
    room.giveKey(bilal, { limit: 10, usage: 8 })
    const { json } = await room.ok(Check, '--warn-at', '80', '--json')
    expect(json.pastMark).toEqual([ref(bilal)])
    expect(json.matched).toMatchObject([
      { email: ada.email, usage: 50, status: 'OK' },
      { email: bilal.email, usage: 8, status: '80% spent' },
    ])
    const { stdout } = await room.ok(Check, '--warn-at', '80')
    expect(stdout).toContain(`Bilal Quill2 (${bilal.email}) is past the --warn-at mark.\n`)
    expect(stdout).not.toContain(`Ada Quill1 (${ada.email}) is past`)
  })

  test('marks from the share on, and never without a limit, disabled or expired', async () => {
    await roster(ada, bilal, chiara, dov, student(5), student(6))
    room.giveKey(ada, { limit: 10, usage: 7.99 })
    room.giveKey(bilal, { limit: null, usage: 500 })
    room.giveKey(chiara, { limit: 10, usage: 9, disabled: true })
    room.giveKey(dov, { limit: 10, usage: 9, expires_at: PAST })
    room.giveKey(student(5), { limit: 10, usage: 8 })
    room.giveKey(student(6), { limit: 10, usage: 12 })
    const { json } = await room.ok(Check, '--warn-at', '80', '--json')
    expect(json.pastMark).toEqual([ref(student(5)), ref(student(6))])
    const { json: lower } = await room.ok(Check, '--warn-at', '79', '--json')
    expect(lower.pastMark).toEqual([ref(ada), ref(student(5)), ref(student(6))])
    const { json: none } = await room.ok(Check, '--json')
    expect(none.pastMark).toEqual([])
  })

  test('names a student once, with two keys past the mark', async () => {
    await roster(ada)
    room.giveKey(ada, { usage: 3 })
    room.giveKey(ada, { usage: 3 })
    expect((await room.ok(Check, '--warn-at', '80', '--json')).json.pastMark).toEqual([ref(ada)])
  })

  test.each(['0', '101', 'eighty', '79.5'])('%s is refused', async (share) => {
    await roster(ada)
    const { exitCode, json } = await room.run(Check, '--warn-at', share, '--json')
    expect(exitCode).toBe(2)
    expect(json.error.code).toBe('usage')
    expect(room.requests()).toEqual([])
  })
})

describe('--exit-code', () => {
  /** The exit codes of a check in both forms; drift is shown once, so each form has its own cause. */
  async function codes(cause: () => void, ...argv: string[]) {
    cause()
    const human = await room.run(Check, ...argv)
    cause()
    const json = await room.run(Check, ...argv, '--json')
    expect([human.thrown, json.thrown]).toEqual([undefined, undefined])
    // Whoever reads the result must get it whole, whatever the exit code.
    expect(human.stdout).toMatch(/^Keys in OpenRouter: \d+\n[\s\S]*Snapshot: snapshot_\S+\n$/)
    expect(json.json.counts).toBeDefined()
    return [human.exitCode, json.exitCode]
  }
  const nothing = () => {}

  test('0 where all is well, also with orphans, duplicates and spent keys', async () => {
    await roster(ada, bilal)
    room.giveKey(ada, { usage: 3 })
    room.giveKey(bilal)
    room.giveKey(bilal)
    room.sandbox.state.addKey({ name: 'thesis pipeline' })
    expect(await codes(nothing, '--exit-code')).toEqual([0, 0])
  })

  test('3 for what changed without this tool, and 0 without the flag', async () => {
    await roster(ada)
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    let limit = 3
    const drift = () => room.sandbox.state.editKey(hash, { limit: ++limit })
    expect(await codes(drift, '--exit-code')).toEqual([3, 3])
    expect(await codes(nothing, '--exit-code')).toEqual([0, 0])
    expect(await codes(drift)).toEqual([0, 0])
  })

  test('3 for a student without a key, and 0 without the flag', async () => {
    await roster(ada, bilal)
    room.giveKey(ada)
    room.giveKey(bilal, { expires_at: PAST })
    expect(await codes(nothing, '--exit-code')).toEqual([3, 3])
    expect(await codes(nothing)).toEqual([0, 0])
  })

  test('3 for a student past the mark, and 0 without a mark or without the flag', async () => {
    await roster(ada)
    room.giveKey(ada, { usage: 2.9 })
    expect(await codes(nothing, '--exit-code', '--warn-at', '90')).toEqual([3, 3])
    expect(await codes(nothing, '--exit-code', '--warn-at', '97')).toEqual([0, 0])
    expect(await codes(nothing, '--exit-code')).toEqual([0, 0])
    expect(await codes(nothing, '--warn-at', '90')).toEqual([0, 0])
  })

  test('an error keeps its own code', async () => {
    const { exitCode } = await room.run(Check, '--exit-code')
    expect(exitCode).toBe(2)
  })
})
