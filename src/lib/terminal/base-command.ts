import { Command } from '@oclif/core/command'
import type { Style } from './colour.js'
import { printable } from './table.js'
import { printJson, remarkText, tellError, wantsJson } from './tell-error.js'
import { wrapLines } from './wrap.js'

/** What the program is called where it is not mounted in another one, and in all our texts. */
const OWN_BIN = 'class-keys'

/** What all commands share: `--json`, and one way for errors to reach a person or a script. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  /** Goes on where nobody hears what is printed any more: a run must not end half-way for that. */
  override async init(): Promise<void> {
    await super.init()
    for (const stream of [process.stdout, process.stderr]) {
      if (stream.listeners('error').includes(goOnUnheard)) continue
      // oclif's own listener ends the process with whatever is not EPIPE.
      stream.removeAllListeners('error').on('error', goOnUnheard)
    }
  }

  /** Prints lines on standard output; nothing where `--json` was asked for. */
  protected print(lines: readonly string[]): void {
    if (lines.length > 0)
      this.log(
        wrapLines(
          lines.map((line) => printable(this.#asMounted(line))),
          process.stdout,
        ),
      )
  }

  /**
   * Prints lines on standard error, for remarks that are not the answer; nothing where `--json` was asked for.
   * @param style how the first line is set off
   */
  protected remark(lines: readonly string[], style?: Style): void {
    if (lines.length > 0)
      this.logToStderr(
        remarkText(
          lines.map((line) => this.#asMounted(line)),
          style,
        ),
      )
  }

  /** How the pipeline is shown: not at all for `--json`. */
  protected progress(): { silent: boolean } {
    return { silent: this.jsonEnabled() }
  }

  /** Whether `--json` was asked for, in whatever form. */
  override jsonEnabled(): boolean {
    return super.jsonEnabled() || wantsJson(this.argv)
  }

  /** Prints an error in the one form of them, and sets the exit code. */
  protected override async catch(error: Error): Promise<void> {
    // oclif ends a command early by an error that carries its exit code and says nothing.
    if ('code' in error && error.code === 'EEXIT') throw error
    error.message = this.#asMounted(error.message)
    tellError(error, { json: this.jsonEnabled() })
  }

  protected override logJson(json: unknown): void {
    printJson(json)
  }

  /** A text that names our commands, by the name of the program that they are a part of. */
  #asMounted(text: string): string {
    const { bin, commandIDs } = this.config
    if (bin === OWN_BIN) return text
    return text.replace(new RegExp(`\\b${OWN_BIN} (?=(${commandIDs.join('|')})\\b)`, 'g'), `${bin} `)
  }
}

/**
 * Nobody hears what is printed any more: the reader of a pipe has left, the terminal is closed, or the disk behind a
 * redirection is full. The run goes on all the same, since secrets may be under way; only the last is a failure.
 */
function goOnUnheard({ code }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE' && code !== 'EIO') process.exitCode ||= 1
}
