import type { Hook } from '@oclif/core/interfaces'
import levenshtein from 'fast-levenshtein'

/**
 * Says which command a misspelt one was probably meant to be. In a terminal @oclif/plugin-not-found asks
 * whether to run it; elsewhere that plugin would not name it, so that is done here. Wrong usage: exit code 2.
 */
const hook: Hook.CommandNotFound = async function (options) {
  const { id, config } = options
  const ids = config.commands.filter((command) => !command.hidden).map((command) => command.id)
  const [closest] = ids.sort((a, b) => levenshtein.get(id, a) - levenshtein.get(id, b))
  if (process.stdin.isTTY && process.stdout.isTTY) {
    const { default: ask } = await import('@oclif/plugin-not-found')
    const answer = await ask.call(this, options).catch((error: Error) => asUsageError(error))
    return answer
  }
  const word = id.replaceAll(':', ' ')
  if (word.startsWith('-')) {
    process.stderr.write(`Error: ${word} is not an option of ${config.bin}. Run ${config.bin} help.\n`)
    this.exit(2)
  }
  const guess = `Did you mean ${closest?.replaceAll(':', ' ')}?`
  process.stderr.write(
    `Error: ${word} is not a ${config.bin} command. ${guess} Run ${config.bin} help for all of them.\n`,
  )
  this.exit(2)
}

/** The plugin ends with 127, a shell's code for a missing program; a misspelt command is wrong usage. */
function asUsageError(error: Error): never {
  if ('oclif' in error && (error.oclif as { exit?: number }).exit === 127)
    Object.assign(error, { oclif: { exit: 2 } })
  throw error
}

export default hook
