import * as Flags from '@oclif/core/flags'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BadFileError, ClassKeysError, type ExitCode } from '../../src/lib/core/errors.js'
import type { OutcomeKind } from '../../src/lib/core/outcome.js'
import { sinceFlag, usdFlag } from '../../src/lib/terminal/flags.js'
import { PlannedCommand } from '../../src/lib/terminal/planned-command.js'
import { type CommandClass, runCommand } from '../support/command.js'

/** What the command of the test does. */
let work: (command: Probe) => unknown = () => undefined

class Probe extends PlannedCommand {
  static override id = 'probe'
  static override flags = {
    limit: usdFlag(),
    since: sinceFlag,
    count: Flags.integer({ min: 1 }),
  }

  async run(): Promise<unknown> {
    await this.parse(Probe)
    return work(this)
  }

  say(lines: string[], remarks: string[] = []) {
    this.print(lines)
    this.remark(remarks)
    return { said: lines }
  }

  end(outcomes: OutcomeKind[], signal?: ExitCode, stoppedBy?: Error) {
    const students = outcomes.map((outcome) => ({ email: 'a@x.edu', name: 'A', mqId: '1', outcome }))
    const { signal: never } = new AbortController()
    const interrupt = {
      stopping: never,
      givingUp: never,
      exitCode: () => signal,
      orStop: <T>(promise: Promise<T>) => promise,
      dispose: () => {},
    }
    return { students, ...this.conclude({ students }, interrupt, stoppedBy) }
  }
}

const run = (...argv: string[]) => runCommand(Probe as unknown as CommandClass, argv)
const throwing = (error: unknown) => {
  work = () => {
    throw error
  }
}

beforeEach(() => {
  vi.stubEnv('DEBUG', undefined)
  // Elsewhere oclif warns of commands whose flags were wrong.
  vi.stubEnv('NODE_ENV', 'production')
  vi.stubEnv('NO_COLOR', '1')
})
afterEach(() => {
  work = () => undefined
})

describe('what a command prints', () => {
  beforeEach(() => {
    work = (command) => command.say(['the answer', 'of two lines'], ['a remark'])
  })

  it('is the answer on standard output and remarks on standard error', async () => {
    const { stdout, stderr, exitCode } = await run()
    expect([stdout, stderr, exitCode]).toEqual(['the answer\nof two lines\n', 'a remark\n', 0])
  })

  it('is one document with --json, and nothing else', async () => {
    const { stdout, stderr } = await run('--json')
    expect(stdout).toBe('{\n  "said": [\n    "the answer",\n    "of two lines"\n  ]\n}\n')
    expect(stderr).toBe('')
  })

  it('moves no cursor and rings no bell, in the answer or in a remark', async () => {
    work = (command) => command.say(['a\x1b[2Jb'], ['c\x07d', 'e\x9b2Jf'])
    const { stdout, stderr } = await run()
    expect([stdout, stderr]).toEqual(['a [2Jb\n', 'c d\ne 2Jf\n'])
  })

  it('is nothing where there are no lines', async () => {
    work = (command) => command.say([])
    expect(await run()).toMatchObject({ stdout: '', stderr: '' })
  })
})

