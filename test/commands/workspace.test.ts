import { rmSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Rotate from '../../src/commands/rotate.js'
import Show from '../../src/commands/show.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import type { CommandClass } from '../support/command.js'
import { editLimits, student, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]
let [one, two] = ['', '']

beforeEach(async () => {
  one = room.sandbox.state.addWorkspace({ name: 'COMP1000', slug: 'comp1000-2026' }).id
  two = room.sandbox.state.addWorkspace({ name: 'COMP2000', slug: 'comp2000-2026' }).id
  await room.ok(InitDb)
  writeRoster([ada, bilal])
})

const COMMANDS: [string, CommandClass, string[]][] = [
  ['check', Check, []],
  ['show', Show, [ada.email]],
  ['refresh-limits-file', RefreshLimitsFile, []],
  ['provision', Provision, []],
  ['update', Update, []],
  ['rotate', Rotate, [ada.email, '--yes']],
  ['offboard', Offboard, ['--end-of-term', '--yes']],
]

/** The workspaces that the listings of keys were about; undefined is the default one. */
const listed = () =>
  new Set(
    room
      .requests('GET')
      .filter(({ path }) => path === '/keys')
      .map(({ query: text }) => new URLSearchParams(text).get('workspace_id') ?? undefined),
  )
const creations = () => room.requests('POST').filter(({ path }) => path === '/keys')
const remembered = () => query('keys.db', 'SELECT id, name FROM workspace')

describe('the workspace of a ledger', () => {
  test.each(['COMP1000', 'comp1000', 'comp1000-2026', 'its id'])('is found by %s', async (words) => {
    await room.ok(Provision, '--workspace', words === 'its id' ? one : words)
    expect(listed()).toEqual(new Set([one]))
    expect(creations().map(({ body }) => (body as { workspace_id: string }).workspace_id)).toEqual([one, one])
    expect(remembered()).toEqual([{ id: one, name: 'COMP1000' }])
  })

  test('is the default one where nobody has named any', async () => {
    await room.ok(Provision)
    expect(listed()).toEqual(new Set([undefined]))
    expect(creations().some(({ body }) => 'workspace_id' in (body as object))).toBe(false)
    expect(remembered()).toEqual([])
    expect(room.requests().some(({ path }) => path === '/workspaces')).toBe(false)
  })

  test('keeps classes apart: a student of both gets a key in each', async () => {
    await room.ok(Provision, '--workspace', 'COMP1000')
    await room.ok(InitDb, '--db', 'two.db')
    const flags = ['--db', 'two.db', '--limits', 'two.csv']
    const { json } = await room.ok(Provision, ...flags, '--workspace', 'COMP2000', '--json')
    expect(json.counts).toEqual({ created: 2 })
    const { json: check } = await room.ok(Check, '--json')
    expect(check.counts).toMatchObject({ keys: 2, matched: 2, orphaned: 0 })
  })

  test.each([
    [
      'that does not exist',
      'COMP3000',
      'There is no workspace COMP3000. There are: Default (default), COMP1000 (comp1000-2026), COMP2000 (comp2000-2026).',
    ],
    [
      'of which there are two',
      'COMP2000',
      '2 workspaces are called COMP2000: name one by its slug: COMP2000 (comp2000-2026), Comp2000 (another).',
    ],
  ])('%s stops the run before a key is listed', async (_, words, message) => {
    if (words === 'COMP2000') room.sandbox.state.addWorkspace({ name: 'Comp2000', slug: 'another' })
    const { exitCode, stderr } = await room.run(Provision, '--workspace', words)
    expect([exitCode, [...listed()], remembered()]).toEqual([2, [], []])
    expect(stderr).toContain(`Error: ${message}\n`)
    const { json } = await room.run(Provision, '--workspace', words, '--json')
    expect(json.error.code).toBe('no_such_workspace')
  })

  test('is found by its slug where another one is called so', async () => {
    room.sandbox.state.addWorkspace({ name: 'comp1000-2026', slug: 'decoy' })
    await room.ok(Provision, '--workspace', 'comp1000-2026')
    expect(remembered()).toMatchObject([{ id: one }])
  })

  test('is not written down by a dry run', async () => {
    await room.ok(Provision, '--workspace', 'COMP1000', '--dry-run')
    expect([[...listed()], remembered()]).toEqual([[one], []])
    await room.ok(Provision, '--workspace', 'COMP2000')
    expect(remembered()).toMatchObject([{ id: two }])
  })

  test('may be another one as long as no key is made', async () => {
    await room.ok(Check, '--workspace', 'COMP1000')
    await room.ok(Provision, '--workspace', 'COMP2000')
    expect(remembered()).toMatchObject([{ id: two }])
  })
})

describe.each(COMMANDS)('%s', (_, command, argv) => {
  beforeEach(async () => {
    await room.ok(Provision, '--workspace', 'COMP1000')
    // What would look like everybody's key, if it were looked at.
    for (const each of [ada, bilal]) room.giveKey(each)
    room.sandbox.state.requests.length = 0
  })

  test.each([[[]], [['--workspace', 'COMP1000']]])(
    'is about the workspace of the ledger, with %j',
    async (flags) => {
      editLimits({ [bilal.email]: { target_limit: '5' } })
      await room.ok(command, ...argv, ...flags)
      if (command !== Show) expect(listed()).toEqual(new Set([one]))
      for (const { body } of creations()) expect(body).toMatchObject({ workspace_id: one })
      const { json } = await room.ok(Check, '--json')
      expect(json.drift).toEqual([])
    },
  )

  test.each([
    ['another one', 'COMP2000', 'COMP2000'],
    ['the default one', 'default', 'Default'],
  ])('refuses %s before anything is listed', async (_, words, name) => {
    const { exitCode, stderr } = await room.run(command, ...argv, '--workspace', words)
    expect(exitCode).toBe(2)
    expect(room.requests().map(({ path }) => path)).toEqual(['/workspaces'])
    expect(stderr).toContain(
      `Error: keys.db holds keys of the workspace COMP1000, and not of ${name}. Each workspace has a ledger of its own: name another with --db, or leave --workspace out.\n`,
    )
    const { json } = await room.run(command, ...argv, '--workspace', words, '--json')
    expect(json.error.code).toBe('other_workspace')
  })
})

test('a ledger of the default workspace refuses another one', async () => {
  await room.ok(Provision)
  const { exitCode, stderr } = await room.run(Check, '--workspace', 'COMP1000')
  expect(exitCode).toBe(2)
  expect(stderr).toContain("keys.db holds keys of the account's default workspace, and not of COMP1000.")
})

test('a ledger whose keys are all gone may be about another one', async () => {
  await room.ok(Provision)
  for (const { hash } of room.sandbox.state.keys()) room.sandbox.state.deleteKey(hash)
  await room.ok(Check)
  await room.ok(Provision, '--workspace', 'COMP1000')
  expect(remembered()).toMatchObject([{ id: one }])
})

describe('a ledger that is in doubt about a creation', () => {
  /** A run that asks for keys in the default workspace, and ends before it knows what has come of it. */
  async function endedInDoubt(...flags: string[]) {
    const sigterm = () => void process.emit('SIGTERM', 'SIGTERM')
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'before', run: sigterm } })
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'lose-answer' } })
    expect((await room.run(Provision, ...flags, '--concurrency', '1')).exitCode).toBe(143)
    room.sandbox.faults.clear()
    room.sandbox.state.requests.length = 0
    expect(query('keys.db', 'SELECT count(*) AS n FROM key')).toEqual([{ n: 0 }])
  }

  test.each<[string[], string]>([
    [[], "the account's default workspace"],
    [['--workspace', 'COMP2000'], 'the workspace COMP2000'],
  ])('asked for with %j: no other workspace can tell', async (flags, where) => {
    await endedInDoubt(...flags)
    const { exitCode, stderr } = await room.run(Provision, '--workspace', 'COMP1000')
    expect([exitCode, [...listed()]]).toEqual([2, []])
    expect(stderr).toContain(
      `Error: keys.db is in doubt about a key that was being made in ${where}, and not in COMP1000. Run class-keys provision without --workspace, which settles that, or name another ledger with --db.\n`,
    )
    const { json } = await room.run(Provision, '--workspace', 'COMP1000', '--json')
    expect(json.error.code).toBe('other_workspace')
    // The advice is enough.
    const settled = await room.ok(Provision, '--json')
    expect(settled.json.counts).toEqual({ healed: 1, created: 1 })
    expect(room.sandbox.state.keys()).toHaveLength(2)
  })

  test('may be asked about the same one', async () => {
    await endedInDoubt('--workspace', 'COMP2000')
    const { json } = await room.ok(Provision, '--workspace', 'COMP2000', '--json')
    expect(json.counts).toEqual({ healed: 1, created: 1 })
  })
})

test('without a roster nor a ledger of its own, nothing of a workspace is looked up', async () => {
  rmSync('roster.csv')
  expect((await room.run(Provision, '--workspace', 'COMP1000')).exitCode).toBe(2)
  expect(room.requests()).toEqual([])
})
