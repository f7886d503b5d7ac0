import { BadFileError, ClassKeysError, type ExitCode, type Problem } from '../core/errors.js'
import { OpenRouterError } from '../openrouter/errors.js'

/** What `--json` prints where a command failed. */
export interface ErrorResult {
  error: {
    /** A stable word, such as `ledger_missing`; `usage` for a wrong flag, `unexpected` for a bug. */
    code: string
    message: string
    exitCode: number
    /** The HTTP status of OpenRouter's answer, where there was one. */
    status?: number
    /** The file with problems, and all of them. */
    file?: string
    problems?: readonly Problem[]
  }
}

/** An error as `--json` prints it: named fields only, never the error object itself. */
export function errorResult(error: unknown): ErrorResult {
  return {
    error: {
      code: error instanceof ClassKeysError ? error.code : isUsage(error) ? 'usage' : 'unexpected',
      message: messageOf(error),
      exitCode: exitCodeOf(error),
      ...(error instanceof OpenRouterError && error.status !== undefined && { status: error.status }),
      ...(error instanceof BadFileError && { file: error.file, problems: error.problems }),
    },
  }
}

/** The lines that tell a person what happened, where, and what to do. */
export function errorLines(error: unknown): string[] {
  const lines = [`Error: ${messageOf(error)}`]
  if (error instanceof BadFileError)
    lines.push(...error.problems.map((problem) => `  ${problemText(problem)}`))
  return lines
}

/** One problem of a file on one line: `line 3, budget, "lots": is not an amount of dollars, …`. */
export function problemText({ line, column, value, message }: Problem): string {
  const place = [line !== undefined && `line ${line}`, column, value !== undefined && JSON.stringify(value)]
  const where = place.filter((part) => part).join(', ')
  return where === '' ? message : `${where}: ${message}`
}

/** What the process exits with: 2 for wrong flags, the error's own code for ours, else 1. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ClassKeysError) return error.exitCode
  return isUsage(error) ? 2 : 1
}

/** Whether oclif's parser refused the flags or arguments. */
function isUsage(error: unknown): boolean {
  return (
    error instanceof Error && 'oclif' in error && (error.oclif as { exit?: number } | undefined)?.exit === 2
  )
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof ClassKeysError) return message
  if (isUsage(error)) return usageMessage(message)
  return `${message}\nThis is a fault in class-keys. Run the same command with DEBUG=1 to see where it happened.`
}

/** oclif's words about wrong flags, in our form: sentences, with where to look. */
function usageMessage(message: string): string {
  const words = message
    .replace(/\s*See more help with --help\s*$/, '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/:?\s*\n\s*/g, ': ')
  return `${words}${/[.!?]$/.test(words) ? '' : '.'} Add --help to see what there is.`
}
