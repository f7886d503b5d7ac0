/** One thing that is wrong in a file that a person wrote: where it stands, and what is wrong with it. */
export interface Problem {
  /** Line in the file, the header being line 1; absent where the whole file is meant. */
  line?: number
  /** Name of the column as our documentation spells it. */
  column?: string
  /** The cell as it stands in the file. */
  value?: string
  /** What is wrong and what would be right, without the place and the value. */
  message: string
}

/**
 * What the process tells the shell: 1 it failed, 2 the call or a file is wrong, 3 some students failed,
 * 4 refused as unsafe or not agreed to, 130 and 143 interrupted by Ctrl-C or SIGTERM.
 */
export type ExitCode = 1 | 2 | 3 | 4 | 129 | 130 | 143

/**
 * An error for a person: its message says what happened, where, and what to do, and never holds a secret.
 * Anything thrown that is not one of these is a bug of the program.
 */
export class ClassKeysError extends Error {
  override readonly name: string = 'ClassKeysError'

  /**
   * @param code a stable word for scripts that read `--json`
   * @param message one or two sentences: what happened, where, what to do
   * @param exitCode what the process exits with
   */
  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: ExitCode = 1,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The call is wrong: a missing setting, a file that does not exist, flags that contradict each other. Exit code 2. */
export class UsageError extends ClassKeysError {
  override readonly name = 'UsageError'

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(code, message, 2, options)
  }
}

/** Somebody was asked about a plan, and has not said yes: nothing went wrong, and nothing was done. Exit code 4. */
export class DeclinedError extends ClassKeysError {
  override readonly name = 'DeclinedError'

  constructor() {
    super('declined', 'Nothing was changed.', 4)
  }
}

/** A file that a person wrote has mistakes: all of them at once, each with its place. Exit code 2. */
export class BadFileError extends ClassKeysError {
  override readonly name = 'BadFileError'

  /**
   * @param file the path as the person gave it
   * @param problems every problem of the file, in the order of its lines
   * @param consequence what was not done because of them
   */
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
    consequence: string,
  ) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    super('bad_file', `${file} has ${count}. ${consequence}`, 2)
  }
}
