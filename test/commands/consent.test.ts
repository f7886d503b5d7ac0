import { beforeEach, describe, expect, test, vi } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import type { CommandClass } from '../support/command.js'
import { names } from '../support/folder.js'
import { editLimits, student, students, writeRoster } from '../support/people.js'
import { useTerminal } from '../support/terminal.js'

const room = useClassroom()
const { terminal, pipe } = useTerminal()
const twelve = students(12)
const [ada] = twelve as [ReturnType<typeof student>]

beforeEach(async () => {
  pipe()
  await room.ok(InitDb)
  writeRoster(twelve)
  await room.ok(Provision)
})

/** What was asked of OpenRouter that changes something. */
const writes = () => room.requests().filter(({ method }) => method !== 'GET')
/** Everything that a run leaves in the folder, but the ledger, which is brought up to what is listed. */
const files = () => names().filter((name) => !name.startsWith('keys.db'))
// biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor in a terminal
const plain = (text: string) => text.replace(/\x1b\[[0-9;]*[A-Z]/g, '')

/** One plan of a command: what leads to it, how it is called, and in which words it is asked about or refused. */
interface Story {
  of: string
  command: CommandClass
  argv: string[]
  before: () => void | Promise<void>
  /** How many requests change something, once it is applied. */
  sends: number
  words: string
}

const nothing = () => {}
const ask = (argv: string[], ...flags: string[]) => [...argv, ...flags]
const lowered = (n: number, target_limit = '1') =>
  editLimits(Object.fromEntries(twelve.slice(0, n).map(({ email }) => [email, { target_limit }])))
/** Ada has left, her key is disabled, and what comes next is the test's. */
async function adaHasLeft() {
  writeRoster(twelve.slice(1))
  await room.ok(Offboard, '--yes')
}
async function adaIsBack() {
  await adaHasLeft()
  writeRoster(twelve)
}

const APPLIED_AT_ONCE: Story[] = [
  {
    of: 'provision: a new student',
    command: Provision,
    argv: [],
    before: () => writeRoster([...twelve, student(13)]),
    sends: 1,
    words: '',
  },
  {
    of: 'update: limits raised, and few lowered',
    command: Update,
    argv: [],
    before: () => {
      lowered(12, '9')
      lowered(3)
    },
    sends: 12,
    words: '',
  },
]

const ASKED: Story[] = [
  {
    of: 'provision: a student is back',
    command: Provision,
    argv: [],
    before: adaIsBack,
    sends: 1,
    words: 'This plan enables 1 key',
  },
  {
    of: 'provision: an MQ ID was corrected',
    command: Provision,
    argv: [],
    before: () => writeRoster([{ ...ada, mq_id: '49999999' }, ...twelve.slice(1)]),
    sends: 1,
    words: 'This plan makes a second key for a student whose MQ ID has changed',
  },
  {
    of: 'update: a limit lifted, a key enabled',
    command: Update,
    argv: [],
    before: async () => {
      editLimits({ [ada.email]: { target_disabled: 'true' } })
      await room.ok(Update)
      lowered(2, 'unlimited')
      editLimits({ [ada.email]: { target_disabled: 'false' } })
    },
    sends: 2,
    words: 'This plan lifts the limit of 2 keys and enables 1 key',
  },
  { of: 'rotate: one key', command: Rotate, argv: [ada.email], before: nothing, sends: 2, words: '' },
  {
    of: 'rotate: one key, and the old one deleted',
    command: Rotate,
    argv: [ada.email, '--delete-old'],
    before: nothing,
    sends: 2,
    words: 'This plan deletes 1 key for good',
  },
  {
    of: 'offboard: one key',
    command: Offboard,
    argv: [],
    before: () => writeRoster(twelve.slice(1)),
    sends: 1,
    words: '',
  },
  {
    of: 'offboard: one key deleted',
    command: Offboard,
    argv: ['--delete'],
    before: adaHasLeft,
    sends: 1,
    words: 'This plan deletes 1 key for good',
  },
]

const MASSIVE: (Story & { wantsYes: boolean })[] = [
  {
    of: 'update: half of the limits lowered',
    command: Update,
    argv: [],
    before: () => lowered(6),
    sends: 6,
    words: 'disables, deletes or lowers 6 of 12 keys (50%)',
    wantsYes: false,
  },
  {
    of: 'rotate: everybody',
    command: Rotate,
    argv: ['--all'],
    before: nothing,
    sends: 24,
    words: 'disables, deletes or lowers 12 of 12 keys (100%)',
    wantsYes: true,
  },
  {
    of: 'offboard: four have left',
    command: Offboard,
    argv: [],
    before: () => writeRoster(twelve.slice(4)),
    sends: 4,
    words: 'disables, deletes or lowers 4 of 12 keys (33%)',
    wantsYes: true,
  },
  {
    of: 'offboard: the term is over',
    command: Offboard,
    argv: ['--end-of-term'],
    before: nothing,
    sends: 12,
    words: 'disables, deletes or lowers 12 of 12 keys (100%)',
    wantsYes: true,
  },
]

/** Comes to where the plan is to be made; what is sent from here on is the run's. */
async function begin({ before }: Story) {
  await before()
  room.sandbox.state.requests.length = 0
}

async function expectRefused({ command }: Story, argv: string[], code: string) {
  const before = files()
  const { exitCode, stderr, stdout } = await room.run(command, ...argv)
  expect([exitCode, writes(), files()]).toEqual([4, [], before])
  const { json, exitCode: again } = await room.run(command, ...argv, '--json')
  expect([again, json.error.code, json.error.exitCode]).toEqual([4, code, 4])
  expect([writes(), files()]).toEqual([[], before])
  return { stderr, stdout }
}

describe.each(APPLIED_AT_ONCE)('$of: routine', (story) => {
  const { command, argv, sends } = story

  test('is applied at once, in a terminal and without one', async () => {
    await begin(story)
    const keyboard = terminal('n\n')
    const { stderr } = await room.ok(command, ...argv)
    expect(writes()).toHaveLength(sends)
    expect(stderr).not.toContain('[y/N]')
    expect(keyboard.unread()).toBe('n\n')
  })

  test('also without a terminal, and for a script', async () => {
    await begin(story)
    const { json } = await room.ok(command, ...argv, '--json')
    expect(json.plan.safety.grade).toBe('routine')
    expect(writes()).toHaveLength(sends)
  })
})

describe.each(ASKED)('$of: asked about', (story) => {
  const { command, argv, sends, words } = story
  const question = words === '' ? 'Apply this plan? [y/N] ' : `${words}. Apply it? [y/N] `

  test.each(['y', 'YES'])('%s applies it', async (answer) => {
    await begin(story)
    terminal(`${answer}\n`)
    const { stderr, stdout } = await room.ok(command, ...argv)
    expect(plain(stderr)).toContain(question)
    expect(stdout).not.toContain('[y/N]')
    expect(writes()).toHaveLength(sends)
  })

  test.each([
    ['no', 'n\n'],
    ['nothing', '\n'],
    ['the end of the input', '\x04'],
  ])('%s: nothing is changed, and that is no error', async (_, typed) => {
    await begin(story)
    const before = files()
    terminal(typed)
    const { exitCode, stderr } = await room.run(command, ...argv)
    expect([exitCode, writes(), files()]).toEqual([4, [], before])
    expect(plain(stderr)).toMatch(/\nNothing was changed\.\n$/)
    expect(stderr).not.toContain('Error')
  })

  test('where nobody can be asked it is refused, and --force is no yes', async () => {
    await begin(story)
    for (const flags of [[], ['--force']]) {
      const { stderr, stdout } = await expectRefused(story, ask(argv, ...flags), 'not_confirmed')
      expect(stderr).toContain(
        `Error: ${words === '' ? 'This plan has to be agreed to' : words}, and nobody can be asked here. Nothing was changed. Look at it with --dry-run; if it is what you want, run the same command with --yes.\n`,
      )
      if (words !== '') expect(stdout).toContain(`${words}: it needs a yes, or --yes.\n`)
    }
  })

  test('--json asks nobody, also in a terminal', async () => {
    await begin(story)
    const keyboard = terminal('y\n')
    expect((await room.run(command, ...argv, '--json')).exitCode).toBe(4)
    expect(keyboard.unread()).toBe('y\n')
  })

  test('--yes agrees beforehand', async () => {
    await begin(story)
    const keyboard = terminal('n\n')
    const { stderr } = await room.ok(command, ...argv, '--yes')
    expect(stderr).not.toContain('[y/N]')
    expect(keyboard.unread()).toBe('n\n')
    expect(writes()).toHaveLength(sends)
  })

  test('--dry-run only shows it', async () => {
    await begin(story)
    const keyboard = terminal('n\n')
    await room.ok(command, ...argv, '--dry-run')
    expect([writes(), keyboard.unread()]).toEqual([[], 'n\n'])
  })
})

describe.each(MASSIVE)('$of: massive', (story) => {
  const { command, argv, sends, words, wantsYes } = story
  const agreed = wantsYes ? ['--yes'] : []

  test('is refused in count, total and share, with the flag that overrides it; a yes is not enough', async () => {
    await begin(story)
    for (const flags of [[], ['--yes']]) {
      const { stderr, stdout } = await expectRefused(story, ask(argv, ...flags), 'too_many_changes')
      expect(stderr).toContain(
        `Error: This plan ${words}, and more than 30% is refused. Nothing was changed. Look at the plan; if it is what you want, run the same command with --force, or with a higher --max-change.\n`,
      )
      expect(stdout).toContain(`This plan ${words}: it needs --force.\n`)
    }
  })

  test('is refused in a terminal too, without a question', async () => {
    await begin(story)
    const keyboard = terminal('y\n')
    const { exitCode, stderr } = await room.run(command, ...argv)
    expect([exitCode, writes(), keyboard.unread()]).toEqual([4, [], 'y\n'])
    expect(stderr).not.toContain('[y/N]')
  })

  test('is shown by a dry run, which is no failure', async () => {
    await begin(story)
    const { json } = await room.ok(command, ...argv, '--dry-run', '--json')
    expect(json.safety).toMatchObject({ grade: 'massive', maxChange: 30 })
    expect(writes()).toEqual([])
  })

  test('is applied with --force, and a yes where the command always asks', async () => {
    await begin(story)
    if (wantsYes) await expectRefused(story, ask(argv, '--force'), 'not_confirmed')
    await room.ok(command, ...argv, '--force', ...agreed)
    expect(writes()).toHaveLength(sends)
  })

  test('is routine with a higher --max-change', async () => {
    await begin(story)
    await room.ok(command, ...argv, '--max-change', '100', ...agreed)
    expect(writes()).toHaveLength(sends)
  })
})

test('Ctrl-C at the question changes nothing, and says so once', async () => {
  await adaIsBack()
  room.sandbox.state.requests.length = 0
  vi.spyOn(process, 'kill').mockImplementation(() => process.emit('SIGINT', 'SIGINT') as true)
  terminal('\x03')
  const { exitCode, stderr } = await room.run(Provision)
  expect([exitCode, writes()]).toEqual([130, []])
  expect(plain(stderr)).toMatch(/\[y\/N\] \nStopping: .*\nError: Interrupted; nothing was changed\.\n$/)
  vi.restoreAllMocks()
  await room.ok(Provision, '--yes')
})

test('a command whose plan has nothing in it asks nothing', async () => {
  const keyboard = terminal('n\n')
  for (const command of [Provision, Update, Offboard]) await room.ok(command)
  expect(keyboard.unread()).toBe('n\n')
})
