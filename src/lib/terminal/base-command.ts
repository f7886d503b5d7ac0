import { Command } from '@oclif/core/command'
import { ClassKeysError, DeclinedError } from '../core/errors.js'
import { paint, type Style } from './colour.js'
import { type ErrorResult, errorLines, errorResult, exitCodeOf } from './error-view.js'
import { printable } from './table.js'
import { wrapLines } from './wrap.js'

/** What all commands share: `--json`, and one way for errors to reach a person or a script. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  /** Goes on unseen where the reader of a pipe has left (`| head`): a run must not end half-way for that. */
  override async init(): Promise<void> {
    await super.init()
    for (const stream of [process.stdout, process.stderr]) {
      if (stream.listenerCount('error') === 0) stream.on('error', ignoreClosedPipe)
    }
  }

  /** Prints lines on standard output; nothing where `--json` was asked for. */
  protected print(lines: readonly string[]): void {
    if (lines.length > 0) this.log(wrapLines(lines.map(printable), process.stdout))
  }

  /**
   * Prints lines on standard error, for remarks that are not the answer; nothing where `--json` was asked for.
   * @param style how the first line is set off
   */
  protected remark(lines: readonly string[], style?: Style): void {
    if (lines.length > 0) this.logToStderr(remarkText(lines, style))
  }

  /** How the pipeline is shown: not at all for `--json`. */
  protected progress(): { silent: boolean } {
    return { silent: this.jsonEnabled() }
  }

  /** Prints an error without a stack trace, unless DEBUG asks for it, and sets the exit code. */
  protected override async catch(error: Error): Promise<void> {
    // oclif ends a command early by an error that carries its exit code and says nothing.
    if ('code' in error && error.code === 'EEXIT') throw error
    process.exitCode = exitCodeOf(error)
    if (this.jsonEnabled()) {
      this.logJson(this.toErrorJson(error))
      return
    }
    // A no is an answer, and not a fault.
    if (error instanceof DeclinedError) {
      this.remark([error.message])
      return
    }
    const lines = errorLines(error)
    if (process.env.DEBUG) lines.push(stackOf(error))
    process.stderr.write(`${remarkText(lines, 'red')}\n`)
  }

  protected override toErrorJson(error: unknown): ErrorResult {
    return errorResult(error)
  }

  /** One JSON document, without oclif's colours: they would be part of it. */
  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  }
}

/** Lines as standard error takes them: what they tell may be somebody else's words, in several lines. */
function remarkText(lines: readonly string[], style: Style | undefined): string {
  const [first = '', ...more] = lines.flatMap((line) => line.split('\n')).map(printable)
  return wrapLines([style ? paint(style, first, process.stderr) : first, ...more], process.stderr)
}

/** The stack of an error and of what caused it; stacks hold messages and places, never a request. */
function stackOf(error: Error): string {
  const cause =
    error instanceof ClassKeysError && error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : ''
  return `${error.stack}${cause}`
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
