import type { Hook } from '@oclif/core/interfaces'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tellUncaught } from '../../src/lib/terminal/uncaught.js'
import { capture } from '../support/capture.js'
import { ROOT } from '../support/command.js'

/** What @oclif/plugin-not-found does in the test: it is asked in a terminal. */
let ask: Hook.CommandNotFound
vi.mock('@oclif/plugin-not-found', () => ({
  default(this: Hook.Context, options: Parameters<Hook.CommandNotFound>[0]) {
    return ask.call(this, options)
  },
}))

const terminal = (isTTY: boolean) => {
  for (const stream of [process.stdin, process.stdout]) Object.assign(stream, { isTTY })
}
const before = [process.stdin.isTTY, process.stdout.isTTY]

beforeEach(() => {
  vi.stubEnv('NO_COLOR', '1')
  vi.stubEnv('DEBUG', undefined)
  ask = async () => expect.unreachable('nobody is to be asked')
})
afterEach(() => {
  for (const [i, stream] of [process.stdin, process.stdout].entries())
    Object.assign(stream, { isTTY: before[i] })
})

async function told(error: Error, ...argv: string[]) {
  process.exitCode = undefined
  const output = await capture(() => tellUncaught(error, argv, ROOT))
  const exitCode = process.exitCode
  process.exitCode = undefined
  return { ...output, exitCode }
}

const notFound = (id: string) => new Error(`command ${id} not found`)

describe('a misspelt command in a terminal', () => {
  beforeEach(() => terminal(true))

  it('is asked about, and what was meant runs with the rest of the words', async () => {
    ask = async function (this: Hook.Context, { id, argv }) {
      this.warn('not shown in these words')
      process.stdout.write(`${id} ${argv?.join(' ')}`)
    }
    expect(await told(notFound('provison'), 'provison', '--dry-run')).toEqual({
      stdout: 'provison --dry-run',
      stderr: 'provison is not a command of class-keys.\n',
      exitCode: undefined,
    })
  })

  it('is wrong usage where another one was meant', async () => {
    ask = async function (this: Hook.Context) {
      this.error('Run class-keys help for a list of available commands.', { exit: 127 })
    }
    expect(await told(notFound('provison'), 'provison')).toEqual({
      stdout: '',
      stderr: 'Error: Run class-keys help for the commands.\n',
      exitCode: 2,
    })
  })

  it.each([
    ['is far from every command', notFound('zzzzqq'), ['zzzzqq']],
    ['asks for JSON', notFound('chek'), ['chek', '--json']],
    ['asks for help', new Error('Command chek not found.'), ['chek', '--help']],
  ])('is not asked about where it %s', async (_, error, argv) => {
    expect((await told(error, ...argv)).exitCode).toBe(2)
  })
})

describe('elsewhere', () => {
  beforeEach(() => terminal(false))

  it('nobody is asked', async () => {
    const { stderr, exitCode } = await told(notFound('chek'), 'chek')
    expect([stderr, exitCode]).toEqual([
      'Error: chek is not a command of class-keys. Did you mean check? Run class-keys help for all of them.\n',
      2,
    ])
  })

  it('an early end of a command keeps its exit code, and says nothing', async () => {
    const exit = Object.assign(new Error('EEXIT: 7'), { code: 'EEXIT', oclif: { exit: 7 } })
    expect(await told(exit, 'check')).toEqual({ stdout: '', stderr: '', exitCode: 7 })
  })

  it('what nobody has foreseen is a fault, without its stack unless DEBUG asks for it', async () => {
    const message = 'Error: boom\nThis is a fault in class-keys. Run the same command with DEBUG=1'
    const { stderr, exitCode } = await told(new TypeError('boom'), 'help')
    expect([stderr.startsWith(message), stderr.includes('    at '), exitCode]).toEqual([true, false, 1])
    vi.stubEnv('DEBUG', '1')
    expect((await told(new TypeError('boom'), 'help')).stderr).toContain('    at ')
  })
})
