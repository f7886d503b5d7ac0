import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { assess, type Safety } from '../../src/lib/core/safety.js'
import { askConsent, type ConsentOptions } from '../../src/lib/terminal/consent.js'
import { type Interrupt, listenForInterrupts } from '../../src/lib/terminal/interrupt.js'
import { capture } from '../support/capture.js'
import { useTerminal } from '../support/terminal.js'

const { terminal, pipe } = useTerminal()
let interrupt: Interrupt
beforeEach(() => {
  interrupt = listenForInterrupts(() => {})
})
afterEach(() => {
  interrupt.dispose()
  vi.restoreAllMocks()
})

const PLANS: Record<string, Partial<Safety>> = {
  routine: {},
  grave: { grade: 'grave', enabled: 2 },
  massive: { grade: 'massive', hit: 4, total: 10 },
  'massive and grave': { grade: 'massive', hit: 4, total: 10, deleted: 4 },
}

/** What came of asking: that it is agreed to, or the code of the error; and what was said. */
async function ask(plan: string, options: Partial<ConsentOptions> = {}) {
  const safety = { ...assess([], []), ...PLANS[plan] }
  let answer = 'agreed'
  let error: ClassKeysError | undefined
  const { stdout, stderr } = await capture(async () => {
    await askConsent(
      safety,
      { always: false, mayAsk: true, yes: false, force: false, ...options },
      interrupt,
    ).catch((thrown) => {
      if (!(thrown instanceof ClassKeysError)) throw thrown
      error = thrown
      answer = thrown.code
    })
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor in a terminal
  return { answer, error, stdout, said: stderr.replace(/\x1b\[[0-9;]*[A-Z]/g, '') }
}

const YES = { yes: true }
const FORCE = { force: true }
const BOTH = { yes: true, force: true }
const ALWAYS = { always: true }

describe('where nobody can be asked', () => {
  it.each<[string, Partial<ConsentOptions>, string]>([
    ['routine', {}, 'agreed'],
    ['routine', ALWAYS, 'not_confirmed'],
    ['routine', { ...ALWAYS, ...FORCE }, 'not_confirmed'],
    ['routine', { ...ALWAYS, ...YES }, 'agreed'],
    ['grave', {}, 'not_confirmed'],
    ['grave', FORCE, 'not_confirmed'],
    ['grave', YES, 'agreed'],
    ['massive', {}, 'too_many_changes'],
    ['massive', YES, 'too_many_changes'],
    ['massive', FORCE, 'agreed'],
    ['massive', { ...ALWAYS, ...FORCE }, 'not_confirmed'],
    ['massive', { ...ALWAYS, ...BOTH }, 'agreed'],
    ['massive and grave', YES, 'too_many_changes'],
    ['massive and grave', FORCE, 'not_confirmed'],
    ['massive and grave', BOTH, 'agreed'],
  ])('a %s plan, %j: %s', async (plan, options, answer) => {
    pipe()
    const asked = await ask(plan, options)
    expect([asked.answer, asked.said, asked.stdout]).toEqual([answer, '', ''])
    if (answer !== 'agreed') expect(asked.error?.exitCode).toBe(4)
  })

  it.each(['stdin', 'stderr'] as const)('a terminal whose %s leads elsewhere is none', async (stream) => {
    const keyboard = terminal('y\n')
    process[stream].isTTY = false
    expect((await ask('grave')).answer).toBe('not_confirmed')
    expect(keyboard.unread()).toBe('y\n')
  })

  it('nor does --json ask anybody, also in a terminal', async () => {
    const keyboard = terminal('y\n')
    expect((await ask('grave', { mayAsk: false })).answer).toBe('not_confirmed')
    expect(keyboard.unread()).toBe('y\n')
  })

  it.each<[string, Partial<ConsentOptions>, string]>([
    [
      'routine',
      ALWAYS,
      'This plan has to be agreed to, and nobody can be asked here. Nothing was changed. Look at it with --dry-run; if it is what you want, run the same command with --yes.',
    ],
    [
      'grave',
      {},
      'This plan enables 2 keys, and nobody can be asked here. Nothing was changed. Look at it with --dry-run; if it is what you want, run the same command with --yes.',
    ],
    [
      'massive',
      {},
      'This plan disables, deletes or lowers 4 of 10 keys (40%), and more than 30% is refused. Nothing was changed. Look at the plan; if it is what you want, run the same command with --force, or with a higher --max-change.',
    ],
    [
      'massive and grave',
      FORCE,
      'This plan deletes 4 keys for good, and nobody can be asked here. Nothing was changed. Look at it with --dry-run; if it is what you want, run the same command with --yes.',
    ],
  ])('what is said of a %s plan, %j', async (plan, options, message) => {
    pipe()
    expect((await ask(plan, options)).error?.message).toBe(message)
  })
})

describe('in a terminal', () => {
  it.each<[string, string, string]>([
    ['y', 'y\n', 'agreed'],
    ['yes', 'yes\n', 'agreed'],
    ['in capitals, with spaces', '  YES \n', 'agreed'],
    ['with a carriage return', 'y\r', 'agreed'],
    ['n', 'n\n', 'declined'],
    ['no', 'no\n', 'declined'],
    ['nothing', '\n', 'declined'],
    ['something else', 'yesterday\n', 'declined'],
    ['a yes on the second line', '\ny\n', 'declined'],
    ['the end of the input (Ctrl-D)', '\x04', 'declined'],
  ])('%s', async (_, typed, answer) => {
    terminal(typed)
    const asked = await ask('grave')
    expect([asked.answer, asked.stdout]).toEqual([answer, ''])
    expect(asked.said).toContain('This plan enables 2 keys. Apply it? [y/N] ')
    if (answer === 'declined')
      expect(asked.error).toMatchObject({ message: 'Nothing was changed.', exitCode: 4 })
  })

  it('a terminal that goes away has not said yes', async () => {
    terminal('', { hangsUp: true })
    expect((await ask('grave')).answer).toBe('declined')
    terminal('y', { hangsUp: true })
    expect((await ask('grave')).answer).toBe('declined')
  })

  it('a plan that is only asked about because the command always asks', async () => {
    terminal('y\n')
    expect((await ask('routine', ALWAYS)).said).toContain('Apply this plan? [y/N] ')
  })

  it.each<[string, Partial<ConsentOptions>]>([
    ['routine', {}],
    ['routine', { ...ALWAYS, ...YES }],
    ['grave', YES],
    ['massive', FORCE],
    ['massive and grave', BOTH],
  ])('nothing is asked about a %s plan, %j', async (plan, options) => {
    const keyboard = terminal('n\n')
    expect(await ask(plan, options)).toMatchObject({ answer: 'agreed', said: '' })
    expect(keyboard.unread()).toBe('n\n')
  })

  it('a yes is not a force: a massive plan is refused without a question', async () => {
    const keyboard = terminal('y\n')
    expect(await ask('massive and grave', YES)).toMatchObject({ answer: 'too_many_changes', said: '' })
    expect(keyboard.unread()).toBe('y\n')
  })

  it('a force is not a yes: what is grave is asked about', async () => {
    terminal('n\n')
    const asked = await ask('massive and grave', FORCE)
    expect(asked.answer).toBe('declined')
    expect(asked.said).toContain('This plan deletes 4 keys for good. Apply it? [y/N] ')
  })

  it('Ctrl-C is the same signal as ever', async () => {
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => process.emit('SIGINT', 'SIGINT') as true)
    const listeners = process.listeners('SIGINT').slice(0, -1)
    // The test runner would end, too.
    for (const each of listeners) process.off('SIGINT', each)
    try {
      terminal('\x03')
      expect(await ask('grave')).toMatchObject({
        answer: 'interrupted',
        error: { exitCode: 130, message: 'Interrupted; nothing was changed.' },
      })
      expect(kill).toHaveBeenCalledWith(process.pid, 'SIGINT')
    } finally {
      for (const each of listeners) process.on('SIGINT', each)
    }
  })

  it('the question is taken back after SIGTERM, and nothing holds the keyboard', async () => {
    terminal('')
    const asked = ask('grave')
    setTimeout(() => process.emit('SIGTERM', 'SIGTERM'), 20)
    expect(await asked).toMatchObject({ answer: 'interrupted', error: { exitCode: 143 } })
    expect(process.stdin.listenerCount('keypress')).toBe(0)
  })
})
