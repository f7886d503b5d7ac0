import { Config } from '@oclif/core/config'
import type { Hook, LoadOptions } from '@oclif/core/interfaces'
import { UsageError } from '../core/errors.js'
import { tellError, wantsJson } from './tell-error.js'
import { nearestCommand, wrongCommand } from './wrong-command.js'

/**
 * Tells an error that no command of ours has told: words that are no command, and what oclif and its plugins
 * throw. In the same form as every other one, and with the exit code set.
 * @param argv the words of the call
 * @param options what oclif has loaded the program from
 */
export async function tellUncaught(
  error: unknown,
  argv: readonly string[],
  options: LoadOptions,
): Promise<void> {
  const json = wantsJson(argv)
  try {
    await explain(error, { argv, options, mayAsk: !json })
  } catch (explained) {
    // oclif ends a command early by an error that carries its exit code and says nothing.
    const { code, oclif } = explained as { code?: string; oclif?: { exit?: number } }
    if (code === 'EEXIT') process.exitCode = oclif?.exit ?? 1
    else tellError(explained, { json })
  }
}

/** Throws the error that a person can do something with; comes back where the command that was meant has run. */
async function explain(
  error: unknown,
  { argv, options, mayAsk }: { argv: readonly string[]; options: LoadOptions; mayAsk: boolean },
): Promise<void> {
  // A call of such a command in small letters, a call of its help with a capital one and a full stop.
  const found = /^([Cc])ommand (\S+) not found\.?$/.exec(error instanceof Error ? error.message : '')
  if (!found) throw error
  const [, initial, id = ''] = found
  const config = await Config.load(options)
  const words = id.split(':')
  const isCall = initial === 'c' && nearestCommand(words, config.commands) !== undefined
  if (!mayAsk || !isCall || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError('usage', wrongCommand(words, config))
  const { default: ask } = await import('@oclif/plugin-not-found')
  const context = {
    config,
    warn: () => process.stderr.write(`${words.join(' ')} is not a command of ${config.bin}.\n`),
    error: () => {
      throw new UsageError('usage', `Run ${config.bin} help for the commands.`)
    },
  } as unknown as Hook.Context
  await ask.call(context, { id, argv: argv.slice(words.length), config, context })
}
