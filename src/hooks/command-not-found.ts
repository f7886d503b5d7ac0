import type { Hook } from '@oclif/core/interfaces'
import levenshtein from 'fast-levenshtein'

/**
 * Says what is wrong with words that are no command. In a terminal @oclif/plugin-not-found asks whether the
 * nearest one was meant; elsewhere that plugin would not name it, so that is done here. Wrong usage: exit code 2.
 */
const hook: Hook.CommandNotFound = async function (options) {
  const { id, config } = options
  const ids = config.commands.filter((command) => !command.hidden).map((command) => command.id)
  const json = process.argv.includes('--json')
  const words = id.split(':')
  const isCommand = ids.includes(words[0] ?? '')
  if (!json && !isCommand && process.stdin.isTTY && process.stdout.isTTY) {
    const { default: ask } = await import('@oclif/plugin-not-found')
    return ask.call(this, options).catch((error: Error) => asUsageError(error))
  }
  const message = isCommand
    ? `${config.bin} ${words[0]} takes no argument ${words.slice(1).join(' ')}. Add --help to see what there is.`
    : `${words.join(' ')} is not ${words[0]?.startsWith('-') ? 'an option' : 'a command'} of ${config.bin}. ${advice(words.join(' '), ids)}`
  if (json) {
    process.stdout.write(`${JSON.stringify({ error: { code: 'usage', message, exitCode: 2 } }, null, 2)}\n`)
  } else {
    process.stderr.write(`Error: ${message}\n`)
  }
  this.exit(2)
}

function advice(typed: string, ids: readonly string[]): string {
  if (typed.startsWith('-')) return 'Run class-keys help for what there is.'
  const [closest] = [...ids].sort((a, b) => levenshtein.get(typed, a) - levenshtein.get(typed, b))
  return `Did you mean ${closest?.replaceAll(':', ' ')}? Run class-keys help for all of them.`
}

/** The plugin ends with 127, a shell's code for a missing program; a misspelt command is wrong usage. */
function asUsageError(error: Error): never {
  if ('oclif' in error && (error.oclif as { exit?: number }).exit === 127) {
    Object.assign(error, { oclif: { exit: 2 } })
  }
  throw error
}

export default hook
