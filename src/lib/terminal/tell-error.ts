import { ClassKeysError, DeclinedError } from '../core/errors.js'
import { paint, type Style } from './colour.js'
import { errorLines, errorResult, exitCodeOf } from './error-view.js'
import { printable } from './table.js'
import { wrapLines } from './wrap.js'

/**
 * Tells an error, a sentence on standard error or one JSON document on standard output, and sets the exit code.
 * Without a stack trace, unless DEBUG asks for it.
 */
export function tellError(error: unknown, { json }: { json: boolean }): void {
  process.exitCode = exitCodeOf(error)
  if (json) {
    printJson(errorResult(error))
    return
  }
  // A no is an answer, and not a fault.
  if (error instanceof DeclinedError) {
    process.stderr.write(`${remarkText([error.message])}\n`)
    return
  }
  const lines = errorLines(error)
  if (process.env.DEBUG && error instanceof Error) lines.push(stackOf(error))
  process.stderr.write(`${remarkText(lines, 'red')}\n`)
}

/** Prints one JSON document, without oclif's colours: they would be part of it. */
export function printJson(json: unknown): void {
  process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
}

/** Whether the words of a call ask for JSON; `--json=yes` is a mistake, and is to be told in JSON too. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).some((word) => /^--json(=|$)/.test(word))
}

/**
 * Lines as standard error takes them: what they tell may be somebody else's words, in several lines.
 * @param style how the first line is set off
 */
export function remarkText(lines: readonly string[], style?: Style): string {
  const [first = '', ...more] = lines.flatMap((line) => line.split('\n')).map(printable)
  return wrapLines([style ? paint(style, first, process.stderr) : first, ...more], process.stderr)
}

/** The stack of an error and of what caused it; stacks hold messages and places, never a request. */
function stackOf(error: Error): string {
  const cause =
    error instanceof ClassKeysError && error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : ''
  return `${error.stack}${cause}`
}