describe('an error', () => {
  const cause = new Error('EIO: the cause')
  const ours = new ClassKeysError('disk_full', 'The disk is full.', 4, { cause })

  it('is a sentence on standard error, without a stack', async () => {
    throwing(ours)
    const { stdout, stderr, exitCode } = await run()
    expect([stdout, stderr, exitCode]).toEqual(['', 'Error: The disk is full.\n', 4])
  })

  it('moves no cursor, and keeps its lines apart: what it tells may be somebody else’s words', async () => {
    vi.stubEnv('DEBUG', '1')
    throwing(new ClassKeysError('x', 'No workspace \x1b]0;owned\x07.\nA second line\r.', 2))
    const { stderr } = await run()
    expect(stderr).toMatch(/^Error: No workspace {2}\]0;owned \.\nA second line \.\n/)
    expect(stderr.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  it('that ended a run moves no cursor either', async () => {
    work = (command) => command.end(['not tried'], undefined, new Error('a\x1b[2Jb'))
    expect((await run()).stderr).toMatch(/^Error: a \[2Jb\n/)
  })

  it('has its stack and its cause where DEBUG asks for it', async () => {
    vi.stubEnv('DEBUG', '1')
    throwing(ours)
    const { stderr } = await run()
    expect(stderr).toMatch(/^Error: The disk is full\.\nClassKeysError: The disk is full\.\n {4}at /)
    expect(stderr).toContain('caused by Error: EIO: the cause\n    at ')
  })

  it('is red in a terminal', async () => {
    vi.stubEnv('NO_COLOR', undefined)
    vi.stubEnv('FORCE_COLOR', '1')
    throwing(new BadFileError('roster.csv', [{ line: 2, message: 'no' }], 'Nothing was sent.'))
    expect((await run()).stderr).toBe(
      '\u001b[31mError: roster.csv has one problem. Nothing was sent.\u001b[39m\n  line 2: no\n',
    )
  })

  it.each([
    [ours, { code: 'disk_full', message: 'The disk is full.', exitCode: 4 }],
    [new TypeError('boom'), { code: 'unexpected', exitCode: 1 }],
  ])('is one document with --json: %s', async (error, shown) => {
    vi.stubEnv('DEBUG', '1')
    throwing(error)
    const { json, stderr, exitCode } = await run('--json')
    expect(json.error).toMatchObject(shown)
    expect([stderr, exitCode]).toEqual(['', shown.exitCode])
  })

  it.each([
    [['--frob'], 'Error: Nonexistent flag: --frob. Add --help to see what there is.\n'],
    [['--limit', 'lots'], 'lots is not an amount of dollars, such as 5 or 2.50'],
    [['--limit', '-1'], '-1 is not an amount of dollars'],
    [['--since', 'yesterday'], 'yesterday is neither a day such as 2026-11-01, nor a span such as 7d or 24h'],
    [['--count', '0'], '--count'],
  ])('of the call exits with 2: %j', async (argv, message) => {
    const { stdout, stderr, exitCode } = await run(...argv)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('    at ')
    expect([stdout, exitCode]).toEqual(['', 2])
    const { json } = await run(...argv, '--json')
    expect(json.error).toMatchObject({ code: 'usage', exitCode: 2 })
  })
})

describe('how a run ends', () => {
  const stopped = new ClassKeysError('disk_full', 'The disk is full.')
  const bug = new TypeError('boom')
  const rest = (done: number, all: number) =>
    `${done} of ${all} students are done; run the same command again to go on.\n`

  it.each<[OutcomeKind[], ExitCode | undefined, Error | undefined, number, string]>([
    [['created', 'already had one', 'healed', 'updated'], undefined, undefined, 0, ''],
    [[], undefined, undefined, 0, ''],
    [['created', 'failed'], undefined, undefined, 3, rest(1, 2)],
    [['in doubt'], undefined, undefined, 3, rest(0, 1)],
    [['created', 'not tried'], undefined, stopped, 1, `Error: The disk is full.\n${rest(1, 2)}`],
    [
      ['created', 'not tried'],
      undefined,
      bug,
      1,
      `Error: boom\nThis is a fault in class-keys. Run the same command with DEBUG=1 to see where it happened.\n${rest(1, 2)}`,
    ],
    [
      ['not tried'],
      undefined,
      new BadFileError('limits.csv', [{ line: 2, column: 'hash', message: 'no' }], 'Mend it.'),
      1,
      `Error: limits.csv has one problem. Mend it.\n  line 2, hash: no\n${rest(0, 1)}`,
    ],
    [['created', 'not tried'], 130, undefined, 130, `Interrupted: ${rest(1, 2)}`],
    [['created', 'not tried'], 143, stopped, 143, `Interrupted: ${rest(1, 2)}`],
  ])('%j, signal %s, %s: exit %i', async (outcomes, signal, stoppedBy, code, remark) => {
    work = (command) => command.end(outcomes, signal, stoppedBy)
    const { stderr, exitCode } = await run()
    expect([stderr, exitCode]).toEqual([remark, code])
    const silent = await run('--json')
    expect([silent.stderr, silent.exitCode]).toEqual(['', code])
    const told = signal && { code: 'interrupted', message: remark.trimEnd() }
    expect(silent.json.stopped).toEqual(told)
  })
})
